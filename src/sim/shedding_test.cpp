// A recorded symbol that is given up to keep the traffic inside its budget: the ledger names the time, and
// the trades of that time come from the venue's history.

#include "record/row.hpp"
#include "record/schema.hpp"
#include "sim/checkers.hpp"
#include "sim/run.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::sim {
namespace {

using base::seconds;

struct Entry {
  std::string symbol, stream, status;
  std::int64_t from_ns, to_ns;
};

/// The entries of the ledger with one cause.
class Ledger final : public World::Probe {
 public:
  explicit Ledger(std::string_view cause) : cause_(cause) {}
  void before(const engine::Input&) override {}
  void after(const engine::Input&, const engine::Actions& actions) override {
    for (std::size_t i = 0; i < actions.rows_count(); ++i) {
      const auto row = record::decode_row(actions.row(i));
      ASSERT_TRUE(row.has_value());
      if (row->kind() != record::Kind::coverage) continue;
      const auto column = [&](std::string_view name) {
        const auto columns = record::schema(record::Kind::coverage).columns;
        return static_cast<std::size_t>(
            std::find_if(columns.begin(), columns.end(), [&](const auto& c) { return c.name == name; }) -
            columns.begin());
      };
      if (row->text(column("cause")) != cause_) continue;
      entries.push_back({std::string{row->symbol()}, std::string{row->text(column("stream"))},
                         std::string{row->text(column("status"))}, row->integer(column("from_time")),
                         row->integer(column("to_time"))});
    }
  }
  std::vector<Entry> entries;

 private:
  std::string cause_;
};

TEST(Shedding, a_recorded_symbol_that_is_shed_to_save_bandwidth_has_its_time_named_in_the_ledger) {
  RunOptions drawn;
  drawn.faults = FaultsDrawn::none;
  drawn.market = Market::usual;
  auto options = draw_world(drawn);
  options.guard.reset();
  options.engine.symbols.resize(2);
  for (auto& symbol : options.engine.symbols) {
    symbol.quoted = engine::Switch::off;
    symbol.recorded = engine::Switch::on;
  }
  options.engine.bandwidth_bytes_per_s = 1'500;
  World world{options};
  Checkers checkers{world, bounds_of(options)};
  world.set_observer(&checkers);
  Ledger ledger{"shed to save bandwidth"};
  world.set_probe(&ledger);
  ops::Status status;
  bool shed = false;
  const auto begin = world.now();
  for (int i = 0; i < 10 * 60; ++i) {
    world.run_for(seconds{1});
    world.engine().fill_status(status, world.now());
    shed = shed || status.bandwidth_step == 4;
  }
  ASSERT_TRUE(shed) << "slower depth, slower still, one line, and at last a symbol";
  world.request_stop();
  world.run_for(seconds{15});
  ASSERT_TRUE(world.end().has_value());

  ASSERT_FALSE(ledger.entries.empty());
  std::map<std::string, std::int64_t> named_until;
  for (const auto& entry : ledger.entries) {
    EXPECT_EQ(entry.symbol, options.engine.symbols[1].name) << "the first symbol is never shed";
    EXPECT_EQ(entry.status, "lost");
    EXPECT_GE(entry.from_ns, base::ns_of(begin));
    EXPECT_LT(entry.from_ns, entry.to_ns);
    if (const auto before = named_until.find(entry.stream); before != named_until.end()) {
      EXPECT_EQ(entry.from_ns, before->second) << "no moment is left out while it lasts";
    }
    named_until[entry.stream] = entry.to_ns;
  }
  EXPECT_EQ(named_until.size(), engine::recorded_count) << "all its streams";
  for (const auto& v : checkers.violations()) {
    if (v.checker == "no_reconnect_without_cause") continue;  // a step of the budget is the cause
    ADD_FAILURE() << v.checker << " " << v.symbol << " " << v.facts;
  }
}

}  // namespace
}  // namespace phoenix::sim
