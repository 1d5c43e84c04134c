#include "feed/price_proof.hpp"

#include "base/assert.hpp"
#include "base/canary.hpp"

#include <algorithm>

namespace phoenix::feed {

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::unknown:
      return "unknown";
    case Verdict::live:
      return "live";
    case Verdict::quiet:
      return "quiet";
    case Verdict::stalled:
      return "stalled";
    case Verdict::venue_halted:
      return "venue_halted";
  }
  return "unknown";
}

PriceProof::PriceProof(PriceProofOptions options, base::LocalTime now)
    : options_(options), verdict_since_(now), unproved_since_(now), open_since_(now) {}

void PriceProof::frame(std::int64_t id, base::LocalTime now) {
  if (!head_ || id > head_->id) {
    // A gap in which something was missed, or nothing could happen, says nothing of the stream's habit.
    const bool is_usual = trading_ == Trading::open && !claims_.overdue();
    if (head_ && is_usual && head_->came >= open_since_) gaps_.add(now - head_->came);
    head_ = Head{id, now};
    claims_.reached(id);
    prove({now, Witness::none});
  }
  judge(now);
}

void PriceProof::claim(std::int64_t id, Witness witness, base::LocalTime now) {
  if (head_ && id > head_->id) {
    const auto grace = std::max(options_.probe_grace, options_.interval * 3);
    claims_.add({id, witness, now, now + grace});
  }
  judge(now);
}

bool PriceProof::wants_probe(base::LocalTime now) const {
  const auto due = probe_due();
  return due && now >= *due;
}

void PriceProof::probe_sent(base::LocalTime now) {
  probe_in_flight_ = now;
  last_probe_ = now;
}

void PriceProof::probe_answered(const ProbeAnswer& answer, base::LocalTime now) {
  PHX_ASSERT(answer.sent <= now, "a probe is answered after it was sent");
  if (probe_in_flight_ == answer.sent) probe_in_flight_.reset();
  probed_id_ = answer.id;
  // An answer that does not know what a witness knew before the question comes from a lagging replica.
  const auto& pending = claims_.pending();
  const bool is_outdated = claims_.overdue() || (pending && pending->made <= answer.sent);
  const bool is_behind = base::planted(base::Canary::probe_behind_is_quiet) && head_ && answer.id < head_->id;
  if ((head_ && answer.id == head_->id && !is_outdated) || is_behind) prove({answer.sent, Witness::probe});
  claim(answer.id, Witness::probe, now);
}

void PriceProof::probe_failed(base::LocalTime sent) {
  if (probe_in_flight_ == sent) probe_in_flight_.reset();
  last_probe_ = std::max(last_probe_.value_or(sent), sent);
}

void PriceProof::lost(base::LocalTime now) {
  head_.reset();
  proof_.reset();
  claims_.clear();
  unproved_since_ = now;
  judge(now);
}

void PriceProof::halt(base::LocalTime now) {
  trading_ = Trading::halted;
  judge(now);
}

void PriceProof::resume(base::LocalTime now) {
  if (trading_ == Trading::halted) open_since_ = now;
  trading_ = Trading::open;
  judge(now);
}

void PriceProof::expire(base::LocalTime now) {
  claims_.expire(now);
  judge(now);
}

std::optional<base::LocalTime> PriceProof::next_deadline() const {
  auto next = claims_.next_deadline();
  const auto at_least = [&next](base::LocalTime due) { next = std::min(next.value_or(due), due); };
  if (is_proved()) at_least(proof_->at + options_.stall_after);
  if (const auto due = probe_due()) at_least(*due);
  return next;
}

StreamState PriceProof::state() const {
  if (!head_) return StreamState::connecting;
  if (claims_.overdue()) return StreamState::stalled;
  return suspect_ ? StreamState::suspect : StreamState::live;
}

std::optional<PriceProof::Change> PriceProof::take_change() {
  const auto change = change_;
  change_.reset();
  return change;
}

std::optional<std::int64_t> PriceProof::id() const { return head_ ? std::optional{head_->id} : std::nullopt; }

std::optional<base::LocalTime> PriceProof::proved_at() const {
  return proof_ ? std::optional{proof_->at} : std::nullopt;
}

void PriceProof::prove(const Proof& proof) {
  const bool is_by_frame = proof.by == Witness::none;
  if (proof_ && (proof.at < proof_->at || (proof.at == proof_->at && !is_by_frame))) return;
  proof_ = proof;
  unproved_since_ = std::max(unproved_since_, proof.at);
}

void PriceProof::judge(base::LocalTime now) {
  suspect_ = claims_.is_pressing(now) || now >= suspect_at();
  const Verdict verdict = judged(now);
  if (verdict == verdict_) return;
  if (!change_) {
    change_ = Change{verdict_, verdict, evidence(now), now - verdict_since_};
  } else {
    change_->to = verdict;
    change_->evidence = evidence(now);
  }
  if (change_->from == change_->to) change_.reset();
  verdict_ = verdict;
  verdict_since_ = now;
}

Verdict PriceProof::judged(base::LocalTime now) const {
  if (trading_ == Trading::halted) return Verdict::venue_halted;
  if (claims_.overdue()) return Verdict::stalled;
  if (!proof_ || now - proof_->at >= options_.stall_after) return Verdict::unknown;
  return proof_->by == Witness::probe ? Verdict::quiet : Verdict::live;
}

Evidence PriceProof::evidence(base::LocalTime now) const {
  Evidence out;
  out.ours = head_ ? head_->id : 0;
  out.silent_for = now - (head_ ? head_->came : unproved_since_);
  out.usual_gap = gaps_.quantile(options_.usual_gap_per_mille);
  switch (judged(now)) {
    case Verdict::stalled:
      out.witness = claims_.overdue()->witness;
      out.theirs = claims_.highest()->position;
      break;
    case Verdict::quiet:
      out.witness = Witness::probe;
      out.theirs = probed_id_;
      break;
    case Verdict::unknown:
      if (proof_) out.witness = Witness::silence;
      break;
    case Verdict::live:
    case Verdict::venue_halted:
      break;
  }
  return out;
}

base::LocalTime PriceProof::suspect_at() const {
  return unproved_since_ + suspect_after(gaps_, options_.usual_gap_per_mille, options_.stall_after / 2);
}

std::optional<base::LocalTime> PriceProof::probe_due() const {
  if (trading_ == Trading::halted || claims_.overdue()) return std::nullopt;
  auto due = suspect_at();
  if (last_probe_) due = std::max(due, *last_probe_ + options_.probe_pause_min);
  if (probe_in_flight_) due = std::max(due, *probe_in_flight_ + options_.probe_timeout);
  return due;
}

}  // namespace phoenix::feed
