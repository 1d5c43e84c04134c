#include "feed/session.hpp"

#include "base/assert.hpp"
#include "base/canary.hpp"

#include <algorithm>
#include <utility>

namespace phoenix::feed {

using base::Duration;
using base::LocalTime;

namespace {

/// A frame or a claim can bring a watch's deadline forward, but never nearer than this; looking again after
/// it costs the hot path one comparison instead of a question to the watch.
constexpr Duration look_pause = base::milliseconds{100};
/// The longest ban the venue documents is three days.
constexpr Duration retry_after_max = base::hours{72};

std::string_view why_closed(Witness witness) {
  switch (witness) {
    case Witness::none:
      break;
    case Witness::silence:
      return "a stream that always speaks is silent";
    case Witness::twin:
      return "a stream is behind its twin";
    case Witness::sibling:
      return "a stream is behind its sibling";
    case Witness::probe:
      return "a stream is behind the venue's answer to a probe";
    case Witness::order_answer:
      return "the user stream is behind an order's answer";
    case Witness::subscription_list:
      return "the venue lost a subscription";
  }
  return "a stream did not come back";
}

}  // namespace

CloseWhy close_why(int http_status) {
  if (http_status == 429 || http_status == 418) return CloseWhy::refused_busy;
  return http_status >= 400 && http_status < 500 ? CloseWhy::refused_config : CloseWhy::lost;
}

Session::Session(SessionOptions options, PacedBudget& budget, std::uint64_t seed)
    : options_(std::move(options)), budget_(budget), backoff_(options_.backoff, seed) {
  PHX_ASSERT(options_.subscribe_names_max > 0, "a SUBSCRIBE holds a name");
  make_streams(std::move(options_.streams));
}

void Session::make_streams(std::vector<StreamOptions> streams) {
  options_.streams = std::move(streams);
  const std::size_t count = options_.streams.size();
  names_.clear();
  streams_.clear();
  by_name_.clear();
  for (const auto& stream : options_.streams) {
    PHX_ASSERT(!stream.name.empty() || count == 1, "a stream without a name is alone on its connection");
    PHX_ASSERT(!by_name_.contains(stream.name), "stream names differ");
    by_name_.try_emplace(stream.name, static_cast<std::uint32_t>(names_.size()));
    names_.push_back(stream.name);
    streams_.emplace_back().watch = StreamWatch{stream.watch};
  }
  listed_.assign(count, 0);
  last_hit_ = 0;
  silent_ = 0;
}

void Session::start(LocalTime now, Actions& out) {
  if (state_ == State::idle) {
    request_opening(now, out);
    return;
  }
  PHX_ASSERT(stopping_, "a session that runs is not started again");
  stopping_ = false;  // opens again once the old connection is gone
}

void Session::stop(LocalTime now, Actions& out) {
  if (state_ == State::idle) return;
  if (state_ == State::backing_off) {
    state_ = State::idle;
    booked_ = false;
    deadline_ = never;
    return;
  }
  stopping_ = true;
  close("stopping", now, out);
}

void Session::set_streams(std::vector<StreamOptions> streams) {
  PHX_ASSERT(state_ == State::idle || stopping_, "streams change only between two connections");
  make_streams(std::move(streams));
}

void Session::request_opening(LocalTime now, Actions& out) {
  const LocalTime at = budget_.book(now);
  if (at <= now) {
    open(now, out);
    return;
  }
  state_ = State::backing_off;
  booked_ = true;
  deadline_ = at;
}

void Session::open(LocalTime now, Actions& out) {
  state_ = State::connecting;
  booked_ = false;
  deadline_ = now + options_.connect_timeout;
  ++opens_;
  out.push_back({.command = Command::open, .why = {}});
}

void Session::opened(LocalTime now, Actions& out) {
  if (state_ != State::connecting || closing_) return;  // we gave it up while it was opening
  if (base::planted(base::Canary::backoff_reset_on_connect)) backoff_.succeeded();
  deadline_ = never;
  opened_at_ = now;
  control_free_at_ = now;
  list_sent_at_ = never;
  want_list_ = false;
  silent_ = 0;
  for (auto& s : streams_) {
    Stream fresh;
    fresh.watch = s.watch;  // it keeps the habits it has learned
    s = fresh;
  }
  state_ = State::open;
  look_at_ = now + look_pause;
  if (streams_.empty() || names_.front().empty()) {
    if (!streams_.empty()) streams_.front().watch.subscribed(now);
    become_live(now);
    return;
  }
  silent_ = usual_speakers();
  for (auto& s : streams_) s.want_subscribe = true;
  settle_at_ = now + options_.settle;
  list_at_ = now + options_.list_interval;
  want_control(now);
  send_control(now, out);
}

void Session::become_live(LocalTime now) {
  PHX_ASSERT(state_ == State::open, "an open session becomes live");
  state_ = State::live;
  live_since_ = now;
  settle_at_ = never;
  ++times_live_;
}

std::optional<std::size_t> Session::find(std::string_view stream) const {
  const auto* const index = by_name_.find(stream);
  if (index == nullptr) return std::nullopt;
  return *index;
}

std::optional<std::size_t> Session::frame(std::string_view stream, std::int64_t position, LocalTime now) {
  if (!is_open()) return std::nullopt;
  last_frame_ = now;
  std::size_t index = last_hit_;
  if (index >= names_.size() || names_[index] != stream) {
    const auto found = find(stream);
    if (!found) return std::nullopt;
    index = last_hit_ = *found;
  }
  Stream& s = streams_[index];
  s.watch.frame(position, now);
  look_at_ = std::min(look_at_, now + look_pause);
  if (s.delivered) return index;
  s.delivered = true;
  if (options_.streams[index].speech == Speech::sparse) return index;
  if (silent_ > 0 && --silent_ == 0) become_live(now);
  return index;
}

std::size_t Session::usual_speakers() const {
  return static_cast<std::size_t>(std::count_if(options_.streams.begin(), options_.streams.end(),
                                                [](const auto& s) { return s.speech == Speech::usual; }));
}

void Session::claim(std::size_t index, std::int64_t position, Witness witness, LocalTime now) {
  if (!is_open()) return;
  streams_[index].watch.claim(position, witness, now);
  look_at_ = std::min(look_at_, now + look_pause);
}

void Session::listed(std::span<const std::string_view> names, LocalTime now) {
  if (!is_open() || list_sent_at_ == never) return;
  std::fill(listed_.begin(), listed_.end(), 0);
  for (const auto name : names) {
    if (const auto index = find(name)) listed_[*index] = 1;
  }
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Stream& s = streams_[i];
    // The list is older than what was asked for after it.
    if (listed_[i] != 0 || s.want_subscribe || s.asked_at >= list_sent_at_) continue;
    s.watch.not_listed(now);
    look_at_ = std::min(look_at_, now);
  }
  list_sent_at_ = never;
}

void Session::closed(LocalTime now, CloseWhy why, std::optional<Duration> retry_after) {
  if (state_ == State::idle || state_ == State::backing_off) return;
  note_health(now);
  closing_ = false;
  opened_at_.reset();
  live_since_.reset();
  last_stall_.reset();
  for (auto& s : streams_) s.watch.reset();
  control_at_ = list_at_ = settle_at_ = look_at_ = deadline_ = never;
  if (stopping_) {
    stopping_ = false;
    state_ = State::idle;
    return;
  }
  state_ = State::backing_off;
  Duration pause = std::clamp(retry_after.value_or(Duration{0}), Duration{0}, retry_after_max);
  if (why == CloseWhy::refused_busy && !retry_after) pause = options_.busy_pause;
  if (why == CloseWhy::refused_config) pause = std::max(pause, options_.config_pause);
  if (why == CloseWhy::refused_busy)
    budget_.hold_until(now + pause);  // it is about the address, not this stream
  deadline_ = now + (pause > Duration{0} ? backoff_.next_after(pause) : backoff_.next());
}

void Session::replace(std::string_view why, LocalTime now, Actions& out) {
  if (state_ == State::connecting || state_ == State::open || state_ == State::live) close(why, now, out);
}

void Session::close(std::string_view why, LocalTime now, Actions& out,
                    const std::optional<Evidence>& evidence) {
  if (closing_) return;
  note_health(now);
  closing_ = true;
  control_at_ = list_at_ = settle_at_ = look_at_ = deadline_ = never;
  // What still comes on it proves nothing.
  for (auto& s : streams_) s.watch.reset();
  opened_at_.reset();
  out.push_back({.command = Command::close, .why = why, .evidence = evidence});
}

/// Resets the backoff when this connection deserves it. Asked whenever that may change, so it needs no timer.
void Session::note_health(LocalTime now) {
  if (!is_open()) return;
  std::optional<LocalTime> well_since = live_since_;
  // In a quiet market some streams may not have spoken at all; the others prove the connection.
  if (!well_since && silent_ < usual_speakers()) well_since = *opened_at_ + options_.settle;
  if (!well_since) return;
  if (last_stall_) well_since = std::max(*well_since, *last_stall_);
  if (now - *well_since >= options_.healthy_after) backoff_.succeeded();
}

void Session::want_control(LocalTime now) {
  control_at_ = std::min(control_at_, std::max(now, control_free_at_));
}

/// Sends one of the wanted control messages: what repairs first, the list last.
void Session::send_control(LocalTime now, Actions& out) {
  if (now < control_at_) return;
  control_at_ = never;
  if (!send_unsubscribe(out) && !send_subscribe(now, out)) {
    if (!std::exchange(want_list_, false)) return;
    list_sent_at_ = now;
    out.push_back({.command = Command::list, .why = {}});
  }
  control_free_at_ = now + options_.control_pause;
  const bool more = want_list_ || std::any_of(streams_.begin(), streams_.end(), [](const Stream& s) {
                      return s.want_unsubscribe || s.want_subscribe;
                    });
  if (more) control_at_ = control_free_at_;
}

/// The first neighbours that need it; false when there are none.
bool Session::send_unsubscribe(Actions& out) {
  for (auto& s : streams_) {
    if (!s.want_unsubscribe || s.watch.state() == StreamState::stalled) continue;
    s.want_unsubscribe = s.want_subscribe = false;  // it came back by itself
  }
  const auto wanted = [](const Stream& s) { return s.want_unsubscribe; };
  const auto first = std::find_if(streams_.begin(), streams_.end(), wanted);
  const auto last = std::find_if_not(first, end_of_message(first), wanted);
  if (first == last) return false;
  std::for_each(first, last, [](Stream& s) { s.want_unsubscribe = false; });
  out.push_back({.command = Command::unsubscribe,
                 .why = {},
                 .first = static_cast<std::size_t>(first - streams_.begin()),
                 .count = static_cast<std::size_t>(last - first)});
  return true;
}

bool Session::send_subscribe(LocalTime now, Actions& out) {
  const auto wanted = [](const Stream& s) { return s.want_subscribe; };
  const auto first = std::find_if(streams_.begin(), streams_.end(), wanted);
  const auto last = std::find_if_not(first, end_of_message(first), wanted);
  if (first == last) return false;
  for (auto s = first; s != last; ++s) {
    s->want_subscribe = false;
    s->asked_at = now;
    s->watch.subscribed(now);
    if (s->watch.state() != StreamState::stalled) continue;
    s->watch.recovering(now);
    s->help_by =
        now + options_.streams[static_cast<std::size_t>(s - streams_.begin())].watch.first_data_timeout;
    look_at_ = std::min(look_at_, s->help_by);
    ++resubscriptions_;
  }
  look_at_ = std::min(look_at_, now + look_pause);
  out.push_back({.command = Command::subscribe,
                 .why = {},
                 .first = static_cast<std::size_t>(first - streams_.begin()),
                 .count = static_cast<std::size_t>(last - first)});
  return true;
}

/// Where a message whose first name is `first` must end.
std::vector<Session::Stream>::iterator Session::end_of_message(std::vector<Stream>::iterator first) {
  return first + std::min<std::ptrdiff_t>(options_.subscribe_names_max, streams_.end() - first);
}

void Session::expire(LocalTime now, Actions& out) {
  if (closing_) return;
  if (now >= deadline_) {
    deadline_ = never;
    if (state_ == State::connecting) {
      close("connecting took too long", now, out);
    } else if (booked_ && now < budget_.held_until()) {
      deadline_ = budget_.held_until();
    } else if (booked_) {
      open(now, out);
    } else {
      request_opening(now, out);
    }
    return;
  }
  if (!is_open()) return;
  if (now >= settle_at_) settle_at_ = never;
  if (now >= look_at_) look_at_streams(now, out);
  if (closing_) return;
  if (now >= list_at_) {
    list_at_ = now + options_.list_interval;
    want_list_ = true;
    want_control(now);
  }
  send_control(now, out);
}

void Session::look_at_streams(LocalTime now, Actions& out) {
  look_at_ = never;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Stream& s = streams_[i];
    if (const auto evidence = s.watch.expire(now)) {
      on_stalled(i, *evidence, now, out);
    } else if (now >= s.help_by) {
      s.help_by = never;
      if (s.watch.state() == StreamState::recovering) on_stalled(i, s.watch.evidence(now), now, out);
    }
    if (closing_) return;
    look_at_ = std::min({look_at_, s.watch.next_deadline().value_or(never), s.help_by});
  }
}

void Session::on_stalled(std::size_t index, Evidence evidence, LocalTime now, Actions& out) {
  note_health(now);
  last_stall_ = now;
  ++stalls_;
  evidence.siblings_alive = static_cast<int>(streams_in(StreamState::live));
  out.push_back({.command = Command::stalled,
                 .why = name(evidence.witness),
                 .first = index,
                 .count = 1,
                 .evidence = evidence});
  if (is_beyond_resubscribing(index, evidence, now)) {
    close(why_closed(evidence.witness), now, out, evidence);
    return;
  }
  Stream& s = streams_[index];
  s.remedied_at = now;
  s.want_unsubscribe = evidence.witness != Witness::subscription_list;
  s.want_subscribe = true;
  want_control(now);
}

bool Session::is_beyond_resubscribing(std::size_t index, const Evidence& evidence, LocalTime now) const {
  const Stream& s = streams_[index];
  if (names_[index].empty()) return true;
  // A list comes once per interval; being missing in two of them in a row is a repetition too.
  const bool by_list = evidence.witness == Witness::subscription_list;
  const Duration repeat =
      by_list ? std::max(options_.stall_repeat, options_.list_interval * 2) : options_.stall_repeat;
  if (s.remedied_at && now - *s.remedied_at < repeat) return true;
  const std::size_t in_trouble = streams_in(StreamState::stalled) + streams_in(StreamState::recovering);
  if (in_trouble > static_cast<std::size_t>(options_.resubscribe_max)) return true;
  if (by_list) return false;
  if (options_.remedy == Remedy::reconnect || evidence.witness == Witness::twin) return true;
  return streams_.size() > 1 && in_trouble == streams_.size();
}

std::size_t Session::streams_in(StreamState state) const {
  return static_cast<std::size_t>(std::count_if(
      streams_.begin(), streams_.end(), [state](const Stream& s) { return s.watch.state() == state; }));
}

std::optional<LocalTime> Session::next_deadline() const {
  if (closing_) return std::nullopt;
  const LocalTime next = std::min({deadline_, control_at_, list_at_, settle_at_, look_at_});
  return next == never ? std::nullopt : std::optional{next};
}

bool Session::is_ready(LocalTime now) const {
  if (!is_open()) return false;
  if (state_ == State::open && now < *opened_at_ + options_.settle) return false;
  return std::all_of(streams_.begin(), streams_.end(), [&](const Stream& s) {
    switch (s.watch.state()) {
      case StreamState::connecting:
      case StreamState::stalled:
      case StreamState::recovering:
        return false;
      case StreamState::live:
      case StreamState::subscribed:
      case StreamState::suspect:
        break;
    }
    if (state_ == State::live) return true;
    const Evidence known = s.watch.evidence(now);
    return known.theirs <= known.ours;
  });
}

std::string_view name(CloseWhy why) {
  switch (why) {
    case CloseWhy::lost:
      return "lost";
    case CloseWhy::refused_busy:
      return "refused_busy";
    case CloseWhy::refused_config:
      break;
  }
  return "refused_config";
}

std::string_view name(Session::State state) {
  switch (state) {
    case Session::State::idle:
      return "idle";
    case Session::State::connecting:
      return "connecting";
    case Session::State::open:
      return "open";
    case Session::State::live:
      return "live";
    case Session::State::backing_off:
      break;
  }
  return "backing_off";
}

}  // namespace phoenix::feed
