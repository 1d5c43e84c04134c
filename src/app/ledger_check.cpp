#include "app/ledger_check.hpp"

#include "base/assert.hpp"

#include <fmt/format.h>

namespace phoenix::app {

std::vector<std::string> ledger_differences(const engine::Engine& engine, const exchange::Core& core,
                                            std::string_view api_key) {
  std::vector<std::string> differences;
  const auto account = core.find_account(api_key);
  PHX_ASSERT(account.has_value(), "the maker's account is one of the exchange's");
  const auto truth = core.ledger(*account);
  for (const auto& theirs : truth.symbols) {
    const auto& spec = core.spec(theirs.symbol);
    const auto symbol = engine.symbols().find(spec.name);
    if (!symbol) {
      if (theirs.fills != 0)
        differences.push_back(
            fmt::format("{}: {} fills of a symbol that is not quoted", spec.name, theirs.fills));
      continue;
    }
    const auto& ours = engine.ledger().account(*symbol);
    const auto compare = [&](std::string_view what, const std::string& mine, const std::string& venues) {
      if (mine != venues)
        differences.push_back(
            fmt::format("{}: {} is {} here and {} at the exchange", spec.name, what, mine, venues));
    };
    model::Money fees;
    for (const auto& c : ours.commissions) {
      if (c.asset.view() == spec.quote_asset) fees = c.amount;
    }
    compare("position", ours.position.text(), theirs.position.qty.text());
    compare("realised PnL", ours.realized_pnl.text(), theirs.position.realized.text());
    compare("fees", fees.text(), theirs.fees.text());
    compare("number of fills", std::to_string(ours.fills_count), std::to_string(theirs.fills));
    compare("filled quantity", (ours.bought_qty + ours.sold_qty).text(), theirs.filled_volume.text());
    compare("number of open orders", "0", std::to_string(theirs.open_orders.size()));
  }
  return differences;
}

}  // namespace phoenix::app
