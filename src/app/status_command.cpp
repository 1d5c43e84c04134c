#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/recording_config.hpp"
#include "app/status_client.hpp"
#include "app/status_view.hpp"
#include "io/signals.hpp"

#include <cstdio>
#include <functional>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr base::Duration look_interval = base::seconds{1};

using Draw = std::function<std::string(const nlohmann::json& status, std::size_t width)>;

struct Size {
  std::size_t columns = 0, rows = 0;  ///< 0: unknown, no bound
};
Size terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_col, size.ws_row};
}

/// At most so many lines, so that the top stays where it is.
std::string_view first_lines(std::string_view text, std::size_t rows) {
  if (rows == 0) return text;
  std::size_t end = 0;
  for (std::size_t line = 1; line < rows && end < text.size(); ++line) {
    const auto next = text.find('\n', end);
    if (next == std::string_view::npos) return text;
    end = next + 1;
  }
  return text.substr(0, end);
}

/// Twice, so that there are rates.
int show_once(StatusClient& client, const StatusArguments& arguments, const Draw& draw) {
  auto answer = client.status();
  if (answer && arguments.format == Format::text) {
    draw(answer->status, 0);
    std::this_thread::sleep_for(look_interval);
    answer = client.status();
  }
  if (!answer) {
    fmt::print(stderr, "phoenix: {}\n", answer.error());
    return 1;
  }
  fmt::print("{}", arguments.format == Format::json ? answer->text : draw(answer->status, 0));
  return 0;
}

int show(const StatusArguments& arguments, const Draw& draw) {
  const io::RealClock clock;
  const Config config = load_config(arguments.config, arguments.purpose, recorder_environment());
  StatusClient client{clock, config};
  if (arguments.looks == Looks::one || arguments.format == Format::json || ::isatty(STDOUT_FILENO) != 1)
    return show_once(client, arguments, draw);
  const io::StopSignals signals;
  std::string shown;
  Size shown_at;
  base::LocalTime next{};
  while (!signals.raised()) {
    const auto now = clock.now();
    const auto size = terminal_size();
    const bool resized = size.columns != shown_at.columns || size.rows != shown_at.rows;
    if (now >= next || resized) {
      next = now + look_interval;
      shown_at = size;
      const auto answer = client.status();
      shown = answer ? draw(answer->status, size.columns) : fmt::format("{}; asking again\n", answer.error());
      fmt::print("\033[H\033[2J{}", first_lines(shown, size.rows));
      std::fflush(stdout);
    }
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 100);
  }
  return 0;
}

}  // namespace

int status(const StatusArguments& arguments) {
  StatusView view;
  return show(arguments,
              [&view](const auto& status, std::size_t width) { return view.table(status, width); });
}

int traffic(const StatusArguments& arguments) {
  StatusView view;
  return show(arguments,
              [&view](const auto& status, std::size_t width) { return view.traffic(status, width); });
}

}  // namespace phoenix::app
