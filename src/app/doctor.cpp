#include "app/doctor.hpp"

#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/time_text.hpp"
#include "io/clock.hpp"
#include "io/files.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

using Kind = ops::IncidentKind;

double seconds_of(base::Duration d) { return static_cast<double>(d.count()) / 1e9; }

std::string span_text(base::Duration d) {
  const double s = seconds_of(d);
  if (s < 1) return fmt::format("{:.0f} ms", s * 1e3);
  if (s < 120) return fmt::format("{:.1f} s", s);
  return fmt::format("{:.0f} min {:.0f} s", std::floor(s / 60), std::fmod(s, 60));
}

/// One sentence without the subject, which stands before it.
std::string sentence(const io::LoggedIncident& i) {
  const std::string cost = i.cost > base::Duration{} ? span_text(i.cost) : "";
  const auto with = [](std::string text, std::string_view joint, const std::string& what) {
    return what.empty() ? text : text + std::string{joint} + what;
  };
  switch (i.kind) {
    case Kind::started:
      return with("the program started", ": ", i.what);
    case Kind::stopped:
      return with("the program left", " with ", i.what);
    case Kind::verdict:
      return with("judged", " ", i.what);
    case Kind::withdrawn:
      return with("quotes withdrawn", ": ", i.what);
    case Kind::quoting:
      return with(with("quotes are back", " after ", cost), ": ", i.what);
    case Kind::connection_opened:
      return with("connected", " after ", cost);
    case Kind::connection_lost:
      return with("connection lost", ": ", i.what);
    case Kind::connection_closed:
      return with("connection closed by us", ": ", i.what);
    case Kind::resync:
      return with("book lost its chain", ": ", i.what);
    case Kind::resynced:
      return with("book is whole again", " after ", cost);
    case Kind::hole:
      return with("data is missing", ": ", i.what);
    case Kind::repaired:
      return with(with("missing data fetched", ": ", i.what), ", after ", cost);
    case Kind::reconciled:
      return with("orders, position and trades stated anew", ", after ", cost);
    case Kind::switch_armed:
      return with("the exchange-side switch is armed", ": ", i.what);
    case Kind::switch_lapsed:
      return with("the exchange-side switch was not fed any more", ": ", i.what);
    case Kind::bandwidth_step:
      return with("traffic stepped", ": ", i.what);
    case Kind::strategy_failed:
      return with("the strategy failed", ": ", i.what);
    case Kind::latched:
      return with("THE KILL LATCH WAS SET", ": ", i.what);
    case Kind::rearmed:
      return with("the kill latch was taken away", ": ", i.what);
    case Kind::paused:
      return with(with("the process stood still", " for ", cost), ": ", i.what);
    case Kind::configured:
      return "another configuration is in force";
    case Kind::guarded:
      return with("guard of risk", " ", i.what);
    case Kind::banned:
      return with("THE VENUE TAKES NOTHING FROM THIS ADDRESS", " for ", cost);
  }
  return i.what;
}

/// Follows what is open: quotes withdrawn, connections lost, books broken, the latch.
class Course {
 public:
  Course(base::LocalTime since, base::LocalTime now) : since_{since}, now_{now} {}

  void take(const io::LoggedIncident& i) {
    switch (i.kind) {
      case Kind::started:
        // Whatever ran before has no quotes any more, and its connections are nobody's.
        end_all(i.at);
        latched_.reset();  // it would not have started
        break;
      case Kind::stopped:
        end_all(i.at);
        if (i.what.ends_with("orders may rest")) left_badly_ = i;
        if (i.what.ends_with('0')) left_badly_.reset();
        break;
      case Kind::reconciled:
        left_badly_.reset();
        break;
      case Kind::withdrawn:
        close_withdrawal(i.subject, i.at);
        withdrawn_.insert_or_assign(i.subject, i);
        break;
      case Kind::quoting:
        left_badly_.reset();  // what rested of an earlier run was cancelled first
        if (!close_withdrawal(i.subject, i.at) && i.cost > base::Duration{})
          add(i.subject, "begun before this log", i.at - i.cost, i.at);
        break;
      case Kind::connection_lost:
        lost_.insert_or_assign(i.subject, i);
        break;
      case Kind::connection_opened:
        take_place(i.subject);
        break;
      case Kind::connection_closed:
        lost_.erase(i.subject);
        break;
      case Kind::resync:
        broken_.insert_or_assign(i.subject, i);
        break;
      case Kind::resynced:
        broken_.erase(i.subject);
        break;
      case Kind::latched:
        latched_ = i;
        break;
      case Kind::rearmed:
        latched_.reset();
        break;
      default:
        break;
    }
  }

  void finish(Diagnosis& to) {
    const auto open = [&](const io::LoggedIncident& i, std::string_view still) {
      to.unresolved.push_back(fmt::format("{}{}{} since {}{}{}", i.subject, i.subject.empty() ? "" : " ",
                                          still, utc_text(i.at), i.what.empty() ? "" : ": ", i.what));
    };
    if (latched_) open(*latched_, "the kill latch is set");
    if (left_badly_) open(*left_badly_, "the program has left without confirming that no order rests,");
    for (const auto& [subject, i] : withdrawn_) open(i, "is not quoted");
    for (const auto& [subject, i] : lost_) open(i, "is not connected");
    for (const auto& [subject, i] : broken_) open(i, "has a broken book");
    end_all(now_);
    for (auto& [name, causes] : unquoted_) {
      Diagnosis::Symbol symbol{.name = name, .unquoted = {}, .causes = std::move(causes)};
      for (const auto& cause : symbol.causes) symbol.unquoted += cause.time;
      std::sort(symbol.causes.begin(), symbol.causes.end(), [](const auto& a, const auto& b) {
        return std::tie(b.time, a.what) < std::tie(a.time, b.what);
      });
      if (symbol.unquoted > base::Duration{}) to.symbols.push_back(std::move(symbol));
    }
    std::sort(to.symbols.begin(), to.symbols.end(), [](const auto& a, const auto& b) {
      return std::tie(b.unquoted, a.name) < std::tie(a.unquoted, b.name);
    });
  }

 private:
  void end_all(base::LocalTime at) {
    for (const auto& [subject, i] : withdrawn_) add(subject, i.what, i.at, at);
    withdrawn_.clear();
    lost_.clear();
    broken_.clear();
  }
  /// One that opens makes its own loss good, or else that of another of its channel ("public_a", "public_c").
  void take_place(const std::string& subject) {
    if (lost_.erase(subject) > 0) return;
    const std::string channel = subject.substr(0, subject.rfind('_') + 1);
    const auto it = lost_.lower_bound(channel);
    if (!channel.empty() && it != lost_.end() && it->first.starts_with(channel)) lost_.erase(it);
  }
  bool close_withdrawal(const std::string& subject, base::LocalTime at) {
    const auto it = withdrawn_.find(subject);
    if (it == withdrawn_.end()) return false;
    add(subject, it->second.what, it->second.at, at);
    withdrawn_.erase(it);
    return true;
  }
  void add(const std::string& subject, const std::string& what, base::LocalTime from, base::LocalTime to) {
    from = std::max(from, since_);
    if (to <= from) return;
    auto& causes = unquoted_[subject];
    auto it =
        std::find_if(causes.begin(), causes.end(), [&](const auto& cause) { return cause.what == what; });
    if (it == causes.end()) it = causes.insert(causes.end(), Diagnosis::Cause{.what = what});
    it->time += to - from;
    ++it->count;
  }

  base::LocalTime since_, now_;
  std::map<std::string, io::LoggedIncident> withdrawn_, lost_, broken_;
  std::optional<io::LoggedIncident> latched_, left_badly_;
  std::map<std::string, std::vector<Diagnosis::Cause>> unquoted_;
};

}  // namespace

Diagnosis diagnose(const io::IncidentHistory& history, base::LocalTime since, base::LocalTime now) {
  Diagnosis diagnosis;
  diagnosis.lines_unreadable = history.lines_unreadable;
  Course course{since, now};
  for (const auto& incident : history.incidents) {
    course.take(incident);
    if (incident.at >= since && incident.at <= now) diagnosis.lines.push_back({incident, sentence(incident)});
  }
  course.finish(diagnosis);
  return diagnosis;
}

std::string diagnosis_text(const Diagnosis& diagnosis) {
  std::string text;
  const auto out = std::back_inserter(text);
  for (const auto& [incident, said] : diagnosis.lines) {
    fmt::format_to(out, "{}  {:<12} {}", utc_text(incident.at),
                   incident.subject.empty() ? "-" : incident.subject, said);
    if (!incident.evidence.empty()) fmt::format_to(out, "  [{}]", incident.evidence);
    text += '\n';
  }
  if (diagnosis.lines.empty()) text += "nothing happened\n";
  if (!diagnosis.symbols.empty()) text += "\nwithout quotes, and why:\n";
  for (const auto& symbol : diagnosis.symbols) {
    fmt::format_to(out, "  {:<12} {}\n", symbol.name, span_text(symbol.unquoted));
    for (const auto& cause : symbol.causes) {
      fmt::format_to(out, "    {:>14}  {}{}\n", span_text(cause.time), cause.what,
                     cause.count > 1 ? fmt::format(" ({} times)", cause.count) : "");
    }
  }
  if (diagnosis.lines_unreadable > 0)
    fmt::format_to(out, "\n{} lines of the log could not be read\n", diagnosis.lines_unreadable);
  text += diagnosis.unresolved.empty() ? "\nnothing is unresolved\n" : "\nunresolved:\n";
  for (const auto& each : diagnosis.unresolved) fmt::format_to(out, "  {}\n", each);
  return text;
}

std::string diagnosis_json(const Diagnosis& diagnosis) {
  auto incidents = nlohmann::json::array();
  for (const auto& [incident, said] : diagnosis.lines) {
    incidents.push_back({{"at", utc_text(incident.at)},
                         {"at_ns", base::ns_of(incident.at)},
                         {"kind", ops::name(incident.kind)},
                         {"subject", incident.subject},
                         {"what", incident.what},
                         {"cost_seconds", seconds_of(incident.cost)},
                         {"evidence", incident.evidence},
                         {"text", said}});
  }
  auto symbols = nlohmann::json::array();
  for (const auto& symbol : diagnosis.symbols) {
    auto causes = nlohmann::json::array();
    for (const auto& cause : symbol.causes)
      causes.push_back({{"what", cause.what}, {"seconds", seconds_of(cause.time)}, {"count", cause.count}});
    symbols.push_back({{"symbol", symbol.name},
                       {"unquoted_seconds", seconds_of(symbol.unquoted)},
                       {"causes", std::move(causes)}});
  }
  const nlohmann::json json{{"incidents", std::move(incidents)},
                            {"symbols", std::move(symbols)},
                            {"unresolved", diagnosis.unresolved},
                            {"lines_unreadable", diagnosis.lines_unreadable}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

int doctor(const DoctorArguments& arguments) {
  const auto directory = arguments.config ? load_config(*arguments.config).data_dir : arguments.directory;
  const io::RealClock clock;
  const auto now = clock.now();
  try {
    const auto diagnosis = diagnose(io::read_incidents(directory), now - arguments.last, now);
    fmt::print("{}",
               arguments.format == Format::json ? diagnosis_json(diagnosis) : diagnosis_text(diagnosis));
    return diagnosis.unresolved.empty() ? 0 : 1;
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace phoenix::app
