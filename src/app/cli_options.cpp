#include "app/cli_options.hpp"

#include "app/time_text.hpp"

namespace phoenix::app {
namespace {

base::Duration duration_of(const std::string& option, const std::string& text) {
  const auto value = parse_duration(text);
  if (!value) refuse(option, fmt::format("'{}' is no duration: write 500ms, 60s, 2m or 1h", text));
  return *value;
}

std::string text_of(base::Duration duration) {
  if (duration % base::hours{1} == base::Duration{}) return fmt::format("{}h", duration / base::hours{1});
  if (duration % base::seconds{1} == base::Duration{}) return fmt::format("{}s", duration / base::seconds{1});
  return fmt::format("{}ms", duration / base::milliseconds{1});
}

}  // namespace

void refuse(const std::string& option, const std::string& why) { throw CLI::ValidationError(option, why); }

CLI::Option& add_config(CLI::App& options, std::filesystem::path& to) {
  CLI::Option& option = add_path(options, "-c,--config", to, "FILE", "configuration file");
  option.required();
  return option;
}

CLI::Option& add_duration(CLI::App& options, const std::string& name, std::optional<base::Duration>& to,
                          const std::string& instead, const std::string& help) {
  return *options
              .add_option_function<std::string>(
                  name, [&to, name](const std::string& text) { to = duration_of(name, text); }, help)
              ->type_name("DURATION")
              ->default_str(instead);
}

CLI::Option& add_duration(CLI::App& options, const std::string& name, base::Duration& to,
                          const std::string& help) {
  return *options
              .add_option_function<std::string>(
                  name, [&to, name](const std::string& text) { to = duration_of(name, text); }, help)
              ->type_name("DURATION")
              ->default_str(text_of(to));
}

CLI::Option& add_time(CLI::App& options, const std::string& name, std::optional<base::VenueTime>& to,
                      const std::string& instead, const std::string& help) {
  return *options
              .add_option_function<std::string>(
                  name,
                  [&to, name](const std::string& text) {
                    to = parse_utc_time(text);
                    if (!to)
                      refuse(name, fmt::format("'{}' is no time: write 2026-01-31, 2026-01-31T12:00 or "
                                               "2026-01-31T12:00:00, in UTC",
                                               text));
                  },
                  help)
              ->type_name("TIME")
              ->default_str(instead);
}

}  // namespace phoenix::app
