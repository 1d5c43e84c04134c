#include "app/service.hpp"

#include "app/config.hpp"
#include "io/files.hpp"
#include "io/lock_holder.hpp"
#include "io/notify_socket.hpp"
#include "io/process.hpp"
#include "io/progress_file.hpp"
#include "io/signals.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr std::size_t last_lines = 10;

/// What a service occupies.
struct Place {
  std::filesystem::path directory;  ///< the lock is its, or lies in it
  std::filesystem::path lock;
  std::filesystem::path output;  ///< what the program says outside its log
  std::filesystem::path log;     ///< by the configuration; else beside it
  std::string name;              ///< for people
};

Place place_of(const Service& service) {
  Config config = load_config(service.config, service.purpose, recorder_environment());
  if (service.which == WhichRun::paper) move_to_paper(config);
  const bool is_maker = service.purpose == Purpose::run;
  const std::string kind = is_maker ? "maker" : "recorder";
  Place place;
  place.directory = is_maker ? config.data_dir : config.recording.dir;
  place.lock = io::directory_lock_path(is_maker ? place.directory : place.directory / "journal");
  place.output = place.directory / (kind + ".out");
  place.log =
      config.log.file.empty() ? place.directory / (kind + ".log") : std::filesystem::path{config.log.file};
  place.name = fmt::format("the {} of {}", kind, place.directory.string());
  return place;
}

/// The options that name a service to another command of this program.
std::string options_of(const Service& service) {
  return fmt::format("-c {}{}{}", service.config.string(),
                     service.purpose == Purpose::record ? " --record" : "",
                     service.which == WhichRun::paper ? " --paper" : "");
}

std::vector<std::string> words_of(const StartArguments& arguments) {
  std::vector<std::string> words{"phoenix", arguments.service.purpose == Purpose::run ? "run" : "record",
                                 "-c", arguments.service.config.string()};
  if (arguments.service.which == WhichRun::paper) words.emplace_back("--paper");
  if (arguments.extent == Extent::limited) words.emplace_back("--limited");
  if (arguments.extent == Extent::full) words.emplace_back("--full");
  if (arguments.insecure_bind == InsecureBind::yes) words.emplace_back("--insecure-bind");
  return words;
}

/// Starts this program anew in a session of its own, so that it outlives the terminal, and with its output in
/// a file.
pid_t spawn(std::vector<std::string> words, const std::string& notify_socket, const Place& place,
            int output) {
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, restored;
  sigemptyset(&none);
  sigemptyset(&restored);
  for (const int number : {SIGPIPE, SIGHUP, SIGINT, SIGTERM}) sigaddset(&restored, number);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &restored);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);

  std::string notify = "NOTIFY_SOCKET=" + notify_socket;
  std::string log = "PHOENIX_LOG_FILE=" + place.log.string();
  std::vector<char*> environment{notify.data(), log.data()};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text{*entry};
    const bool is_replaced = text.starts_with("NOTIFY_SOCKET=") || text.starts_with("WATCHDOG_") ||
                             text.starts_with("PHOENIX_LOG_FILE=");
    if (!is_replaced) environment.push_back(*entry);
  }
  environment.push_back(nullptr);
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t pid = 0;
  const int fault =
      ::posix_spawn(&pid, "/proc/self/exe", &files, &attributes, pointers.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (fault != 0)
    throw StartError("the program cannot be started: " + std::generic_category().message(fault));
  return pid;
}

/// The newest lines of a file that may be there.
std::string end_of(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  try {
    io::LineReader reader{file};
    while (const auto line = reader.next()) {
      lines.emplace_back(*line);
      if (lines.size() > last_lines) lines.erase(lines.begin());
    }
  } catch (const io::FileError&) {
    // It is only for reading along.
  }
  std::string text;
  for (const auto& line : lines) text += "  " + line + "\n";
  return text;
}

/// A file of a name of its own until it is known whose start this is: a start that is refused must not take
/// away what the one that runs has said.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& directory) {
    std::error_code fault;
    std::filesystem::create_directories(directory, fault);
    path_ = (directory / "start-XXXXXX").string();
    fd_ = ::mkostemp(path_.data(), O_CLOEXEC | O_APPEND);
    if (fd_ < 0)
      throw StartError(fmt::format("cannot create a file in {}: {}", directory.string(),
                                   std::generic_category().message(errno)));
  }
  ~OutputFile() {
    ::close(fd_);
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  void keep_as(const std::filesystem::path& name) {
    if (::rename(path_.c_str(), name.c_str()) == 0) path_.clear();
  }

 private:
  std::string path_;
  int fd_ = -1;
};

/// Follows what a started process tells until the start has come to something.
class Starting {
 public:
  Starting(const StartArguments& arguments, Place place)
      : arguments_(arguments), place_(std::move(place)), output_(place_.directory) {}

  int run() {
    const io::StopSignals signals;
    const pid_t pid = spawn(words_of(arguments_), socket_.name(), place_, output_.fd());
    const auto process = io::Process::open(static_cast<std::uint32_t>(pid));
    if (!process) throw StartError("the program was started and cannot be watched");
    const auto latest = std::chrono::steady_clock::now() + arguments_.wait;
    for (;;) {
      const auto left = std::chrono::ceil<base::milliseconds>(latest - std::chrono::steady_clock::now());
      std::array<pollfd, 3> fds{{{.fd = socket_.fd(), .events = POLLIN, .revents = 0},
                                 {.fd = process->fd(), .events = POLLIN, .revents = 0},
                                 {.fd = signals.fd(), .events = POLLIN, .revents = 0}}};
      ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
      hear(process->pid());
      if (fds[1].revents != 0) return ended(pid);
      if (is_ready_) return ready(pid);
      if (signals.raised() || left.count() <= 0) return gave_up(pid, signals.raised());
    }
  }

 private:
  void hear(std::uint32_t pid) {
    while (const auto message = socket_.next()) {
      if (message->pid != pid) continue;  // anybody may write to an abstract name
      std::string_view rest = message->text;
      while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (line == "READY=1") is_ready_ = true;
        if (line.starts_with("STATUS=")) text_ = line.substr(7);
      }
    }
  }
  int ended(pid_t pid) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    const auto how = WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                                       : fmt::format("signal {}", WTERMSIG(status));
    fmt::print(stderr, "{} did not start, {}:\n{}", place_.name, how, end_of(output_.path()));
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
  }
  int ready(pid_t pid) {
    output_.keep_as(place_.output);
    fmt::print("{} runs as process {}: {}\nits log is {}; phoenix stop {} ends it\n", place_.name, pid, text_,
               place_.log.string(), options_of(arguments_.service));
    return 0;
  }
  int gave_up(pid_t pid, bool interrupted) {
    output_.keep_as(place_.output);
    fmt::print(stderr, "{} runs as process {} and is not ready{}{}\nits log is {}; phoenix stop {} ends it\n",
               place_.name, pid, text_.empty() ? "" : ": ", text_, place_.log.string(),
               options_of(arguments_.service));
    return interrupted ? 130 : 1;
  }

  const StartArguments& arguments_;
  Place place_;
  OutputFile output_;
  io::NotifySocket socket_;
  bool is_ready_ = false;
  std::string text_;  ///< what it said of itself last
};

/// What a maker that is gone has left behind, by its own last word. Empty: nothing.
std::string left_behind(const Place& place, std::uint32_t pid) {
  const auto progress = io::read_progress(io::ProgressFile::path_in(place.directory));
  if (!progress || progress->pid != pid) return "it did not say what it left behind";
  if (progress->phase != ops::RunPhase::finished)
    return fmt::format("it ended before it had withdrawn its orders, {} may rest", progress->orders_live);
  if (progress->orders_live != 0) return fmt::format("{} orders may rest", progress->orders_live);
  return {};
}

}  // namespace

int start(const StartArguments& arguments) {
  try {
    auto place = place_of(arguments.service);
    // For a plain answer; which of two starts comes first is decided by the lock, in the process that is
    // started.
    if (const auto holder = io::lock_holder(place.lock))
      throw StartError(fmt::format("{} runs already: {}", place.name, io::holder_text(holder)));
    return Starting{arguments, std::move(place)}.run();
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  } catch (const std::system_error& fault) {
    throw StartError(fault.what());
  }
}

int stop(const StopArguments& arguments) {
  const Place place = place_of(arguments.service);
  try {
    const auto holder = io::lock_holder(place.lock);
    if (!holder) {
      fmt::print(stderr, "{} does not run\n", place.name);
      return 1;
    }
    const auto process = io::Process::holding(place.lock);
    if (!process || !process->signal(SIGTERM)) {
      fmt::print(stderr, "{} is {}, which cannot be told from here\n", place.name, io::holder_text(holder));
      return 1;
    }
    const auto latest = std::chrono::steady_clock::now() + arguments.wait;
    pollfd fd{.fd = process->fd(), .events = POLLIN, .revents = 0};
    while (fd.revents == 0) {
      const auto left = std::chrono::ceil<base::milliseconds>(latest - std::chrono::steady_clock::now());
      if (left.count() <= 0) {
        fmt::print(
            stderr, "{} is told to stop and still there, process {}{}\n", place.name, process->pid(),
            arguments.service.purpose == Purpose::run
                ? "; its orders may rest: phoenix emergency cancel-all " + options_of(arguments.service)
                : "");
        return 1;
      }
      ::poll(&fd, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    }
    const auto left = arguments.service.purpose == Purpose::run ? left_behind(place, process->pid()) : "";
    if (!left.empty()) {
      fmt::print(stderr, "{} is gone, process {}: {}\n", place.name, process->pid(), left);
      return 1;
    }
    fmt::print("{} has stopped, process {}{}\n", place.name, process->pid(),
               arguments.service.purpose == Purpose::run ? ": no order of ours is left" : "");
    return 0;
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace phoenix::app
