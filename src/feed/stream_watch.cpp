#include "feed/stream_watch.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

namespace phoenix::feed {
namespace {

constexpr base::Duration first_octave = base::microseconds{100};
constexpr base::Duration suspect_after_min = base::milliseconds{250};
/// Silence that is worth a look even where nothing is known of the stream.
constexpr base::Duration suspect_after_max = base::minutes{10};

std::optional<base::LocalTime> earlier(std::optional<base::LocalTime> a, std::optional<base::LocalTime> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

/// Appends `key=value` pairs to a fixed buffer that is large enough for all of them.
class Fields {
 public:
  void text(std::string_view key, std::string_view value) {
    if (size_ > 0) put(" ");
    put(key);
    put("=");
    put(value);
  }
  void number(std::string_view key, std::int64_t value) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    text(key, {digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  void duration_ms(std::string_view key, base::Duration value) {
    number(key, std::chrono::floor<base::milliseconds>(value).count());
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  void put(std::string_view part) {
    PHX_ASSERT(size_ + part.size() <= bytes_.size(), "evidence fits its text");
    std::copy(part.begin(), part.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += part.size();
  }
  std::array<char, 240> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace

std::string_view name(StreamState state) {
  switch (state) {
    case StreamState::connecting:
      return "connecting";
    case StreamState::subscribed:
      return "subscribed";
    case StreamState::live:
      return "live";
    case StreamState::suspect:
      return "suspect";
    case StreamState::stalled:
      return "stalled";
    case StreamState::recovering:
      return "recovering";
  }
  return "unknown";
}

std::string_view name(Witness witness) {
  switch (witness) {
    case Witness::none:
      return "none";
    case Witness::silence:
      return "silence";
    case Witness::twin:
      return "twin";
    case Witness::sibling:
      return "sibling";
    case Witness::probe:
      return "probe";
    case Witness::order_answer:
      return "order_answer";
    case Witness::subscription_list:
      return "subscription_list";
  }
  return "unknown";
}

base::ShortText<240> Evidence::text() const {
  Fields out;
  out.text("witness", name(witness));
  out.number("ours", ours);
  out.number("theirs", theirs);
  out.duration_ms("silent_ms", silent_for);
  if (usual_gap) out.duration_ms("usual_gap_ms", *usual_gap);
  if (ping_round_trip) out.duration_ms("ping_ms", *ping_round_trip);
  out.number("siblings_alive", siblings_alive);
  return base::ShortText<240>{out.view()};
}

void GapHistory::add(base::Duration gap) {
  ++counts_[bucket_of(gap)];
  if (++samples_ <= samples_max) return;
  samples_ = 0;
  for (auto& count : counts_) {
    count = static_cast<std::uint16_t>(count / 2);
    samples_ += count;
  }
}

std::optional<base::Duration> GapHistory::quantile(int per_mille) const {
  if (samples_ < samples_min) return std::nullopt;
  const std::uint32_t rank = std::max(1U, (samples_ * static_cast<std::uint32_t>(per_mille) + 999) / 1000);
  std::uint32_t below = 0;
  std::size_t bucket = 0;
  while (bucket + 1 < bucket_count && (below += counts_[bucket]) < rank) ++bucket;
  return upper_edge(bucket);
}

std::size_t GapHistory::bucket_of(base::Duration gap) {
  if (gap < first_octave) return 0;
  const std::uint64_t power = std::bit_floor(static_cast<std::uint64_t>(gap / first_octave));
  const auto octave = static_cast<std::size_t>(std::countr_zero(power));
  const base::Duration lower = first_octave * static_cast<std::int64_t>(power);
  const auto quarter = static_cast<std::size_t>((gap - lower) / (lower / 4));
  return std::min(bucket_count - 1, 1 + octave * 4 + quarter);
}

base::Duration GapHistory::upper_edge(std::size_t bucket) {
  if (bucket == 0) return first_octave;
  const std::size_t octave = (bucket - 1) / 4, quarter = (bucket - 1) % 4;
  return first_octave * (std::int64_t{1} << octave) / 4 * static_cast<std::int64_t>(5 + quarter);
}

base::Duration suspect_after(const GapHistory& gaps, int per_mille, base::Duration at_most) {
  const auto usual = gaps.quantile(per_mille);
  return usual ? std::min(at_most, std::max(suspect_after_min, *usual * 3)) : at_most;
}

void Claims::add(const Claim& claim) {
  if (!pending_ || claim.deadline < pending_->deadline) pending_ = claim;
  if (!highest_ || claim.position > highest_->position) highest_ = claim;
}

void Claims::reached(std::int64_t position) {
  if (overdue_ && overdue_->position <= position) overdue_.reset();
  if (!pending_ || pending_->position > position) return;
  pending_ = highest_;
  if (highest_->position > position) return;
  pending_.reset();
  highest_.reset();
}

void Claims::expire(base::LocalTime now) {
  while (pending_ && now >= pending_->deadline) {
    if (!overdue_ || pending_->position > overdue_->position) overdue_ = pending_;
    pending_ = highest_;
    if (highest_->position > overdue_->position) continue;
    pending_.reset();
    highest_.reset();
  }
}

void Claims::clear() { *this = Claims{}; }

std::optional<Claims::Claim> Claims::highest() const { return highest_ ? highest_ : overdue_; }

bool Claims::is_pressing(base::LocalTime now) const {
  return overdue_ || (pending_ && now >= *pressing_at());
}

std::optional<base::LocalTime> Claims::next_deadline() const {
  return pending_ ? std::optional{pending_->deadline} : std::nullopt;
}

std::optional<base::LocalTime> Claims::pressing_at() const {
  if (!pending_) return std::nullopt;
  return pending_->made + (pending_->deadline - pending_->made) / 2;
}

StreamWatch::StreamWatch(StreamWatchOptions options) : options_(options) {}

void StreamWatch::subscribed(base::LocalTime now) {
  if (state_ == StreamState::connecting) begin(StreamState::subscribed, now);
}

void StreamWatch::frame(std::int64_t position, base::LocalTime now) {
  if (state_ == StreamState::connecting) return;
  // A gap in which something was missed says nothing of the stream's habit.
  if (last_frame_ && !has_missed_something()) gaps_.add(now - *last_frame_);
  last_frame_ = now;
  not_listed_at_.reset();
  position_ = std::max(position_.value_or(position), position);
  claims_.reached(*position_);
  if (catch_up_ && *position_ >= catch_up_->position) catch_up_.reset();

  if (claims_.overdue()) return;
  if (catch_up_) return;
  state_ = claims_.is_pressing(now) ? StreamState::suspect : StreamState::live;
}

void StreamWatch::claim(std::int64_t position, Witness witness, base::LocalTime now) {
  if (state_ == StreamState::connecting) return;
  if (position_ && position <= *position_) return;
  if (!last_frame_) {
    if (!baseline_ || now - since_ < options_.first_data_timeout) {
      baseline_ = std::max(baseline_.value_or(position), position);
      return;
    }
    if (position <= *baseline_) return;
  }
  claims_.add({position, witness, now, now + grace_of(witness)});
}

void StreamWatch::not_listed(base::LocalTime now) {
  if (is_watched()) not_listed_at_ = now;
}

void StreamWatch::recovering(base::LocalTime now) {
  if (state_ != StreamState::stalled) return;
  const auto missed = claims_.overdue() ? claims_.overdue() : catch_up_;
  const auto named = claims_.highest();
  begin(StreamState::recovering, now);
  catch_up_ = missed;
  if (named) {
    baseline_ = named->position;
  } else if (missed) {
    baseline_ = missed->position;
  }
}

void StreamWatch::reset() {
  begin(StreamState::connecting, {});
  position_.reset();
}

std::optional<Evidence> StreamWatch::expire(base::LocalTime now) {
  claims_.expire(now);
  if (!is_watched()) return std::nullopt;
  if (culprit(now) != Witness::none) {
    state_ = StreamState::stalled;
    return evidence(now);
  }
  const auto suspect = suspect_deadline();
  if (suspect && now >= *suspect) state_ = StreamState::suspect;
  return std::nullopt;
}

std::optional<base::LocalTime> StreamWatch::next_deadline() const {
  auto next = claims_.next_deadline();
  if (!is_watched()) return next;
  next = earlier(next, not_listed_at_);
  next = earlier(next, silence_deadline());
  next = earlier(next, catch_up_deadline());
  return earlier(next, suspect_deadline());
}

Evidence StreamWatch::evidence(base::LocalTime now) const {
  Evidence out;
  out.witness = culprit(now);
  out.ours = position_.value_or(0);
  if (const auto highest = claims_.highest()) {
    out.theirs = highest->position;
  } else if (catch_up_) {
    out.theirs = catch_up_->position;
  }
  if (state_ != StreamState::connecting) out.silent_for = now - last_frame_.value_or(since_);
  out.usual_gap = gaps_.quantile(999);
  return out;
}

void StreamWatch::begin(StreamState state, base::LocalTime now) {
  state_ = state;
  since_ = now;
  last_frame_.reset();
  baseline_.reset();
  catch_up_.reset();
  not_listed_at_.reset();
  claims_.clear();
}

bool StreamWatch::is_watched() const {
  return state_ != StreamState::connecting && state_ != StreamState::stalled;
}

bool StreamWatch::has_missed_something() const {
  return state_ == StreamState::stalled || claims_.overdue() || catch_up_;
}

base::Duration StreamWatch::grace_of(Witness witness) const {
  const auto grace = witness == Witness::probe ? options_.probe_grace : options_.twin_grace;
  return std::max(grace, options_.interval * 3);
}

std::optional<base::LocalTime> StreamWatch::silence_deadline() const {
  if (options_.silence_max == base::Duration{0}) return std::nullopt;
  return last_frame_ ? *last_frame_ + options_.silence_max : since_ + options_.first_data_timeout;
}

/// Frames that come but do not reach what was missed are a backlog, or a stream that repeats itself.
std::optional<base::LocalTime> StreamWatch::catch_up_deadline() const {
  if (!catch_up_ || !last_frame_) return std::nullopt;
  return since_ + options_.first_data_timeout;
}

std::optional<base::LocalTime> StreamWatch::suspect_deadline() const {
  if (state_ != StreamState::live) return std::nullopt;
  const bool may_be_quiet = options_.silence_max == base::Duration{0};
  const auto at_most = may_be_quiet ? suspect_after_max : options_.silence_max / 2;
  return earlier(claims_.pressing_at(), *last_frame_ + suspect_after(gaps_, 999, at_most));
}

Witness StreamWatch::culprit(base::LocalTime now) const {
  if (claims_.overdue()) return claims_.overdue()->witness;
  if (not_listed_at_) return Witness::subscription_list;
  const auto silence = silence_deadline(), catch_up = catch_up_deadline();
  if (state_ != StreamState::connecting && silence && now >= *silence) return Witness::silence;
  if (catch_up && now >= *catch_up) return catch_up_->witness;
  return Witness::none;
}

}  // namespace phoenix::feed
