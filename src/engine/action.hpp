#pragma once

#include "base/assert.hpp"
#include "base/time.hpp"
#include "engine/input.hpp"
#include "model/ids.hpp"
#include "ops/incident.hpp"
#include "order/state_record.hpp"
#include "record/row.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace phoenix::engine {

/// A piece of text inside the Actions that hold it.
struct TextRef {
  std::uint32_t offset = 0, size = 0;
};

enum class Host : std::uint8_t { stream, order_api };
struct OpenConnection {
  ConnectionId connection;
  Host host = Host::stream;
  TextRef target;  ///< path and query
};
struct SendText {
  ConnectionId connection;
  TextRef text;
};
struct CloseConnection {
  ConnectionId connection;
};
enum class Urgency : std::uint8_t { order, query };
struct CallRest {
  model::RequestId request;
  Urgency urgency = Urgency::query;
  TextRef method, target, body;
  base::Duration timeout{};
};
enum class Severity : std::uint8_t { debug, info, warning, error };
/// A line for the log: facts as key=value.
struct Note {
  Severity severity = Severity::info;
  TextRef text;
};
/// For the incident log.
struct RecordIncident {
  ops::IncidentKind kind = ops::IncidentKind::started;
  base::ShortText<32> subject;
  base::ShortText<64> what;
  base::Duration cost{};
  TextRef evidence;
};
/// Set the kill latch durably, before anything that follows.
struct SetLatch {
  TextRef reason;
};
/// Keep what a guard latched, durably and before anything that follows; an empty text takes it away. Without
/// a symbol it is the account's.
struct KeepGuardLatch {
  TextRef symbol, text;
};
/// For the store of what happened to our orders.
struct KeepState {
  order::StateRecord record;
};
/// The engine is done: nothing of it is left to do. exit_code 0: no order of ours rests on the venue; 1: some
/// may; 2: it could not start, and `reason` says why.
struct Finished {
  int exit_code = 0;
  TextRef reason;
};

using Action = std::variant<OpenConnection, SendText, CloseConnection, CallRest, Note, RecordIncident,
                            SetLatch, KeepGuardLatch, KeepState, Finished>;

/// What the shell must do after a step, in order. Owned and drained by the caller; its memory is reused, so
/// that in steady state a step allocates nothing.
class Actions {
 public:
  Actions() {
    items_.reserve(256);
    text_.reserve(256 * 1024);
  }
  void clear() {
    items_.clear();
    text_.clear();
    rows_.clear();
    row_bytes_.clear();
  }
  bool empty() const { return items_.empty() && rows_.empty(); }
  std::size_t size() const { return items_.size(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

  TextRef keep(std::string_view text) {
    const TextRef ref{static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(text.size())};
    text_.append(text);
    return ref;
  }
  std::string_view text(TextRef ref) const {
    PHX_ASSERT(std::size_t{ref.offset} + ref.size <= text_.size(), "a text lies inside its actions");
    return std::string_view{text_}.substr(ref.offset, ref.size);
  }
  void push(Action action) { items_.push_back(action); }

  /// A row for the recording. Rows stand apart from the other actions: they wait until those are carried out.
  record::RowWriter add_row(record::Kind kind, std::string_view symbol) {
    rows_.push_back(row_bytes_.size());
    return record::RowWriter{kind, symbol, row_bytes_};
  }
  std::size_t rows_count() const { return rows_.size(); }
  /// In the order they were added.
  std::string_view row(std::size_t index) const {
    const std::size_t end = index + 1 < rows_.size() ? rows_[index + 1] : row_bytes_.size();
    return std::string_view{row_bytes_}.substr(rows_[index], end - rows_[index]);
  }

 private:
  std::vector<Action> items_;
  std::string text_;
  std::vector<std::size_t> rows_;  ///< where each begins
  std::string row_bytes_;
};

}  // namespace phoenix::engine
