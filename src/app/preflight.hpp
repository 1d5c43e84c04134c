#pragma once

#include "app/config.hpp"
#include "app/venue_desk.hpp"
#include "io/latch_file.hpp"
#include "model/quote.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::app {

/// One line of the preflight.
struct Check {
  enum class Verdict : std::uint8_t { ok, warning, failed };
  std::string name;
  Verdict verdict = Verdict::ok;
  std::string found;
  std::string advice{};  ///< what to do; empty when nothing is
};
std::string_view name(Check::Verdict verdict);

/// What was found at the venue and here. Where asking failed, the fault says why.
struct PreflightFacts {
  Asked<ClockSight> clock;
  Asked<std::optional<KeyPermissions>> permissions;
  Asked<venue::binance::AccountSettings> account;
  Asked<venue::binance::ExchangeInfo> rules;
  Asked<venue::binance::AccountReport> balances;
  Asked<std::vector<VenueDesk::Sighting>> account_state;  ///< what rests and is held, everywhere
  struct Symbol {
    Asked<venue::binance::SymbolSettings> settings;
    Asked<std::optional<model::TopOfBook>> top;
  };
  std::vector<Symbol> symbols;  ///< of the configuration, in its order

  std::optional<io::LatchFile::Record> latch;
  std::string directory_fault;               ///< empty: it can be written to
  std::optional<std::uint32_t> lock_holder;  ///< of the account's lock on this machine
  std::optional<std::uint64_t> disk_free_bytes;
};
/// What is asked and judged: the whole, or only what concerns nobody's account.
enum class PreflightScope : std::uint8_t { account, public_data };
/// Asks everything, changes nothing. What is out of scope is not asked: a fault that says so.
PreflightFacts gather_facts(VenueDesk& desk, const Config& config, const Credentials& credentials,
                            PreflightScope scope = PreflightScope::account);

/// Every check, also where the answer is missing. `symbols` are the desk's.
std::vector<Check> judge(const Config& config, const model::SymbolTable& symbols, const PreflightFacts& facts,
                         PreflightScope scope = PreflightScope::account);
/// Why a start is refused: the checks that failed, one a line, and how to see all; empty when none did.
std::string refusal(const std::vector<Check>& checks, const std::filesystem::path& config_file);
/// The venue's rules of a symbol; nullptr where there are none.
const model::Instrument* rules_of(const PreflightFacts& facts, model::SymbolId symbol);

/// Makes the account what the configuration wishes, or says which wish does not hold: margin type and
/// leverage of each symbol that names them. Sets them only with `apply_account_settings`; what was set is
/// appended to `changes`. Throws StartError with every difference that is left.
void agree_on_account(VenueDesk& desk, const Config& config, std::vector<std::string>& changes);

}  // namespace phoenix::app
