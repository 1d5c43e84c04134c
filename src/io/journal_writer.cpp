#include "io/journal_writer.hpp"

#include "base/assert.hpp"
#include "base/crc32c.hpp"
#include "io/descriptor.hpp"
#include "io/mapped_ring.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

namespace fs = std::filesystem;
using record::JournalOperation;
using record::Origin;
using record::Place;
using record::SegmentId;
using record::SegmentState;

constexpr const char* reserve_name = "reserve";
constexpr std::size_t copy_bytes = 1U << 20;

/// What stands before a record's payload in a ring.
struct RingHead {
  std::uint64_t sequence;
  std::int64_t now_ns;
  std::uint64_t kind;
};
constexpr std::size_t input_head_bytes_max = 64;

struct RingRecord {
  RingHead head;
  std::string_view payload;
};

std::optional<RingRecord> ring_record(std::string_view bytes) {
  RingRecord record;
  if (bytes.size() < sizeof record.head) return std::nullopt;
  std::memcpy(&record.head, bytes.data(), sizeof record.head);
  record.payload = bytes.substr(sizeof record.head);
  return record;
}

std::span<const std::byte> bytes_of(const void* data, std::size_t size) {
  return {static_cast<const std::byte*>(data), size};
}

std::string file_name(SegmentId id, SegmentState state) {
  return fs::path{record::segment_path(id, state)}.filename();
}

/// 0 or the errno of the first failure; goes on after interruptions and short transfers.
int write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return 0;
}

/// Calls `use` with the first `size` bytes of a file, piece by piece. An early end is EIO.
template <class Use>
int read_all(int fd, std::uint64_t size, Use use) {
  std::string piece;
  for (std::uint64_t at = 0; at < size;) {
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(copy_bytes, size - at)));
    const ssize_t got = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return EIO;
    if (const int error = use(std::string_view{piece}.substr(0, static_cast<std::size_t>(got)), at);
        error != 0)
      return error;
    at += static_cast<std::uint64_t>(got);
  }
  return 0;
}

int result_of(int returned) { return returned == 0 ? 0 : errno; }

/// The journal directory of one place, opened and locked.
class JournalDirectory {
 public:
  explicit JournalDirectory(const fs::path& recording) : recording_(recording), path_(recording / "journal") {
    open();
  }

  const fs::path& path() const { return path_; }
  int fd() const { return **fd_; }
  const struct stat& identity() const { return identity_; }

  /// Whether the path still leads to what was opened, and may be written.
  int check() const {
    struct stat now{};
    if (::stat(path_.c_str(), &now) != 0) return errno;
    if (now.st_dev != identity_.st_dev || now.st_ino != identity_.st_ino) return ESTALE;
    struct statvfs system{};
    if (::fstatvfs(**fd_, &system) != 0) return errno;
    return (system.f_flag & ST_RDONLY) != 0 ? EROFS : 0;
  }
  /// Opens what is at the path now where that is something else. The recording's own directory is never made
  /// again: an empty mount point must not be filled.
  int reopen() {
    const int error = check();
    if (error != ENOENT && error != ESTALE) return error;
    struct stat recording{};
    if (::stat(recording_.c_str(), &recording) != 0) return errno;
    errno = 0;
    try {
      open();
    } catch (const FileError&) {
      return errno != 0 ? errno : EBUSY;
    }
    return 0;
  }

 private:
  void open() {
    lock_.reset();
    lock_.emplace(path_);
    auto fd = std::make_unique<Descriptor>(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd->is_open() || ::fstat(**fd, &identity_) != 0) throw_errno("open", path_);
    fd_ = std::move(fd);
    sync_directory(recording_);
  }

  fs::path recording_, path_;
  std::optional<DirectoryLock> lock_;
  std::unique_ptr<Descriptor> fd_;
  struct stat identity_{};
};

/// Performs the machine's operations on real files.
class SegmentFiles {
 public:
  SegmentFiles(const fs::path& first, const fs::path& second, std::uint64_t reserve_bytes)
      : reserve_bytes_(reserve_bytes) {
    places_.emplace_back(std::make_unique<JournalDirectory>(first));
    if (!second.empty()) places_.emplace_back(std::make_unique<JournalDirectory>(second));
  }

  std::size_t places() const { return places_.size(); }
  JournalDirectory& at(Place place) { return *places_[static_cast<std::size_t>(place)]; }
  fs::path sealed_path(const record::SealedSegment& sealed) {
    return at(sealed.place).path() / file_name(sealed.id, SegmentState::sealed);
  }
  void remove_reserves() {
    for (auto& place : places_) ::unlinkat(place->fd(), reserve_name, 0);
  }

  int perform(const JournalOperation& operation) {
    return std::visit([this](const auto& asked) { return perform(asked); }, operation);
  }

 private:
  struct Abandoned {
    SegmentId id;
    std::unique_ptr<Descriptor> fd;
    fs::path path;
  };

  JournalDirectory& here() { return at(place_); }

  int perform(const record::CreateSegment& asked) {
    place_ = asked.place;
    if (const int error = here().reopen(); error != 0) return error;
    open_name_ = file_name(asked.id, SegmentState::open);
    fd_ = std::make_unique<Descriptor>(
        ::openat(here().fd(), open_name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    return fd_->is_open() ? 0 : errno;
  }
  int perform(const record::SyncDirectory&) { return result_of(::fsync(here().fd())); }
  /// Through a buffer that stands to a cache line as the file's offset does: some processors copy into the
  /// page cache several times slower where the two differ, which more than pays for the copy here.
  int perform(const record::WriteSegment& asked) {
    auto offset = asked.offset;
    for (auto left = asked.bytes; !left.empty();) {
      const auto piece = left.substr(0, write_piece_bytes);
      char* to = write_buffer_.data() + offset % base::cache_line_bytes;
      std::memcpy(to, piece.data(), piece.size());
      if (const int error = write_at(**fd_, {to, piece.size()}, offset); error != 0) return error;
      offset += piece.size();
      left.remove_prefix(piece.size());
    }
    return 0;
  }
  int perform(const record::SyncSegment&) { return result_of(::fdatasync(**fd_)); }
  int perform(const record::RenameSegment& asked) {
    const auto sealed = file_name(asked.id, SegmentState::sealed);
    return result_of(::renameat(here().fd(), open_name_.c_str(), here().fd(), sealed.c_str()));
  }
  int perform(const record::AbandonSegment& asked) {
    const int error = result_of(::ftruncate(**fd_, static_cast<off_t>(asked.bytes)));
    abandoned_.push_back({asked.id, std::move(fd_), here().path() / open_name_});
    if (abandoned_.size() > record::segment_ends_max) abandoned_.erase(abandoned_.begin());
    return error;
  }
  int perform(const record::RetireSegment& asked) {
    const auto dead = std::find_if(abandoned_.begin(), abandoned_.end(),
                                   [&](const auto& one) { return one.id == asked.id; });
    if (dead == abandoned_.end()) return ENOENT;
    bool keep_original = false;
    if (asked.bytes != 0) {
      if (const int error = copy_sealed(**dead->fd, asked); error != 0) return error;
      // Once it has its name it is there, and a second copy elsewhere would be one too many; the next start
      // removes an original that has a sealed twin.
      keep_original = ::fsync(here().fd()) != 0;
    }
    if (!keep_original) ::unlink(dead->path.c_str());
    abandoned_.erase(dead);
    return 0;
  }
  int perform(const record::MakeReserve& asked) {
    if (const int error = at(asked.place).reopen(); error != 0) return error;
    const Descriptor fd{::openat(at(asked.place).fd(), reserve_name, O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
    if (!fd.is_open()) return errno;
    const int error = ::posix_fallocate(*fd, 0, static_cast<off_t>(reserve_bytes_));
    if (error != 0) ::unlinkat(at(asked.place).fd(), reserve_name, 0);
    return error;
  }
  int perform(const record::ReleaseReserve& asked) {
    return result_of(::unlinkat(at(asked.place).fd(), reserve_name, 0));
  }
  int perform(const record::CheckPath&) {
    if (const int error = here().check(); error != 0) return error;
    struct stat named{};
    struct stat opened{};
    if (::fstatat(here().fd(), open_name_.c_str(), &named, 0) != 0) return errno;
    if (::fstat(**fd_, &opened) != 0) return errno;
    return named.st_ino == opened.st_ino && named.st_dev == opened.st_dev ? 0 : ESTALE;
  }

  /// Under a temporary name, synced, read back, and only then named.
  int copy_sealed(int from, const record::RetireSegment& asked) {
    const auto name = file_name(asked.id, SegmentState::sealed);
    const auto unfinished = record::temporary_path(name);
    const Descriptor to{
        ::openat(here().fd(), unfinished.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    if (!to.is_open()) return errno;
    std::uint32_t wanted = 0;
    int error = read_all(from, asked.bytes, [&](std::string_view piece, std::uint64_t at) {
      wanted = base::crc32c(piece, wanted);
      return write_at(*to, piece, at);
    });
    std::uint64_t size = asked.bytes;
    if (error == 0 && asked.bytes == asked.tally.bytes) {
      std::string seal;
      record::append_seal({asked.tally, record::SealReason::recovered}, asked.tally.last_now, seal);
      wanted = base::crc32c(seal, wanted);
      error = write_at(*to, seal, size);
      size += seal.size();
    }
    if (error == 0) error = result_of(::fsync(*to));
    std::uint32_t read = 0;
    if (error == 0) {
      error = read_all(*to, size, [&](std::string_view piece, std::uint64_t) {
        read = base::crc32c(piece, read);
        return 0;
      });
    }
    if (error == 0 && read != wanted) error = EIO;
    if (error == 0) error = result_of(::renameat(here().fd(), unfinished.c_str(), here().fd(), name.c_str()));
    if (error != 0) ::unlinkat(here().fd(), unfinished.c_str(), 0);
    return error;
  }

  static constexpr std::size_t write_piece_bytes = 256U << 10;
  struct alignas(base::cache_line_bytes) Line {
    char bytes[base::cache_line_bytes];
  };
  struct WriteBuffer {
    std::vector<Line> lines{write_piece_bytes / sizeof(Line) + 1};
    char* data() { return lines.front().bytes; }
  };

  std::uint64_t reserve_bytes_;
  WriteBuffer write_buffer_;
  std::vector<std::unique_ptr<JournalDirectory>> places_;
  Place place_ = Place::first;
  std::unique_ptr<Descriptor> fd_;
  std::string open_name_;
  std::vector<Abandoned> abandoned_;
};

/// Brings what an earlier run left into sealed segments.
class Recovery {
 public:
  Recovery(SegmentFiles& files, fs::path raw_ring, fs::path engine_ring, const JournalWriterOptions& options,
           base::LocalTime now)
      : files_(files),
        ring_paths_{std::move(raw_ring), std::move(engine_ring)},
        options_(options),
        now_(now) {}

  JournalRecovery run() {
    look();
    for (auto& found : leftovers_) seal(found);
    if (rings_trusted_) move_rings();
    for (const auto& path : unfinished_) ::unlink(path.c_str());
    for (const auto& path : ring_paths_) ::unlink(path.c_str());
    return report_;
  }
  /// To be told once the rings of the run before are gone: until then its segments say what the rings still
  /// hold.
  const std::vector<JournalWriterOptions::Sealed>& sealed() const { return done_; }
  const std::vector<record::JournalNotice>& notices() const { return notices_; }
  /// What was lost and no segment could say.
  std::string unnamed_loss() const {
    const bool lost = report_.after_reboot || (!leftovers_.empty() && !rings_trusted_);
    return lost && !loss_named_ ? "the run before this one ended with the machine: at most one sync interval"
                                : "";
  }

 private:
  struct Found {
    SegmentId id;
    SegmentState state = SegmentState::open;
    Place place = Place::first;
    fs::path path;
  };

  /// Reads everything that can refuse the start before anything is changed.
  void look() {
    for (std::size_t i = 0; i < files_.places(); ++i) {
      const auto place = static_cast<Place>(i);
      for (const auto& entry : fs::directory_iterator(files_.at(place).path())) {
        const auto file = record::parse_segment_name(entry.path().filename().string());
        if (!file) {
          if (entry.path().extension() == ".tmp") unfinished_.push_back(entry.path());
          continue;
        }
        if (file->id.epoch >= options_.run_epoch) {
          throw FileError(fmt::format("{}: a run numbered {} or higher has written here already",
                                      entry.path().string(), options_.run_epoch));
        }
        take(Found{file->id, file->state, place, entry.path()});
      }
    }
    const auto by_id = [](const Found& a, const Found& b) { return a.id < b.id; };
    std::sort(leftovers_.begin(), leftovers_.end(), by_id);
    for (std::size_t i = 0; i < rings_.size(); ++i) rings_[i] = RingLeftover::open(ring_paths_[i]);
    for (const auto& ring : rings_)
      report_.after_reboot = report_.after_reboot || (ring && !ring->is_trusted());
    // One alone, or of two runs: the process died while it made or removed them, with nothing in them.
    rings_trusted_ =
        rings_[0] && rings_[1] && !report_.after_reboot && rings_[0]->epoch() == rings_[1]->epoch();
  }

  void take(const Found& found) {
    const MappedFile file{found.path};
    record::JournalReader reader{file.bytes()};
    reader.next();
    if (reader.fault() == record::JournalFault::newer_format)
      throw FileError(fmt::format("{}: {}", found.path.string(), name(record::JournalFault::newer_format)));
    if (reader.head()) {
      for (const auto& end : reader.head()->ends) ends_[{found.id.epoch, end.number}] = end.bytes;
    }
    auto& last = last_of_[found.id.epoch];
    last = std::max(last, found.id.number);
    if (found.state == SegmentState::open) {
      leftovers_.push_back(found);
      return;
    }
    sealed_.push_back(found);
    if (const auto seal = record::find_seal(file.bytes())) note(found.id, seal->tally);
  }

  /// What is on disk of a run, for the records its rings still hold.
  void note(SegmentId id, const record::SegmentTally& tally) {
    auto& next = next_of_[id.epoch];
    for (std::size_t i = 0; i < record::numbered_origins; ++i) {
      if (tally.first[i]) next[i] = std::max(next[i].value_or(0), tally.next[i]);
    }
  }

  void seal(const Found& found) {
    const auto twin =
        std::find_if(sealed_.begin(), sealed_.end(), [&](const Found& one) { return one.id == found.id; });
    const auto end = ends_.find(found.id);
    std::optional<std::uint64_t> limit;
    if (end != ends_.end()) limit = end->second;
    record::LeftoverSegment leftover;
    {
      const MappedFile file{found.path};
      leftover = record::examine_leftover(file.bytes(), limit);
    }
    report_.cut_bytes += leftover.cut_bytes;
    // Retired already, or never synced: what was in it stands in another segment.
    if (twin != sealed_.end() || (leftover.valid_bytes == 0 && (limit == 0 || leftover.cut_bytes == 0))) {
      ::unlink(found.path.c_str());
      return;
    }
    if (leftover.valid_bytes == 0) {
      fs::path aside = found.path;
      aside.replace_extension(".bad");
      if (::rename(found.path.c_str(), aside.c_str()) != 0) throw_errno("rename", found.path);
      return;
    }
    const bool is_last = last_of_[found.id.epoch] == found.id.number;
    const bool tail_known = limit || (is_last && has_ring_of(found.id));
    const auto cause = fmt::format("the run ended with the machine: at most one sync interval; {} bytes cut",
                                   leftover.cut_bytes);
    const auto closing =
        closing_bytes(leftover, tail_known ? record::TailLoss::none : record::TailLoss::unknown, cause, now_);
    loss_named_ = loss_named_ || (!tail_known && !leftover.sealed);
    const Descriptor fd{::open(found.path.c_str(), O_RDWR | O_CLOEXEC)};
    if (!fd.is_open()) throw_errno("open", found.path);
    check(result_of(::ftruncate(*fd, static_cast<off_t>(leftover.valid_bytes))), "cut", found.path);
    int error = write_at(*fd, closing, leftover.valid_bytes);
    if (error == ENOSPC) {
      files_.remove_reserves();
      error = write_at(*fd, closing, leftover.valid_bytes);
    }
    check(error, "seal", found.path);
    check(result_of(::fsync(*fd)), "sync", found.path);
    const fs::path sealed = found.path.parent_path() / file_name(found.id, SegmentState::sealed);
    check(result_of(::rename(found.path.c_str(), sealed.c_str())), "rename", found.path);
    sync_directory(found.path.parent_path());
    note(found.id, leftover.tally);
    ++report_.segments_sealed;
    done_.push_back({sealed, found.id, record::SealReason::recovered, leftover.tally});
  }

  bool has_ring_of(SegmentId id) const { return rings_trusted_ && rings_[0]->epoch() == id.epoch; }

  /// What was pushed and is in no segment goes into one of its own, under the dead run's numbers.
  void move_rings() {
    const std::uint32_t epoch = rings_[0]->epoch();
    const auto last = last_of_.find(epoch);
    std::uint32_t number = std::max(rings_[0]->segment(), rings_[1]->segment());
    if (last != last_of_.end()) number = std::max(number, last->second);
    std::array<std::vector<RingRecord>, record::numbered_origins> left;
    record::Journal::Start start{{epoch, number + 1}, options_.program, {}, {}, false};
    bool any = false;
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      while (const auto bytes = rings_[i]->next()) {
        if (const auto one = ring_record(*bytes)) left[i].push_back(*one);
      }
      const auto on_disk = next_of_[epoch][i];
      start.expected[i] = on_disk           ? *on_disk
                          : left[i].empty() ? rings_[i]->next_number()
                                            : left[i].front().head.sequence;
      std::erase_if(left[i], [&](const RingRecord& one) {
        return one.head.sequence < start.expected[i] || !fits(one, i);
      });
      any = any || !left[i].empty() || rings_[i]->next_number() > start.expected[i];
    }
    if (!any) return;
    write_segment(start, left);
  }

  static bool fits(const RingRecord& one, std::size_t origin) {
    const auto of = record::origin_of(static_cast<std::uint8_t>(one.head.kind));
    return one.head.kind <= UINT8_MAX && of && static_cast<std::size_t>(*of) == origin &&
           one.payload.size() <= record::journal_payload_bytes_max;
  }

  void write_segment(const record::Journal::Start& start,
                     const std::array<std::vector<RingRecord>, record::numbered_origins>& left) {
    auto settings = options_.settings;
    settings.rotate_interval = base::hours{1};
    settings.segment_bytes_max = UINT64_MAX;
    settings.sync_bytes = 1;
    record::Journal journal{settings, start, now_};
    const auto work = [&] {
      while (const auto operation = journal.next(now_, notices_))
        journal.done(files_.perform(*operation), now_, notices_);
      if (journal.all_durable()) return;
      throw FileError(fmt::format("{}: cannot recover what the run before left: {}",
                                  files_.at(Place::first).path().string(), journal.state().fault));
    };
    for (std::size_t i = 0; i < left.size(); ++i) {
      for (const auto& one : left[i]) {
        if (!journal.has_room()) work();
        journal.append(one.head.sequence, base::local_time_ns(one.head.now_ns),
                       static_cast<std::uint8_t>(one.head.kind), one.payload, notices_);
        ++report_.records_from_rings;
      }
      journal.expect(static_cast<Origin>(i), rings_[i]->next_number(), now_, notices_);
    }
    journal.close(record::SealReason::recovered);
    work();
    for (const auto& sealed : journal.take_sealed()) {
      ++report_.segments_sealed;
      done_.push_back({files_.sealed_path(sealed), sealed.id, sealed.reason, sealed.tally});
    }
  }

  static void check(int error, const char* what, const fs::path& path) {
    if (error == 0) return;
    errno = error;
    throw_errno(what, path);
  }

  SegmentFiles& files_;
  std::array<fs::path, record::numbered_origins> ring_paths_;
  const JournalWriterOptions& options_;
  base::LocalTime now_;
  std::vector<Found> leftovers_, sealed_;
  std::vector<fs::path> unfinished_;
  std::map<SegmentId, std::uint64_t> ends_;
  std::map<std::uint32_t, std::uint32_t> last_of_;
  std::map<std::uint32_t, std::array<std::optional<std::uint64_t>, record::numbered_origins>> next_of_;
  std::array<std::optional<RingLeftover>, record::numbered_origins> rings_;
  bool rings_trusted_ = false, loss_named_ = false;
  std::vector<JournalWriterOptions::Sealed> done_;
  std::vector<record::JournalNotice> notices_;
  JournalRecovery report_;
};

/// One producer's side: numbers records and pushes them.
class Producer {
 public:
  Producer(const fs::path& path, std::size_t ring_bytes, std::uint32_t epoch)
      : ring_(path, ring_bytes, epoch) {}

  MappedRing& ring() { return ring_; }
  const MappedRing& ring() const { return ring_; }

  /// The record's number; empty when it was dropped.
  std::optional<std::uint64_t> push(base::LocalTime now, std::uint8_t kind, std::string_view head,
                                    std::string_view body) {
    PHX_ASSERT(head.size() <= input_head_bytes_max, "an input's head is small");
    const std::uint64_t sequence = next_++;
    char joined[sizeof(RingHead) + input_head_bytes_max];
    const RingHead record{sequence, base::ns_of(now), kind};
    std::memcpy(joined, &record, sizeof record);
    if (!head.empty()) std::memcpy(joined + sizeof record, head.data(), head.size());
    const bool taken =
        head.size() + body.size() <= record::journal_payload_bytes_max &&
        ring_.try_push(bytes_of(joined, sizeof record + head.size()), bytes_of(body.data(), body.size()));
    ring_.number_given(next_);
    return taken ? std::optional{sequence} : std::nullopt;
  }

 private:
  MappedRing ring_;
  std::uint64_t next_ = 0;  ///< the producer's
};

}  // namespace

class JournalWriter::Impl {
 public:
  Impl(const fs::path& directory, const RealClock& clock, JournalWriterOptions options)
      : clock_(clock),
        options_(std::move(options)),
        files_(directory, options_.second_directory, options_.settings.reserve_bytes),
        raw_path_(ring_path("raw")),
        engine_path_(ring_path("engine")) {
    Recovery recovery{files_, raw_path_, engine_path_, options_, clock_.now()};
    recovery_ = recovery.run();
    for (const auto& sealed : recovery.sealed())
      if (options_.on_sealed) options_.on_sealed(sealed);
    for (const auto& notice : recovery.notices())
      if (options_.on_notice) options_.on_notice(notice);
    raw_.emplace(raw_path_, options_.raw_ring_bytes, options_.run_epoch);
    engine_.emplace(engine_path_, options_.engine_ring_bytes, options_.run_epoch);
    journal_.emplace(
        options_.settings,
        record::Journal::Start{
            {options_.run_epoch, 0}, options_.program, {}, recovery.unnamed_loss(), files_.places() > 1},
        clock_.now());
    work();
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() { close(); }

  void close() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
    if (!journal_->is_closed()) return;
    files_.remove_reserves();
    ::unlink(raw_path_.c_str());
    ::unlink(engine_path_.c_str());
  }

  Producer& raw() { return *raw_; }
  Producer& engine() { return *engine_; }

  void roll() {
    {
      const std::lock_guard lock{mutex_};
      roll_wanted_ = true;
    }
    wake_.notify_one();
  }

  JournalStats stats() const {
    JournalStats stats;
    {
      const std::lock_guard lock{mutex_};
      stats = stats_;
    }
    stats.raw_ring = raw_->ring().stats();
    stats.engine_ring = engine_->ring().stats();
    stats.raw_waiting_bytes = raw_->ring().waiting_bytes();
    stats.engine_waiting_bytes = engine_->ring().waiting_bytes();
    if (stats.journal.waiting_since)
      stats.sync_lag = std::max(base::Duration{0}, clock_.now() - *stats.journal.waiting_since);
    return stats;
  }
  const JournalRecovery& recovery() const { return recovery_; }

 private:
  enum class Drained : std::uint8_t { all, until_no_room };

  /// On tmpfs the journals of several directories may lie side by side.
  fs::path ring_path(const char* which) {
    auto& home = files_.at(Place::first);
    if (options_.ring_directory.empty()) return home.path() / fmt::format("{}.ring", which);
    return options_.ring_directory /
           fmt::format("phoenix-{:x}-{:x}-{}.ring", home.identity().st_dev, home.identity().st_ino, which);
  }

  void run() {
    Drained drained = Drained::all;
    for (bool stopping = false; !stopping;) {
      {
        std::unique_lock lock{mutex_};
        if (drained == Drained::all || !journal_->has_room())
          wake_.wait_for(lock, options_.poll_interval, [this] { return stopping_ || roll_wanted_; });
        stopping = stopping_;
        if (std::exchange(roll_wanted_, false)) journal_->roll();
      }
      drained = drain();
      work();
    }
    drain_to_the_end();
  }

  /// The producers are done: everything that is left, as long as it takes within the timeout.
  void drain_to_the_end() {
    const auto give_up = clock_.now() + options_.close_timeout;
    while (clock_.now() < give_up) {
      const Drained drained = drain();
      if (drained == Drained::all) journal_->close();
      work();
      if (journal_->is_closed()) return;
      std::unique_lock lock{mutex_};
      if (drained == Drained::all || !journal_->has_room())
        wake_.wait_for(lock, options_.poll_interval, [] { return false; });
    }
  }

  /// Moves what is in the rings into the machine: the engine's tail is noted before the network's, and
  /// everything of the network up to there goes first, so that a raw record always stands before the record
  /// of its consumption.
  Drained drain() {
    if (stage_ == Stage::look) {
      engine_next_ = engine_->ring().next_number();
      engine_tail_ = engine_->ring().tail();
      raw_next_ = raw_->ring().next_number();
      raw_tail_ = raw_->ring().tail();
      stage_ = Stage::raw;
    }
    if (stage_ == Stage::raw) {
      if (take(raw_->ring(), raw_tail_) != Drained::all) return Drained::until_no_room;
      journal_->expect(Origin::network, raw_next_, clock_.now(), notices_);
      stage_ = Stage::engine;
    }
    if (take(engine_->ring(), engine_tail_) != Drained::all) return Drained::until_no_room;
    journal_->expect(Origin::engine, engine_next_, clock_.now(), notices_);
    stage_ = Stage::look;
    return Drained::all;
  }

  Drained take(MappedRing& ring, std::uint64_t tail) {
    while (journal_->has_room()) {
      const auto bytes = ring.read_before(tail);
      if (!bytes) return Drained::all;
      const auto one = *ring_record(*bytes);
      journal_->append(one.head.sequence, base::local_time_ns(one.head.now_ns),
                       static_cast<std::uint8_t>(one.head.kind), one.payload, notices_);
    }
    return Drained::until_no_room;
  }

  /// Whatever the machine wants done now; then the rings forget what is durable, and only then others hear of
  /// it.
  void work() {
    while (const auto operation = journal_->next(clock_.now(), notices_)) {
      publish();
      const auto begun = clock_.now();
      const int error = perform(*operation);
      const auto ended = clock_.now();
      if (std::holds_alternative<record::SyncSegment>(*operation)) note_sync(ended - begun);
      journal_->done(error, ended, notices_);
      if (std::holds_alternative<record::CreateSegment>(*operation)) {
        raw_->ring().note_segment(journal_->state().segment.number);
        engine_->ring().note_segment(journal_->state().segment.number);
      }
      if (journal_->all_durable()) {
        raw_->ring().release();
        engine_->ring().release();
      }
      tell();
    }
    publish();
    tell();
  }

  int perform(const JournalOperation& operation) {
    if (options_.intercept) {
      if (const auto error = options_.intercept(operation)) return *error;
    }
    return files_.perform(operation);
  }

  void note_sync(base::Duration took) {
    const std::lock_guard lock{mutex_};
    stats_.sync_last = took;
    stats_.sync_max = std::max(stats_.sync_max, took);
  }
  void publish() {
    const std::lock_guard lock{mutex_};
    stats_.journal = journal_->state();
  }
  void tell() {
    for (const auto& sealed : journal_->take_sealed()) {
      if (options_.on_sealed)
        options_.on_sealed({files_.sealed_path(sealed), sealed.id, sealed.reason, sealed.tally});
    }
    for (const auto& notice : std::exchange(notices_, {})) {
      if (options_.on_notice) options_.on_notice(notice);
    }
  }

  const RealClock& clock_;
  JournalWriterOptions options_;
  SegmentFiles files_;
  fs::path raw_path_, engine_path_;
  JournalRecovery recovery_;
  std::optional<Producer> raw_, engine_;

  // The journal's thread.
  std::optional<record::Journal> journal_;
  std::vector<record::JournalNotice> notices_;
  enum class Stage : std::uint8_t { look, raw, engine };
  Stage stage_ = Stage::look;
  std::uint64_t raw_tail_ = 0, engine_tail_ = 0, raw_next_ = 0, engine_next_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false, roll_wanted_ = false;
  JournalStats stats_;
  std::thread thread_;
};

JournalWriter::JournalWriter(const fs::path& directory, const RealClock& clock, JournalWriterOptions options)
    : impl_(std::make_unique<Impl>(directory, clock, std::move(options))) {}
JournalWriter::~JournalWriter() = default;

std::optional<std::uint64_t> JournalWriter::append_raw(base::LocalTime now, std::string_view head,
                                                       std::string_view body) {
  return impl_->raw().push(now, record::journal_kind_raw, head, body);
}
bool JournalWriter::append_input(base::LocalTime now, std::uint8_t kind, std::string_view head,
                                 std::string_view body) {
  PHX_ASSERT(record::origin_of(kind) == Origin::engine, "an input is of a kind the engine writes");
  return impl_->engine().push(now, kind, head, body).has_value();
}
bool JournalWriter::append_consumed(base::LocalTime now, std::uint64_t raw_sequence) {
  char bytes[sizeof raw_sequence];
  std::memcpy(bytes, &raw_sequence, sizeof bytes);
  return impl_->engine().push(now, record::journal_kind_consumed, {bytes, sizeof bytes}, {}).has_value();
}
bool JournalWriter::append_row(base::LocalTime now, std::string_view row) {
  return impl_->engine().push(now, record::journal_kind_row, {}, row).has_value();
}

void JournalWriter::close() { impl_->close(); }
void JournalWriter::roll() { impl_->roll(); }
JournalStats JournalWriter::stats() const { return impl_->stats(); }
const JournalRecovery& JournalWriter::recovery() const { return impl_->recovery(); }

}  // namespace phoenix::io
