#pragma once

#include "record/schema.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::record {

// The SQL that makes one view a kind over all files of a recording, in DuckDB's words. It names no file: each
// view reads the lists of paths that stand in the variables `files_variable` and `old_files_variable` of its
// kind.

/// What there is to read of one kind.
struct ViewSource {
  bool has_files = false;  ///< of this program
  bool has_old_files = false;
  std::vector<std::string> old_columns;  ///< names of the columns in any of the old files
};
using ViewSources = std::array<ViewSource, kinds_count>;

std::string files_variable(Kind kind);
std::string old_files_variable(Kind kind);

/// A column a view has beyond those of the files.
struct ComputedColumn {
  std::string_view name;
  std::string_view sql;
  std::string_view unit;
  std::string_view doc;
};
/// Of the view of this kind, in their order; they come after the columns of the schema and the partition's.
std::vector<ComputedColumn> computed_columns(Kind kind);

struct View {
  std::string name;
  std::string doc;
  std::string sql;  ///< CREATE OR REPLACE VIEW ...
};
/// In an order in which they can be created: one a kind, then those that are made from them: `prices` and
/// `orderbook` with the names of older recordings, `depth_levels` with a row a level, `ledger` as another
/// name of `coverage`. A kind without files has an empty view with all its columns.
std::vector<View> views(const ViewSources& sources);

/// The kind an older recording calls `name`: its raw kinds are prices and orderbook. Empty for any other
/// word.
std::optional<Kind> old_kind_of(std::string_view name);

/// Every kind with its columns as a page of Markdown: what docs/recording.md holds and `phoenix query
/// --schema` prints.
std::string schema_markdown();

}  // namespace phoenix::record
