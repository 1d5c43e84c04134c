#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/recording_config.hpp"
#include "app/status_client.hpp"
#include "app/status_view.hpp"
#include "io/signals.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
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

constexpr char enter_screen[] = "\033[?1049h\033[?25l";
constexpr char leave_screen[] = "\033[?25h\033[?1049l";

void put(std::string_view codes) {
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, codes.data(), codes.size());
}

// Ctrl-Z gives the shell its own screen, and coming back takes ours again; the next picture fills it.
extern "C" void phoenix_on_suspend(int number) {
  put({leave_screen, sizeof leave_screen - 1});
  ::signal(number, SIG_DFL);
  ::raise(number);
}
extern "C" void phoenix_on_continue(int) {
  put({enter_screen, sizeof enter_screen - 1});
  ::signal(SIGTSTP, phoenix_on_suspend);
}

/// A screen of our own, without a cursor; the one before comes back at the end.
class Screen {
 public:
  Screen() {
    put(enter_screen);
    ::signal(SIGTSTP, phoenix_on_suspend);
    ::signal(SIGCONT, phoenix_on_continue);
  }
  ~Screen() {
    ::signal(SIGTSTP, SIG_DFL);
    ::signal(SIGCONT, SIG_DFL);
    put(leave_screen);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void show(std::string_view text) const {
    std::string codes = "\033[H";
    for (const char c : text) {
      if (c == '\n') codes += "\033[K";
      codes += c;
    }
    fmt::print("{}\033[K\033[J", codes);
    std::fflush(stdout);
  }
};

bool is_dumb() {
  const char* kind = std::getenv("TERM");
  return kind != nullptr && std::string_view{kind} == "dumb";
}
/// See no-color.org.
bool is_coloured() {
  const char* none = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && !is_dumb() && (none == nullptr || *none == '\0');
}
std::string coloured(std::string_view text) { return is_coloured() ? painted(text) : std::string{text}; }

/// What helps where nobody answers.
std::string hint(const StatusArguments& arguments) {
  return fmt::format("is it running? `phoenix {} -c {}` starts it, on the metrics_port of that file",
                     arguments.purpose == Purpose::record ? "record" : "run", arguments.config.string());
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
    fmt::print(stderr, "phoenix: {}\n{}\n", answer.error(), hint(arguments));
    return 1;
  }
  fmt::print("{}", arguments.format == Format::json ? answer->text : coloured(draw(answer->status, 0)));
  return 0;
}

int show(const StatusArguments& arguments, const Draw& draw) {
  const io::RealClock clock;
  const Config config = load_config(arguments.config, arguments.purpose, recorder_environment());
  StatusClient client{clock, config};
  if (arguments.looks == Looks::one || arguments.format == Format::json || ::isatty(STDOUT_FILENO) != 1 ||
      is_dumb())
    return show_once(client, arguments, draw);
  const io::StopSignals signals;
  const Screen screen;
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
      shown = answer ? draw(answer->status, size.columns)
                     : fmt::format("{}; asking again\n{}\n", answer.error(), hint(arguments));
      screen.show(coloured(first_lines(shown, size.rows)));
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
