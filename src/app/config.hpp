#pragma once

#include "app/alert_config.hpp"
#include "app/config_reader.hpp"
#include "app/first_start.hpp"
#include "app/log_settings.hpp"
#include "app/recording_config.hpp"
#include "app/setting.hpp"
#include "engine/options.hpp"
#include "io/secret.hpp"
#include "venue/binance/rest_answers.hpp"
#include "venue/binance/routes.hpp"
#include "venue/binance/sign.hpp"

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// Why the program cannot start: one line or a list of them for the user, exit code 2.
class StartError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Whether an address beyond this machine may be served without a token. Only ever asked for on the command
/// line.
enum class BeyondLoopback : std::uint8_t { with_token, anybody };

/// How the account has to be set for a symbol; empty: however it is.
struct AccountWish {
  std::string symbol;
  std::optional<venue::binance::SymbolSettings::MarginType> margin_type;
  std::optional<int> leverage;
};

/// A configuration file, read and checked. Keys are described in docs/configuration.md.
struct Config {
  engine::Options engine;
  venue::binance::Hosts hosts;
  std::string ca_file;  ///< PEM; empty: the system's store
  Switch deflate = Switch::off;
  Switch busy_poll = Switch::off;
  Switch input_log = Switch::on;
  std::filesystem::path data_dir = "phoenix-data";
  std::string credentials_file;  ///< empty: BINANCE_API_KEY and BINANCE_API_SECRET of the environment
  std::string metrics_address = "127.0.0.1";
  std::string metrics_token_file;  ///< empty: PHOENIX_METRICS_TOKEN of the environment, else no token
  BeyondLoopback beyond_loopback = BeyondLoopback::with_token;  ///< not a setting: of the command line only
  std::optional<std::uint16_t> metrics_port = std::uint16_t{9090};  ///< empty: none; 0: any free one
  LogSettings log;
  Switch apply_account_settings = Switch::off;  ///< on: a start sets what `account` wishes
  std::vector<AccountWish> account;             ///< of the symbols of `symbols`, in their order
  std::vector<EffectiveSetting> effective;      ///< but for the recorder's, which are in `recording`
  RecordingConfig recording;
  AlertConfig alerts;
  std::optional<FirstStart> first_start;  ///< what this was held to; empty: to nothing but itself
  /// The text this was read from, with what else it was made of: parsing it again for a replay gives the same
  /// engine, whatever the environment is then.
  std::string replay_text;
};

/// In the text of a log: what a text was read for, and with.
inline constexpr const char* as_read_key = "as_read";

/// What parsing gave: the configuration, or every error at once.
struct ParsedConfig {
  std::optional<Config> config;
  std::vector<ConfigError> errors;
};
/// `environment` overrides the recorder's settings and no others. `file`: the text's name in what is shown to
/// people.
ParsedConfig parse_config(const std::string& yaml_text, Purpose purpose = Purpose::run,
                          const Environment& environment = {}, std::string_view file = "configuration");
/// Reads and parses `path`; throws StartError with every error as `FILE:LINE: KEY: MESSAGE`. An empty path is
/// an empty file, which is enough to record.
Config load_config(const std::filesystem::path& path, Purpose purpose = Purpose::run,
                   const Environment& environment = {});

/// An API key and its secret or private key.
struct Credentials {
  std::string api_key;
  io::Secret hmac_secret;  ///< one of these two is set
  io::Secret ed25519_pem;
};
/// From `config.credentials_file` (io::read_secret_file, as the key file it may name), else from the
/// environment, which does not hold the secret any more afterwards. Seals the process first. Throws
/// StartError.
Credentials load_credentials(const Config& config);
/// Throws StartError when they are none.
venue::binance::Signer signer_of(const Credentials& credentials);

/// The variable that holds the API secret where no file does.
inline constexpr const char* secret_variable = "BINANCE_API_SECRET";

}  // namespace phoenix::app
