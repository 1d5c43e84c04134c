#pragma once

#include "app/config.hpp"
#include "app/preflight.hpp"
#include "exchange/core.hpp"
#include "io/local_venue.hpp"
#include "sim/paper_venue.hpp"

#include <memory>
#include <optional>

namespace phoenix::app {

/// What a paper run may be told beside its configuration.
struct PaperSettings {
  exchange::ExternalQueue queue = exchange::ExternalQueue::from_behind;
  std::optional<base::Duration> order_latency;             ///< one way; empty: as measured
  std::optional<model::Rate> maker_fee, taker_fee;         ///< empty: the venue's first tier
  model::Money wallet = model::Money::from_units(10'000);  ///< of each quote asset, at the start
};

/// What a paper run keeps lies beside what a real one keeps, never in the same place.
void move_to_paper(Config& config);
/// Of an account that is nowhere but in this process.
Credentials paper_credentials();
/// The account's venue as the facts describe the real one. Throws StartError where a fact is missing.
sim::PaperOptions paper_options(const PaperSettings& settings, const Config& config,
                                const model::SymbolTable& symbols, const PreflightFacts& facts,
                                const Credentials& credentials, base::LocalTime now);
/// Throws StartError.
std::unique_ptr<io::LocalVenue> make_paper_venue(const sim::PaperOptions& options,
                                                 const engine::Engine& engine);

}  // namespace phoenix::app
