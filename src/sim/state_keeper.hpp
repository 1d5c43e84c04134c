#pragma once

#include "base/time.hpp"
#include "order/ledger.hpp"
#include "order/results.hpp"
#include "order/state_record.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace phoenix::sim {

/// The store of a process in memory: what it was told, until a death takes the newest. By the rules of the
/// store in io and without its table, so that each is a check of the other's promise.
class StateKeeper {
 public:
  void keep(const order::StateRecord& record, base::LocalTime now);
  /// The process died: what it was told at or after `since` never reached the disk.
  void lose(base::LocalTime since);
  /// What the next process is told, by symbol.
  std::vector<order::LedgerState> state() const;

 private:
  struct Told {
    base::LocalTime at{};
    order::StateRecord record;
  };
  std::vector<Told> told_;
};

}  // namespace phoenix::sim
