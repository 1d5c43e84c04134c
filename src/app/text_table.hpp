#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// Columns for people, as wide as what is in them. Where the width does not suffice the columns of least
/// importance are left out.
class TextTable {
 public:
  enum class Align : bool { left, right };
  struct Column {
    std::string title;
    Align align = Align::right;
    int importance = 0;  ///< the lowest goes first
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell for each column.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  /// In characters; 0: no bound.
  std::string text(std::size_t width) const {
    std::vector<std::size_t> shown, widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      shown.push_back(i);
      std::size_t widest = columns_[i].title.size();
      for (const auto& row : rows_) widest = std::max(widest, row[i].size());
      widths.push_back(widest);
    }
    const auto total = [&] {
      std::size_t sum = 0;
      for (const auto i : shown) sum += widths[i] + 2;
      return sum;
    };
    while (width > 0 && shown.size() > 1 && total() > width + 2) {
      shown.erase(std::min_element(shown.begin(), shown.end(), [this](auto a, auto b) {
        return columns_[a].importance < columns_[b].importance;
      }));
    }
    std::string out;
    const auto line = [&](auto cell) {
      std::string one;
      for (const auto i : shown) {
        const std::string_view text = cell(i);
        const std::string blanks(widths[i] - text.size(), ' ');
        if (!one.empty()) one += "  ";
        one += columns_[i].align == Align::right ? blanks : "";
        one += text;
        one += columns_[i].align == Align::left ? blanks : "";
      }
      one.erase(one.find_last_not_of(' ') + 1);
      if (width > 0) one.resize(std::min(one.size(), width));
      out += one + "\n";
    };
    line([this](std::size_t i) { return std::string_view{columns_[i].title}; });
    for (const auto& row : rows_) line([&row](std::size_t i) { return std::string_view{row[i]}; });
    return out;
  }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace phoenix::app
