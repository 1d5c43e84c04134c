#include "sim/state_keeper.hpp"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <variant>

namespace phoenix::sim {

void StateKeeper::keep(const order::StateRecord& record, base::LocalTime now) {
  told_.push_back({now, record});
}

void StateKeeper::lose(base::LocalTime since) {
  std::erase_if(told_, [since](const Told& t) { return t.at >= since; });
}

std::vector<order::LedgerState> StateKeeper::state() const {
  struct Symbol {
    std::map<std::int64_t, order::Fill> fills;
    std::map<std::int64_t, order::FillMoney> money;
    std::map<order::IncomeKey, order::Funding> incomes;
    std::int64_t trades_through = 0;
    base::VenueTime incomes_through{};
  };
  std::map<model::SymbolId, Symbol> symbols;
  for (const auto& t : told_) {
    std::visit(
        [&](const auto& r) {
          using T = std::decay_t<decltype(r)>;
          if constexpr (std::is_same_v<T, order::Fill>) {
            if (!order::is_sane(r)) return;
            Symbol& s = symbols[r.symbol];
            s.fills.try_emplace(r.trade_id, r);
            if (r.money) s.money.try_emplace(r.trade_id, *r.money);
          } else if constexpr (std::is_same_v<T, order::FillDetails>) {
            symbols[r.symbol].money.try_emplace(r.trade_id, r.money);
          } else if constexpr (std::is_same_v<T, order::Funding>) {
            symbols[r.symbol].incomes.try_emplace({r.time, r.income_id}, r);
          } else if constexpr (std::is_same_v<T, order::TradesComplete>) {
            auto& through = symbols[r.symbol].trades_through;
            through = std::max(through, r.through);
          } else if constexpr (std::is_same_v<T, order::IncomesComplete>) {
            auto& through = symbols[r.symbol].incomes_through;
            through = std::max(through, r.through);
          }
        },
        t.record);
  }
  std::vector<order::LedgerState> states;
  for (const auto& [id, s] : symbols) {
    order::LedgerState& state = states.emplace_back();
    state.symbol = id;
    state.trades_through = s.trades_through;
    state.incomes_through = s.incomes_through;
    for (const auto& [trade_id, fill] : s.fills) {
      const auto money = s.money.find(trade_id);
      state.results.add_fill(fill);
      if (money != s.money.end()) state.results.add_money(money->second);
      // Its money is asked for again.
      if (money == s.money.end()) state.trades_through = std::min(state.trades_through, trade_id - 1);
    }
    for (const auto& [trade_id, fill] : s.fills) {
      if (trade_id > state.trades_through)
        state.trades.push_back({trade_id, {.quantity = true, .money = s.money.contains(trade_id)}});
    }
    for (const auto& [key, income] : s.incomes) {
      state.results.add_funding(income.asset, income.amount);
      if (key.time >= state.incomes_through) state.incomes.push_back(key);
    }
  }
  return states;
}

}  // namespace phoenix::sim
