#include "record/journal.hpp"

#include "base/assert.hpp"
#include "base/time_grid.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace phoenix::record {
namespace {

/// Failures in a row that a place is given before the next one is tried.
constexpr std::size_t failures_per_place = 2;

bool is_full(int error) { return error == ENOSPC || error == EDQUOT; }

/// Counts the records of `bytes`, which we made ourselves.
void add_records(std::string_view bytes, SegmentTally& tally) {
  while (!bytes.empty()) {
    std::uint32_t length;
    std::memcpy(&length, bytes.data(), sizeof length);
    const std::size_t size = journal_head_bytes + length;
    PHX_ASSERT(length >= journal_fixed_bytes && size <= bytes.size(),
               "what waits to be written is whole records");
    JournalRecord record;
    std::int64_t now_ns;
    std::memcpy(&record.sequence, bytes.data() + 8, 8);
    std::memcpy(&now_ns, bytes.data() + 16, 8);
    record.now = base::local_time_ns(now_ns);
    record.kind = static_cast<std::uint8_t>(bytes[24]);
    record.payload = bytes.substr(journal_head_bytes + journal_fixed_bytes, length - journal_fixed_bytes);
    tally.add(record, bytes.substr(0, journal_head_bytes), size);
    bytes.remove_prefix(size);
  }
}

}  // namespace

std::string_view name(const JournalOperation& operation) {
  static constexpr std::string_view names[] = {"create a segment",
                                               "sync the directory",
                                               "write",
                                               "sync",
                                               "name a segment",
                                               "abandon a segment",
                                               "retire a segment",
                                               "make the reserve",
                                               "release the reserve",
                                               "check the path"};
  static_assert(std::size(names) == std::variant_size_v<JournalOperation>);
  return names[operation.index()];
}

std::string_view name(JournalAlarm alarm) {
  switch (alarm) {
    case JournalAlarm::segment_dead:
      return "segment_dead";
    case JournalAlarm::second_place:
      return "second_place";
    case JournalAlarm::disk_full:
      return "disk_full";
    case JournalAlarm::cannot_write:
      return "cannot_write";
    case JournalAlarm::records_lost:
      return "records_lost";
    case JournalAlarm::works_again:
      break;
  }
  return "works_again";
}

Journal::Journal(JournalSettings settings, Start start, base::LocalTime now)
    : settings_(settings),
      start_(std::move(start)),
      next_number_(start_.first_segment.number),
      backoff_(settings.backoff_min),
      check_at_(now + settings.check_interval) {
  expected_ = start_.expected;
  if (start_.loss_before.empty()) return;
  for (std::size_t i = 0; i < numbered_origins; ++i)
    append_lost({static_cast<Origin>(i), expected_[i], 0, start_.loss_before}, now, pending_);
  state_.waiting_since = now;
}

// --- records in
// -------------------------------------------------------------------------------------------------

void Journal::append(std::uint64_t sequence, base::LocalTime now, std::uint8_t kind, std::string_view payload,
                     std::vector<JournalNotice>& notices) {
  const auto origin = origin_of(kind);
  PHX_ASSERT(origin && *origin != Origin::journal, "what is appended comes from a numbered origin");
  auto& expected = expected_[static_cast<std::size_t>(*origin)];
  if (sequence < expected) return;
  if (sequence > expected) lose(*origin, sequence - expected, "the ring was full", now, notices);
  append_record(sequence, now, kind, payload, {}, pending_);
  expected = sequence + 1;
  ++pending_records_;
  ++state_.records;
  state_.waiting_bytes = pending_.size();
  if (!state_.waiting_since) state_.waiting_since = now;
}

void Journal::expect(Origin origin, std::uint64_t next, base::LocalTime now,
                     std::vector<JournalNotice>& notices) {
  const auto expected = expected_[static_cast<std::size_t>(origin)];
  if (next > expected) lose(origin, next - expected, "the ring was full", now, notices);
}

void Journal::lose(Origin origin, std::uint64_t count, std::string_view cause, base::LocalTime now,
                   Notices& notices) {
  auto& expected = expected_[static_cast<std::size_t>(origin)];
  append_lost({origin, expected, count, std::string{cause}}, now, pending_);
  notices.push_back({JournalAlarm::records_lost, fmt::format("{} records of the {} from {} on are lost: {}",
                                                             count, name(origin), expected, cause)});
  expected += count;
  state_.lost[static_cast<std::size_t>(origin)] += count;
  state_.waiting_bytes = pending_.size();
  if (!state_.waiting_since) state_.waiting_since = now;
}

// --- what to do
// ---------------------------------------------------------------------------------------------------

std::optional<JournalOperation> Journal::next(base::LocalTime now, Notices& notices) {
  PHX_ASSERT(!operation_, "an operation is answered before the next is asked for");
  operation_ = choose(now, notices);
  return operation_;
}

std::optional<JournalOperation> Journal::choose(base::LocalTime now, Notices& notices) {
  if (closed_) return std::nullopt;
  if (abandon_) return *std::exchange(abandon_, std::nullopt);
  if (release_wanted_) {
    release_wanted_ = false;
    return ReleaseReserve{state_.place};
  }
  if (!segment_) return choose_new_segment(now, notices);
  switch (step_) {
    case Step::create:
      return CreateSegment{segment_->id, state_.place};
    case Step::name:
    case Step::sealed:
      return SyncDirectory{};
    case Step::open:
      return choose_in_open(now);
    case Step::seal_write:
      return WriteSegment{segment_->written.bytes, epilogue_};
    case Step::seal_sync:
      return SyncSegment{};
    case Step::rename:
      break;
  }
  return RenameSegment{segment_->id};
}

std::optional<JournalOperation> Journal::choose_new_segment(base::LocalTime now, Notices& notices) {
  if (close_wanted_ && pending_.empty()) {
    if (retire_wanted_) return RetireSegment{dead_.front().id, dead_.front().bytes, dead_.front().tally};
    closed_ = true;
    return std::nullopt;
  }
  if (retry_at_ && now < *retry_at_) return std::nullopt;
  retry_at_.reset();
  if (full_ && start_.has_second_place && state_.place == Place::first) {
    full_ = false;
    change_place(notices);
  }
  if (full_ || !reserve_tried()) return MakeReserve{state_.place};
  start_segment(now);
  return CreateSegment{segment_->id, state_.place};
}

std::optional<JournalOperation> Journal::choose_in_open(base::LocalTime now) {
  if (!prologue_.empty()) return WriteSegment{0, prologue_};
  if (written_ < pending_.size())
    return WriteSegment{segment_->written.bytes, std::string_view{pending_}.substr(written_)};
  if (retire_wanted_) return RetireSegment{dead_.front().id, dead_.front().bytes, dead_.front().tally};
  if (const auto reason = seal_due(now)) {
    seal_reason_ = *reason;
    append_seal({segment_->written, seal_reason_}, now, epilogue_);
    step_ = Step::seal_write;
    return WriteSegment{segment_->written.bytes, epilogue_};
  }
  if (written_ != 0 &&
      (written_ >= settings_.sync_bytes || now >= *state_.waiting_since + settings_.sync_interval))
    return SyncSegment{};
  if (now >= check_at_) {
    check_at_ = now + settings_.check_interval;
    return CheckPath{};
  }
  return std::nullopt;
}

std::optional<SealReason> Journal::seal_due(base::LocalTime now) const {
  if (close_wanted_) return close_reason_;
  if (full_) return SealReason::disk_full;
  if (roll_wanted_) return SealReason::asked;
  if (now >= segment_->rotate_at) return SealReason::clock;
  if (segment_->written.bytes >= settings_.segment_bytes_max) return SealReason::size;
  return std::nullopt;
}

void Journal::start_segment(base::LocalTime now) {
  OpenSegment segment;
  segment.id = {start_.first_segment.epoch, next_number_++};
  segment.rotate_at =
      std::min(base::next_multiple(now, settings_.rotate_interval), base::next_multiple(now, base::hours{1}));
  SegmentHead head{segment.id, start_.program, {}};
  for (const auto& dead : dead_) head.ends.push_back({dead.id.number, dead.bytes});
  if (previous_) head.ends.push_back(*previous_);
  prologue_ = journal_magic;
  append_head(head, now, prologue_);
  state_.segment = segment.id;
  segment_ = segment;
  step_ = Step::create;
}

void Journal::change_place(Notices& notices) {
  state_.place = state_.place == Place::first ? Place::second : Place::first;
  notices.push_back(
      {JournalAlarm::second_place,
       fmt::format("segments go to the {} place now", state_.place == Place::first ? "first" : "second")});
}

std::optional<base::LocalTime> Journal::next_deadline() const {
  if (closed_) return std::nullopt;
  if (!segment_) return retry_at_;
  auto deadline = std::min(segment_->rotate_at, check_at_);
  if (state_.waiting_since) deadline = std::min(deadline, *state_.waiting_since + settings_.sync_interval);
  return deadline;
}

// --- answers
// ------------------------------------------------------------------------------------------------------

void Journal::done(int error, base::LocalTime now, Notices& notices) {
  PHX_ASSERT(operation_.has_value(), "only an operation that was asked for is answered");
  const auto operation = *std::exchange(operation_, std::nullopt);
  std::visit([&](const auto& asked) { answered(asked, error, now, notices); }, operation);
}

void Journal::answered(const CreateSegment&, int error, base::LocalTime now, Notices& notices) {
  if (error == 0) {
    step_ = Step::name;
    return;
  }
  // The number of a file that does not exist is free; one that is taken is not.
  if (error != EEXIST) --next_number_;
  fail("create", error, now, notices);
}

void Journal::answered(const SyncDirectory&, int error, base::LocalTime now, Notices& notices) {
  if (step_ == Step::name) {
    if (error != 0) return fail("make durable the name of", error, now, notices);
    step_ = Step::open;
    return;
  }
  // The segment is whole and durable under one of its two names, and the next start knows both.
  if (error != 0) {
    state_.fault = fmt::format("cannot make durable the name of segment {}: {}", text(segment_->id),
                               std::generic_category().message(error));
    notices.push_back({JournalAlarm::cannot_write, state_.fault});
  }
  on_sealed();
}

void Journal::answered(const WriteSegment& operation, int error, base::LocalTime now, Notices& notices) {
  if (error != 0) {
    if (!is_full(error) || !reserve_stands()) return fail("write to", error, now, notices);
    full_ = true;
    release_wanted_ = true;
    state_.fault = "the disk is full";
    notices.push_back(
        {JournalAlarm::disk_full,
         fmt::format("the disk is full: segment {} is closed with the reserve", text(segment_->id))});
    return;
  }
  state_.bytes_written += operation.bytes.size();
  if (step_ == Step::seal_write) {
    step_ = Step::seal_sync;
  } else if (!prologue_.empty()) {
    segment_->written.bytes = journal_magic.size();
    add_records(std::string_view{prologue_}.substr(journal_magic.size()), segment_->written);
    prologue_.clear();
  } else {
    add_records(operation.bytes, segment_->written);
    written_ += operation.bytes.size();
  }
}

void Journal::answered(const SyncSegment&, int error, base::LocalTime now, Notices& notices) {
  if (error != 0) return fail("sync", error, now, notices);
  segment_->synced = segment_->written;
  segment_->bytes_synced = segment_->written.bytes + epilogue_.size();
  if (step_ == Step::seal_sync) step_ = Step::rename;
  on_durable(now, notices);
}

void Journal::answered(const RenameSegment&, int error, base::LocalTime now, Notices& notices) {
  if (error != 0) return fail("give its name to", error, now, notices);
  step_ = Step::sealed;
}

void Journal::answered(const AbandonSegment&, int, base::LocalTime, Notices&) {}

void Journal::answered(const RetireSegment&, int error, base::LocalTime, Notices&) {
  retire_wanted_ = false;
  if (error != 0) return;
  const auto& dead = dead_.front();
  if (dead.bytes != 0) sealed_.push_back({dead.id, state_.place, SealReason::recovered, dead.tally});
  dead_.erase(dead_.begin());
  retire_wanted_ = !dead_.empty();
}

void Journal::answered(const MakeReserve&, int error, base::LocalTime now, Notices& notices) {
  reserve_stands() = error == 0;
  reserve_tried() = true;
  if (error == 0) {
    full_ = false;
    return;
  }
  // Without a reserve the journal can still be written, unless it is the reserve that is waited for.
  if (full_) {
    if (start_.has_second_place) change_place(notices);
    return wait_for_retry(now);
  }
  notices.push_back({JournalAlarm::disk_full, fmt::format("no reserve for a clean close: {}",
                                                          std::generic_category().message(error))});
}

void Journal::answered(const ReleaseReserve&, int, base::LocalTime, Notices&) { reserve_stands() = false; }

void Journal::answered(const CheckPath&, int error, base::LocalTime now, Notices& notices) {
  if (error != 0) fail("find", error, now, notices);
}

void Journal::on_durable(base::LocalTime, Notices& notices) {
  ++state_.syncs;
  pending_.clear();
  written_ = 0;
  state_.records_durable += std::exchange(pending_records_, 0);
  state_.waiting_bytes = 0;
  state_.waiting_since.reset();
  if (!dead_.empty() && failures_ != 0) retire_wanted_ = true;
  if (!state_.fault.empty() && !full_) {
    state_.fault.clear();
    notices.push_back({JournalAlarm::works_again, fmt::format("segment {} was synced", text(segment_->id))});
  }
  failures_ = 0;
  backoff_ = settings_.backoff_min;
}

void Journal::on_sealed() {
  ++state_.segments_sealed;
  sealed_.push_back({segment_->id, state_.place, seal_reason_, segment_->written});
  previous_ = SegmentEnd{segment_->id.number, segment_->bytes_synced};
  epilogue_.clear();
  segment_.reset();
  roll_wanted_ = false;
}

std::vector<SealedSegment> Journal::take_sealed() { return std::exchange(sealed_, {}); }

// --- failure
// ------------------------------------------------------------------------------------------------------

void Journal::fail(std::string_view what, int error, base::LocalTime now, Notices& notices) {
  state_.fault = fmt::format("cannot {} segment {}: {}", what, text(segment_->id),
                             std::generic_category().message(error));
  notices.push_back({JournalAlarm::segment_dead, state_.fault});
  kill_segment();
  full_ = is_full(error);
  if (++failures_ < failures_per_place) return;
  const std::size_t places = start_.has_second_place ? 2 : 1;
  if (failures_ == failures_per_place * places)
    notices.push_back(
        {JournalAlarm::cannot_write, "no place takes a segment: trying again while the ring holds"});
  if (failures_ % failures_per_place == 0 && start_.has_second_place && !full_) change_place(notices);
  if (failures_ >= failures_per_place * places) wait_for_retry(now);
}

void Journal::kill_segment() {
  if (step_ != Step::create) {
    ++state_.segments_dead;
    abandon_ = AbandonSegment{segment_->id, segment_->bytes_synced};
    // Beyond the bound of a head's list the oldest is left to the next start as it was cut.
    if (dead_.size() + 1 == segment_ends_max) dead_.erase(dead_.begin());
    dead_.push_back({segment_->id, segment_->bytes_synced, segment_->synced});
  }
  segment_.reset();
  prologue_.clear();
  epilogue_.clear();
  written_ = 0;
}

void Journal::wait_for_retry(base::LocalTime now) {
  retry_at_ = now + backoff_;
  backoff_ = std::min(backoff_ * 2, settings_.backoff_max);
}

}  // namespace phoenix::record
