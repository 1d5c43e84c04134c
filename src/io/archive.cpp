#include "io/archive.hpp"

#include "base/assert.hpp"
#include "io/descriptor.hpp"
#include "io/duck.hpp"
#include "io/parquet_writer.hpp"
#include "record/row.hpp"
#include "record/sidecar.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace phoenix::io {
namespace {

namespace fs = std::filesystem;
using record::Commit;
using record::CommitPlan;
using record::FileAction;
using record::FileResult;
using record::FoundFile;
using record::Kind;
using record::PartFile;
using record::Partition;
using record::SegmentId;
using record::Sidecar;

constexpr std::size_t deadletter_chunk_bytes = 1U << 20;
constexpr std::size_t sidecar_bytes_max = 64U << 20;
constexpr std::int64_t ns_per_hour = 3'600'000'000'000;

std::int64_t wall_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}
base::LocalTime steady_now() {
  return base::local_time_ns(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                 std::chrono::steady_clock::now().time_since_epoch())
                                 .count());
}

// ---- What lies in a recording ----

struct Segment {
  SegmentId id;
  fs::path file;
  std::uint64_t bytes = 0;
  bool converted = false;  ///< kept, with its marker
};

struct Tree {
  std::vector<FoundFile> files;
  std::vector<std::string> temporaries;
  std::vector<std::string> lone_sidecars;
  std::vector<Segment> segments;  ///< sealed
  std::optional<SegmentId> oldest_open;
  std::vector<std::string> lone_markers;
  bool vanished = false;  ///< a file went while the tree was walked
};

[[noreturn]] void refuse(const fs::path& path, std::string_view what) {
  throw FileError(fmt::format("{}: {}", path.string(), what));
}

Sidecar read_sidecar(const fs::path& path) {
  auto sidecar = record::parse_sidecar(read_file(path, sidecar_bytes_max));
  if (!sidecar) refuse(path, sidecar.error().what);
  return std::move(*sidecar);
}

void check_magic(const fs::path& path) {
  const Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  char magic[record::journal_magic.size()];
  if (!fd.is_open() && errno == ENOENT) return;  // converted meanwhile
  if (!fd.is_open()) throw_errno("open", path);
  const ssize_t got = ::read(*fd, magic, sizeof magic);
  if (got == static_cast<ssize_t>(sizeof magic) &&
      std::string_view{magic, sizeof magic} == record::journal_magic)
    return;
  const bool newer = got >= 6 && std::string_view{magic, 6} == record::journal_magic.substr(0, 6);
  refuse(path, newer ? "is a segment of another format" : "is no segment of a journal");
}

/// Segments in one directory of the journal.
void list_segments(const fs::path& directory, Tree& tree) {
  if (!fs::exists(directory)) return;
  std::set<std::string> markers;
  const std::size_t first = tree.segments.size();
  for (const auto& entry : fs::directory_iterator{directory}) {
    const std::string file_name = entry.path().filename().string();
    if (file_name.ends_with(".done") && record::parse_segment_id(file_name.substr(0, file_name.size() - 5))) {
      markers.insert(file_name.substr(0, file_name.size() - 5));
    }
    const auto segment = record::parse_segment_name(file_name);
    if (!segment) continue;
    if (segment->state == record::SegmentState::open) {
      tree.oldest_open = std::min(tree.oldest_open.value_or(segment->id), segment->id);
    } else {
      std::error_code gone;  // a worker may remove it meanwhile
      const auto bytes = entry.file_size(gone);
      if (!gone) tree.segments.push_back({segment->id, entry.path(), bytes, false});
    }
  }
  for (std::size_t i = first; i < tree.segments.size(); ++i) {
    tree.segments[i].converted = markers.erase(record::text(tree.segments[i].id)) != 0;
  }
  for (const std::string& marker : markers)
    tree.lone_markers.push_back((directory / (marker + ".done")).string());
}

Tree scan_files(const fs::path& directory, const fs::path& second_directory) {
  Tree tree;
  std::set<std::string> sidecars;
  std::map<std::string, std::uint64_t> data;
  for (const auto layer : {record::Layer::raw, record::Layer::preview, record::Layer::ledger}) {
    const fs::path root = directory / record::name(layer);
    if (!fs::exists(root)) continue;
    for (const auto& entry : fs::recursive_directory_iterator{root}) {
      // A recorder that runs renames and removes files while a reader looks.
      std::error_code gone;
      const auto type = entry.symlink_status(gone).type();
      if (type == fs::file_type::directory) continue;
      if (gone || type == fs::file_type::not_found) {
        tree.vanished = true;
        continue;
      }
      const std::string path = entry.path().lexically_relative(directory).generic_string();
      if (type != fs::file_type::regular) refuse(entry.path(), "is no file of a recording");
      if (path.ends_with(".tmp")) {
        tree.temporaries.push_back(path);
      } else if (path.ends_with(".json") && record::parse_part_path(path.substr(0, path.size() - 5))) {
        sidecars.insert(path);
      } else if (record::parse_part_path(path)) {
        const auto bytes = entry.file_size(gone);
        if (!gone) data.emplace(path, bytes);
        tree.vanished = tree.vanished || gone;
      } else {
        refuse(entry.path(), "is no file of a recording");
      }
    }
  }
  const fs::path letters = directory / "deadletter";
  if (fs::exists(letters)) {
    for (const auto& entry : fs::directory_iterator{letters}) {
      if (entry.path().extension() == ".tmp") {
        tree.temporaries.push_back(entry.path().lexically_relative(directory).generic_string());
      }
    }
  }
  list_segments(directory / "journal", tree);
  if (!second_directory.empty()) list_segments(second_directory / "journal", tree);
  std::set<SegmentId> pending;
  for (const Segment& segment : tree.segments) {
    check_magic(segment.file);
    if (!segment.converted) pending.insert(segment.id);
  }
  for (const auto& [path, bytes] : data) {
    FoundFile file{path, std::nullopt};
    const std::string sidecar = record::sidecar_path(path);
    if (sidecars.erase(sidecar) != 0) {
      try {
        file.sidecar = read_sidecar(directory / sidecar);
      } catch (const FileError&) {
        if (fs::exists(directory / sidecar)) throw;
        tree.vanished = true;
        continue;
      }
      const PartFile& part = file.sidecar->part;
      if (record::part_path(part.partition, part.form, part.id) != path)
        refuse(directory / sidecar, "describes another file");
      // Of a segment that will be converted again, data and sidecar may be of two attempts by two versions.
      if (bytes != file.sidecar->size_bytes && !pending.contains(part.id)) {
        refuse(directory / path,
               fmt::format("has {} bytes, its sidecar says {}", bytes, file.sidecar->size_bytes));
      }
    }
    tree.files.push_back(std::move(file));
  }
  tree.lone_sidecars.assign(sidecars.begin(), sidecars.end());
  return tree;
}

Tree scan(const fs::path& directory, const fs::path& second_directory) {
  try {
    Tree tree = scan_files(directory, second_directory);
    // What was compacted while this looked may have been missed in both its forms.
    for (int again = 0; tree.vanished && again < 10; ++again) tree = scan_files(directory, second_directory);
    return tree;
  } catch (const fs::filesystem_error& error) {
    refuse(error.path1(), error.code().message());
  }
}

// ---- Carrying actions out ----

/// A file mapped for reading.
class Mapping {
 public:
  explicit Mapping(const fs::path& path) {
    const Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat status{};
    if (!fd.is_open() || ::fstat(*fd, &status) != 0) throw_errno("open", path);
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, *fd, 0);
    if (data_ == MAP_FAILED) throw_errno("map", path);
  }
  ~Mapping() {
    if (size_ != 0) ::munmap(data_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

void create_and_sync(const fs::path& path, const std::function<void(int)>& fill) {
  const Descriptor fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (!fd.is_open()) throw_errno("create", path);
  fill(*fd);
  if (::fsync(*fd) != 0) throw_errno("sync", path);
}

/// Where a commit's rows come from.
struct Source {
  std::function<base::Result<ParquetWritten, ParquetError>(std::size_t file, const fs::path& path)>
      write_rows;
  std::function<void(int fd, const fs::path& path)> write_deadletter{};
};

class Shell {
 public:
  Shell(const fs::path& directory, const ArchiveOptions& options)
      : directory_{directory}, options_{options} {}

  /// FileError with the commit's fault when it fails.
  Commit run(CommitPlan plan, const Source& source) {
    Commit commit{std::move(plan)};
    while (commit.state() == Commit::State::running) {
      const FileAction action = commit.action();
      FileResult result;
      try {
        result = perform(commit, action, source);
      } catch (const std::exception& error) {
        result = record::Failed{error.what()};
      }
      commit.step(result);
      if (options_.after_action) options_.after_action(action);
    }
    if (commit.state() == Commit::State::failed) throw FileError(commit.fault());
    return commit;
  }

  ParquetWriter& writer() {
    if (!writer_) {
      ParquetWriterOptions options;
      options.memory_bytes_max = options_.writer_memory_bytes_max;
      writer_ = std::make_unique<ParquetWriter>(options);
    }
    return *writer_;
  }

 private:
  FileResult perform(const Commit& commit, const FileAction& action, const Source& source) {
    const fs::path path = directory_ / action.path;
    switch (action.kind) {
      case FileAction::Kind::make_directory:
        if (::mkdir(path.c_str(), 0755) != 0 && (errno != EEXIST || !fs::is_directory(path)))
          throw_errno("create", path);
        break;
      case FileAction::Kind::sync_directory:
        sync_directory(path);
        break;
      case FileAction::Kind::write_rows: {
        auto written = source.write_rows(action.file, path);
        if (!written) return record::Failed{written.error().what};
        return record::Written{written->rows, written->size_bytes, written->sha256, written->content_hash};
      }
      case FileAction::Kind::read_back: {
        const auto read = writer().read_back(commit.files()[action.file].part.partition.kind, path);
        if (!read) return record::Failed{read.error().what};
        return record::ReadBack{read->rows, read->content_hash};
      }
      case FileAction::Kind::write_deadletter:
        create_and_sync(path, [&](int fd) { source.write_deadletter(fd, path); });
        break;
      case FileAction::Kind::write_text:
        create_and_sync(path, [&](int fd) { write_all(fd, action.text, path); });
        break;
      case FileAction::Kind::rename:
        if (::rename(path.c_str(), (directory_ / action.to).c_str()) != 0) throw_errno("rename", path);
        break;
      case FileAction::Kind::remove:
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path);
        break;
    }
    return record::Done{};
  }

  fs::path directory_;
  const ArchiveOptions& options_;
  std::unique_ptr<ParquetWriter> writer_;
};

// ---- Conversion ----

std::string marker_of(std::string_view segment_path) {
  return fmt::format("{}.done", segment_path.substr(0, segment_path.rfind('.')));
}

struct Converted {
  std::vector<Sidecar> files;
  std::uint64_t rows = 0, refused = 0, losses = 0;
};

Converted convert(const fs::path& directory, const ArchiveOptions& options, Shell& shell, SegmentId id,
                  const fs::path& file) {
  if (!fs::exists(file)) {
    // An attempt before this one came as far as removing it and failed to make that durable.
    sync_directory(file.parent_path());
    return {};
  }
  const Mapping mapping{file};
  record::SegmentRows rows{id, mapping.bytes()};
  if (const auto read = rows.read(); !read) refuse(file, record::name(read.error()));
  CommitPlan plan = rows.plan(options.program);
  // A path that does not lie in the recording stays absolute.
  const fs::path relative = fs::absolute(file).lexically_relative(fs::absolute(directory));
  const std::string path =
      relative.begin()->string() == ".." ? fs::absolute(file).string() : relative.generic_string();
  if (options.segments == SegmentPolicy::keep) {
    plan.marker = marker_of(path);
  } else {
    plan.sources = {path};
  }
  const std::vector<Sidecar> files = plan.files;
  const Source source{
      .write_rows =
          [&](std::size_t index, const fs::path& to) {
            const Partition& partition = files[index].part.partition;
            return shell.writer().write(partition.kind, rows.rows(index), to,
                                        {partition.symbol, record::text(id), options.program});
          },
      .write_deadletter =
          [&](int fd, const fs::path& to) {
            std::string text;
            for (std::size_t line = 0; line < rows.refused_count(); text.clear()) {
              line = rows.deadletter(line, deadletter_chunk_bytes, text);
              write_all(fd, text, to);
            }
          },
  };
  const Commit commit = shell.run(std::move(plan), source);
  return {commit.files(), rows.rows_count(), rows.refused_count(), rows.losses_count()};
}

// ---- Merging parts ----

/// The rows of Parquet parts as encoded rows again. They lie in a temporary file, so that an hour of any size
/// needs 24 bytes of memory a row.
class PartRows {
 public:
  PartRows(const Partition& partition, fs::path temporary)
      : partition_{partition},
        definition_{record::schema(partition.kind)},
        path_{std::move(temporary)},
        fd_{::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)} {
    if (!fd_.is_open()) throw_errno("create", path_);
  }
  ~PartRows() { ::unlink(path_.c_str()); }
  PartRows(const PartRows&) = delete;
  PartRows& operator=(const PartRows&) = delete;

  void read(Duck& duck, const fs::path& part) {
    DuckRows rows = duck.query(
        fmt::format("SELECT {} FROM read_parquet({}, hive_partitioning = false)", columns(), pattern(part)));
    while (rows.next()) encode(rows);
  }

  /// Sorted as the kind is; equal rows in the order they came.
  std::vector<std::string_view> finish() {
    flush();
    mapping_.emplace(path_);
    const auto bytes = mapping_->bytes();
    const auto& by = definition_.sort;
    const auto row_of = [&](const Entry& entry) {
      return *record::decode_row(bytes.substr(entry.offset, entry.size));
    };
    std::sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) {
      if (a.key != b.key) return a.key < b.key;
      if (by.size() == 2) {
        const int order = row_of(a).text(by[1]).compare(row_of(b).text(by[1]));
        if (order != 0) return order < 0;
      }
      return a.offset < b.offset;
    });
    std::vector<std::string_view> views;
    views.reserve(entries_.size());
    for (const Entry& entry : entries_) views.push_back(bytes.substr(entry.offset, entry.size));
    return views;
  }

 private:
  struct Entry {
    std::int64_t key = 0;
    std::uint64_t offset = 0;
    std::uint32_t size = 0;
  };

  std::string columns() const {
    std::string list;
    for (const record::Column& column : definition_.columns) {
      if (!list.empty()) list += ", ";
      if (column.type == record::Type::levels) {
        list += fmt::format(
            "array_to_string(list_transform({0}, x -> x.price::VARCHAR || ' ' || x.qty::VARCHAR), ' ')",
            column.name);
      } else {
        list += column.name;
      }
    }
    return list;
  }
  static std::string pattern(const fs::path& path) {
    std::string escaped;
    for (const char c : path.string()) {
      if (c == '*' || c == '?' || c == '[') {
        escaped += {'[', c, ']'};
      } else {
        escaped += c;
      }
    }
    return sql_literal(escaped);
  }

  void encode(const DuckRows& rows) {
    const std::size_t start = buffer_.size();
    record::RowWriter row{partition_.kind, partition_.symbol, buffer_};
    Entry entry{.offset = flushed_ + start};
    for (std::size_t i = 0; i < definition_.columns.size(); ++i) {
      if (rows.is_null(i)) {
        row.null();
        continue;
      }
      switch (definition_.columns[i].type) {
        case record::Type::boolean:
          row.boolean(rows.boolean(i));
          break;
        case record::Type::integer:
          row.integer(rows.integer(i));
          break;
        case record::Type::decimal:
          row.decimal(model::Price::from_raw(rows.integer(i)));
          break;
        case record::Type::time:
          row.time(base::local_time_ns(rows.integer(i)));
          break;
        case record::Type::number:
          row.number(rows.number(i));
          break;
        case record::Type::text:
          row.text(rows.text(i));
          break;
        case record::Type::levels:
          row.levels(levels_of(rows.text(i)));
          break;
      }
    }
    row.finish();
    entry.size = static_cast<std::uint32_t>(buffer_.size() - start);
    entry.key = rows.integer(definition_.sort[0]);
    entries_.push_back(entry);
    if (buffer_.size() >= (1U << 20)) flush();
  }

  /// Of "price qty price qty ...", each with its eight decimals.
  const std::vector<model::Level>& levels_of(std::string_view text) {
    levels_.clear();
    const auto next = [&text] {
      std::int64_t value = 0;
      const bool negative = text.starts_with('-');
      std::size_t at = negative ? 1 : 0;
      for (; at < text.size() && text[at] != ' '; ++at) {
        if (text[at] != '.') value = value * 10 + (text[at] - '0');
      }
      text.remove_prefix(std::min(at + 1, text.size()));
      return negative ? -value : value;
    };
    while (!text.empty()) {
      const auto price = next();
      levels_.push_back({model::Price::from_raw(price), model::Qty::from_raw(next())});
    }
    return levels_;
  }

  void flush() {
    write_all(*fd_, buffer_, path_);
    flushed_ += buffer_.size();
    buffer_.clear();
  }

  const Partition& partition_;
  const record::Schema& definition_;
  fs::path path_;
  Descriptor fd_;
  std::string buffer_;
  std::uint64_t flushed_ = 0;
  std::vector<Entry> entries_;
  std::vector<model::Level> levels_;
  std::optional<Mapping> mapping_;
};

// ---- Export ----

/// Whether the command ended with 0 in time.
bool run_hook(const std::string& command, const fs::path& file, const fs::path& sidecar,
              base::Duration timeout) {
  std::string shell = "sh", flag = "-c", text = command, zero = "export", one = file.string(),
              two = sidecar.string();
  char* const arguments[] = {shell.data(), flag.data(), text.data(), zero.data(),
                             one.data(),   two.data(),  nullptr};
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, "/bin/sh", nullptr, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return false;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= deadline) {
      ::kill(-pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// ---- Clean-up ----

ArchiveRecovery clean_up(const fs::path& directory, const ArchiveOptions& options, Shell& shell, Tree& tree) {
  ArchiveRecovery recovery;
  const auto remove = [&](const fs::path& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path);
  };
  for (const std::string& path : tree.temporaries) remove(directory / path);
  recovery.temporaries_removed = tree.temporaries.size();
  for (const std::string& path : tree.lone_sidecars) remove(directory / path);
  for (const std::string& path : tree.lone_markers) remove(path);
  CommitPlan removals = record::plan_removals(tree.files);
  const std::set<std::string> gone(removals.sources.begin(), removals.sources.end());
  recovery.files_removed = gone.size();
  // Kept segments that retention had named; their markers were removed after them, or are lone ones next
  // time.
  for (const FoundFile& file : tree.files) {
    if (!file.sidecar) continue;
    for (const std::string& path : file.sidecar->removes) {
      if (path.starts_with("journal/") && fs::exists(directory / path)) {
        removals.sources.push_back(path);
        removals.leftovers.push_back(marker_of(path));
        std::erase_if(tree.segments,
                      [&](const Segment& segment) { return segment.file == directory / path; });
      }
    }
  }
  shell.run(std::move(removals), {});
  std::set<SegmentId> pending;
  for (const Segment& segment : tree.segments) {
    if (!segment.converted) pending.insert(segment.id);
  }
  std::vector<FoundFile> files;
  for (FoundFile& file : tree.files) {
    if (gone.contains(file.path)) continue;
    if (file.sidecar) {
      files.push_back(std::move(file));
    } else if (const auto part = record::parse_part_path(file.path); !pending.contains(part->id)) {
      recovery.unexplained.push_back(file.path);
    }
  }
  tree.files = std::move(files);
  // What a process that died had done may stand in memory only: what is built on it comes after it.
  for (const fs::path& place : {directory, options.second_directory}) {
    if (!place.empty() && fs::exists(place / "journal")) sync_directory(place / "journal");
  }
  return recovery;
}

}  // namespace

std::string_view name(ArchiveEvent event) {
  constexpr std::string_view names[] = {"converted", "compacted", "exported", "retired",
                                        "refused",   "failed",    "disk"};
  return names[static_cast<std::size_t>(event)];
}

std::vector<FoundFile> find_files(const fs::path& directory) { return scan(directory, {}).files; }

ArchiveRecovery recover(const fs::path& directory, const ArchiveOptions& options,
                        const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  Tree tree = scan(directory, options.second_directory);
  Shell shell{directory, options};
  ArchiveRecovery recovery = clean_up(directory, options, shell, tree);
  std::sort(tree.segments.begin(), tree.segments.end(),
            [](const Segment& a, const Segment& b) { return a.id < b.id; });
  const auto unconverted = static_cast<std::uint64_t>(
      std::ranges::count_if(tree.segments, [](const Segment& segment) { return !segment.converted; }));
  for (const Segment& segment : tree.segments) {
    if (segment.converted) continue;
    const Converted converted = convert(directory, options, shell, segment.id, segment.file);
    ++recovery.segments_converted;
    recovery.rows_refused += converted.refused;
    recovery.records_lost += converted.losses;
    if (progress) progress(recovery.segments_converted, unconverted);
  }
  return recovery;
}

class Archive::Impl {
 public:
  Impl(const fs::path& directory, const ArchiveOptions& options, Events events)
      : directory_{directory},
        options_{options},
        events_{std::move(events)},
        upkeep_shell_{directory_, options_},
        forecast_{options.retention.disk_bytes_reserve} {
    if (options.workers < 1 || options.workers > 10) {
      throw FileError(fmt::format("{} conversion workers: 1 to 10 are possible", options.workers));
    }
    Tree tree = scan(directory_, options_.second_directory);
    recovery_ = clean_up(directory_, options_, upkeep_shell_, tree);
    for (const FoundFile& file : tree.files) hold(*file.sidecar);
    for (const Segment& segment : tree.segments) {
      if (!segment.converted) pending_.emplace(segment.id, Pending{segment.file, {}, 0, false});
    }
    for (const std::string& path : recovery_.unexplained) {
      tell(ArchiveEvent::refused, fmt::format("file={} reason=\"no sidecar and no segment\"", path));
    }
    measure_disk();
    for (unsigned i = 0; i < options.workers; ++i) threads_.emplace_back([this] { work(); });
    threads_.emplace_back([this] { keep_up(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void take(SegmentId id, const fs::path& file) {
    {
      const std::lock_guard lock{mutex_};
      pending_.emplace(id, Pending{file, {}, 0, false});
    }
    wake_.notify_all();
  }

  ArchiveStats stats() const {
    const std::lock_guard lock{mutex_};
    ArchiveStats stats = stats_;
    stats.backlog = pending_.size();
    stats.fault = !upkeep_fault_.empty() ? upkeep_fault_ : "";
    for (const auto& [id, pending] : pending_) {
      if (!pending.fault.empty()) stats.fault = pending.fault;
    }
    return stats;
  }

  bool drain(base::Duration timeout) {
    std::unique_lock lock{mutex_};
    return drained_.wait_for(lock, timeout, [this] { return pending_.empty(); });
  }

  void upkeep() {
    const std::lock_guard upkeep{upkeep_mutex_};
    std::string fault;
    try {
      finish_removals();
      compact();
      export_files();
      retire();
    } catch (const std::exception& error) {
      fault = error.what();
      tell(ArchiveEvent::failed, fmt::format("upkeep error=\"{}\"", fault));
    }
    measure_disk();
    const std::lock_guard lock{mutex_};
    if (!fault.empty()) ++stats_.upkeep_failed;
    upkeep_fault_ = std::move(fault);
  }

  const ArchiveRecovery& recovery() const { return recovery_; }

 private:
  struct Pending {
    fs::path file;
    std::chrono::steady_clock::time_point not_before;
    unsigned attempts = 0;
    bool busy = false;
    std::string fault{};
  };
  /// What is remembered of a committed file; its sidecar has the rest.
  struct Held {
    record::PartForm form = record::PartForm::part;
    SegmentId id;
    std::uint64_t rows = 0, bytes = 0;
    std::int64_t event_time_ns_min = 0, event_time_ns_max = 0;
    std::optional<std::int64_t> first_id, last_id;
    bool exported = false;
  };

  void tell(ArchiveEvent event, const std::string& text) {
    const std::lock_guard lock{events_mutex_};
    if (events_) events_(event, text);
  }

  void hold(const Sidecar& sidecar) {
    auto& files = held_[sidecar.part.partition];
    std::erase_if(files,
                  [&](const Held& h) { return h.form == sidecar.part.form && h.id == sidecar.part.id; });
    files.push_back({sidecar.part.form, sidecar.part.id, sidecar.rows, sidecar.size_bytes,
                     sidecar.event_time_ns_min, sidecar.event_time_ns_max, sidecar.first_id, sidecar.last_id,
                     sidecar.exported_ns.has_value()});
  }

  // ---- workers ----

  void work() {
    Shell shell{directory_, options_};
    std::unique_lock lock{mutex_};
    while (!stopping_) {
      const auto now = std::chrono::steady_clock::now();
      auto wake_at = now + std::chrono::hours{1};
      auto due = pending_.end();
      for (auto it = pending_.begin(); it != pending_.end() && due == pending_.end(); ++it) {
        if (it->second.busy) continue;
        if (it->second.not_before <= now) due = it;
        wake_at = std::min(wake_at, it->second.not_before);
      }
      if (due == pending_.end()) {
        wake_.wait_until(lock, wake_at);
        continue;
      }
      due->second.busy = true;
      const SegmentId id = due->first;
      const fs::path file = due->second.file;
      lock.unlock();
      convert_one(shell, id, file);
      lock.lock();
    }
  }

  void convert_one(Shell& shell, SegmentId id, const fs::path& file) {
    try {
      const auto begin = std::chrono::steady_clock::now();
      const Converted converted = convert(directory_, options_, shell, id, file);
      const auto took =
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
      std::uint64_t bytes = 0;
      for (const Sidecar& sidecar : converted.files) bytes += sidecar.size_bytes;
      tell(ArchiveEvent::converted,
           fmt::format("segment={} rows={} files={} bytes={} ms={}", record::text(id), converted.rows,
                       converted.files.size(), bytes, took.count()));
      if (converted.refused != 0 || converted.losses != 0) {
        tell(ArchiveEvent::refused,
             fmt::format("segment={} rows_refused={} losses={} file={}", record::text(id), converted.refused,
                         converted.losses, converted.refused != 0 ? record::deadletter_path(id) : ""));
      }
      {
        const std::lock_guard lock{mutex_};
        for (const Sidecar& sidecar : converted.files) note(sidecar);
        ++stats_.segments_converted;
        stats_.rows_refused += converted.refused;
        stats_.records_lost += converted.losses;
        pending_.erase(id);
      }
      drained_.notify_all();
    } catch (const std::exception& error) {
      tell(ArchiveEvent::failed, fmt::format("segment={} error=\"{}\"", record::text(id), error.what()));
      {
        const std::lock_guard lock{mutex_};
        Pending& pending = pending_.at(id);
        const auto wait = options_.retry_min * (std::int64_t{1} << std::min(pending.attempts, 20U));
        pending.not_before =
            std::chrono::steady_clock::now() + std::min<base::Duration>(wait, options_.retry_max);
        ++pending.attempts;
        pending.busy = false;
        pending.fault = error.what();
        ++stats_.conversions_failed;
      }
      wake_.notify_all();
    }
  }

  void note(const Sidecar& sidecar) {
    hold(sidecar);
    auto& kind = stats_.kinds[static_cast<std::size_t>(sidecar.part.partition.kind)];
    ++kind.files;
    kind.rows += sidecar.rows;
    kind.bytes += sidecar.size_bytes;
    written_bytes_ += sidecar.size_bytes;
    if (sidecar.event_time_ns_max >= kind.last_event_time_ns) {
      kind.last_event_time_ns = sidecar.event_time_ns_max;
      kind.last_commit_ns = wall_ns();
    }
  }

  // ---- upkeep ----

  void keep_up() {
    std::unique_lock lock{mutex_};
    while (!stopping_) {
      const auto due = std::chrono::steady_clock::now() + options_.upkeep_interval;
      while (!stopping_ && std::chrono::steady_clock::now() < due) wake_.wait_until(lock, due);
      if (stopping_) return;
      lock.unlock();
      upkeep();
      lock.lock();
    }
  }
  bool stopping() const {
    const std::lock_guard lock{mutex_};
    return stopping_;
  }

  /// The first segment that is not in files, however it got there.
  std::optional<SegmentId> oldest_pending() const {
    Tree tree;
    list_segments(directory_ / "journal", tree);
    if (!options_.second_directory.empty()) list_segments(options_.second_directory / "journal", tree);
    std::optional<SegmentId> oldest = tree.oldest_open;
    for (const Segment& segment : tree.segments) {
      if (!segment.converted) oldest = std::min(oldest.value_or(segment.id), segment.id);
    }
    const std::lock_guard lock{mutex_};
    if (!pending_.empty())
      oldest = std::min(oldest.value_or(pending_.begin()->first), pending_.begin()->first);
    return oldest;
  }

  bool is_settled(const Partition& partition) const {
    return (partition.hour + 1) * ns_per_hour + options_.compaction.settle.count() <= wall_ns();
  }

  std::vector<FoundFile> files_of(const Partition& partition) const {
    std::vector<FoundFile> files;
    const std::string place = record::directory(partition);
    if (!fs::exists(directory_ / place)) return files;
    for (const auto& entry : fs::directory_iterator{directory_ / place}) {
      const std::string path = place + "/" + entry.path().filename().string();
      if (!record::parse_part_path(path)) continue;
      FoundFile& file = files.emplace_back(FoundFile{path, std::nullopt});
      const fs::path sidecar = directory_ / record::sidecar_path(path);
      if (fs::exists(sidecar)) file.sidecar = read_sidecar(sidecar);
    }
    std::sort(files.begin(), files.end(),
              [](const FoundFile& a, const FoundFile& b) { return a.path < b.path; });
    return files;
  }

  /// What a failed attempt left to be removed. Nothing else may be decided before.
  void finish_removals() {
    std::vector<FoundFile> files;
    for (const Partition& place : unfinished_) {
      for (FoundFile& file : files_of(place)) files.push_back(std::move(file));
    }
    upkeep_shell_.run(record::plan_removals(files), {});
    settle_accounts();
  }

  /// What was to be done in the places begun is done.
  void settle_accounts() {
    for (const Partition& place : unfinished_) {
      // The lock stands over the listing: a file that a worker commits meanwhile is in it, or is noted after
      // it.
      const std::lock_guard lock{mutex_};
      held_.erase(place);
      const auto files = files_of(place);
      for (const std::size_t i : record::live_parts(files)) hold(*files[i].sidecar);
    }
    unfinished_.clear();
  }

  void compact() {
    const auto oldest = oldest_pending();
    std::vector<Partition> places;
    {
      const std::lock_guard lock{mutex_};
      for (const auto& [partition, files] : held_) {
        if (files.size() > 1 && is_settled(partition)) places.push_back(partition);
      }
    }
    for (const Partition& place : places) {
      const auto files = files_of(place);
      for (auto& compaction :
           record::plan_compactions(files, oldest, wall_ns(), options_.compaction, options_.program)) {
        if (stopping()) return;
        unfinished_.insert(place);
        merge(compaction, files);
        settle_accounts();
        const std::lock_guard lock{mutex_};
        ++stats_.hours_compacted;
      }
    }
  }

  void merge(const record::Compaction& compaction, const std::vector<FoundFile>& files) {
    const Sidecar hour = compaction.plan.files.front();
    const Partition& partition = hour.part.partition;
    // Bit rot in a part must not become the truth of the hour file.
    for (const FoundFile& file : files) {
      if (std::find(compaction.parts.begin(), compaction.parts.end(), file.path) == compaction.parts.end())
        continue;
      const auto content = upkeep_shell_.writer().read_back(partition.kind, directory_ / file.path);
      if (!content) throw FileError(content.error().what);
      if (content->rows != file.sidecar->rows || content->content_hash != file.sidecar->content_hash) {
        refuse(directory_ / file.path, "is not what its sidecar says");
      }
    }
    const std::string path = record::part_path(partition, hour.part.form, hour.part.id);
    const Source source{.write_rows = [&](std::size_t, const fs::path& to) {
      PartRows rows{partition, to.string() + ".rows.tmp"};
      if (!duck_)
        duck_ = std::make_unique<Duck>(DuckOptions{.memory_bytes_max = options_.writer_memory_bytes_max});
      for (const std::string& part : compaction.parts) rows.read(*duck_, directory_ / part);
      return upkeep_shell_.writer().write(partition.kind, rows.finish(), to,
                                          {partition.symbol, record::text(hour.part.id), options_.program});
    }};
    upkeep_shell_.run(compaction.plan, source);
    tell(ArchiveEvent::compacted,
         fmt::format("file={} rows={} parts={}", path, hour.rows, compaction.parts.size()));
  }

  void export_files() {
    if (options_.export_command.empty()) return;
    std::vector<std::pair<Partition, Held>> files;
    {
      const std::lock_guard lock{mutex_};
      for (const auto& [partition, held] : held_) {
        if (held.size() == 1 && !held.front().exported && is_settled(partition))
          files.emplace_back(partition, held.front());
      }
    }
    for (const auto& [partition, file] : files) {
      if (stopping()) return;
      const std::string path = record::part_path(partition, file.form, file.id);
      const std::string sidecar_path = record::sidecar_path(path);
      if (!run_hook(options_.export_command, directory_ / path, directory_ / sidecar_path,
                    options_.export_timeout)) {
        throw FileError(fmt::format("the export command failed for {}", path));
      }
      Sidecar sidecar = read_sidecar(directory_ / sidecar_path);
      sidecar.exported_ns = wall_ns();
      write_file_atomically(directory_ / sidecar_path, record::to_json(sidecar));
      tell(ArchiveEvent::exported, fmt::format("file={}", path));
      const std::lock_guard lock{mutex_};
      hold(sidecar);
      ++stats_.files_exported;
    }
  }

  void retire() {
    const auto& retention = options_.retention;
    if (retention.keep_days == 0 && retention.disk_bytes_max == 0 && retention.disk_bytes_reserve == 0)
      return;
    while (!stopping()) {
      const auto files = retention_files();
      const auto retired = record::retire(files, retention, disk_use(), wall_ns());
      if (retired.empty()) return;
      const auto second = static_cast<std::uint32_t>(wall_ns() / 1'000'000'000);
      last_entry_ = std::max(last_entry_ + 1, second);
      auto retirement =
          record::plan_retirement(files, retired, {options_.epoch, last_entry_}, options_.program);
      const std::vector<Sidecar> ledger = retirement.plan.files;
      std::uint64_t bytes = 0;
      for (const Sidecar& entry : ledger) unfinished_.insert(entry.part.partition);
      for (const std::size_t i : retired) {
        bytes += files[i].size_bytes;
        if (const auto part = record::parse_part_path(files[i].path)) unfinished_.insert(part->partition);
      }
      const Source source{.write_rows = [&](std::size_t index, const fs::path& to) {
        const std::vector<std::string_view> rows(retirement.rows[index].begin(),
                                                 retirement.rows[index].end());
        return upkeep_shell_.writer().write(
            Kind::coverage, rows, to, {ledger[index].part.partition.symbol, "retention", options_.program});
      }};
      upkeep_shell_.run(std::move(retirement.plan), source);
      settle_accounts();
      tell(ArchiveEvent::retired,
           fmt::format("files={} bytes={} oldest={}", retired.size(), bytes, files[retired.front()].path));
      const std::lock_guard lock{mutex_};
      stats_.files_retired += retired.size();
      stats_.bytes_retired += bytes;
    }
  }

  std::vector<record::RetentionFile> retention_files() const {
    std::vector<record::RetentionFile> files;
    {
      const std::lock_guard lock{mutex_};
      for (const auto& [partition, held] : held_) {
        if (partition.kind == Kind::coverage) continue;
        for (const Held& file : held) {
          files.push_back({record::part_path(partition, file.form, file.id), partition.hour, file.bytes,
                           file.rows, file.first_id, file.last_id, file.event_time_ns_min,
                           file.event_time_ns_max, partition.symbol,
                           std::string{record::name(partition.kind)}, file.exported});
        }
      }
    }
    Tree tree;
    list_segments(directory_ / "journal", tree);
    for (const Segment& segment : tree.segments) {
      struct stat status{};
      if (!segment.converted || ::stat(segment.file.c_str(), &status) != 0) continue;
      const std::int64_t time_ns =
          status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec;
      // Its rows were converted, verified and, where asked for, exported as files; the bytes of it are a
      // convenience.
      files.push_back({record::segment_path(segment.id, record::SegmentState::sealed), time_ns / ns_per_hour,
                       segment.bytes, 0, std::nullopt, std::nullopt, time_ns, time_ns,
                       std::string{record::whole_recording}, "journal", true});
    }
    return files;
  }

  record::DiskUse disk_use() const {
    record::DiskUse use;
    Tree tree;
    list_segments(directory_ / "journal", tree);
    for (const Segment& segment : tree.segments) use.recording_bytes += segment.bytes;
    {
      const std::lock_guard lock{mutex_};
      for (const auto& [partition, held] : held_) {
        for (const Held& file : held) use.recording_bytes += file.bytes;
      }
    }
    struct statvfs disk{};
    if (::statvfs(directory_.c_str(), &disk) == 0) {
      use.free_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
      use.total_bytes = std::uint64_t{disk.f_blocks} * disk.f_frsize;
    }
    return use;
  }

  void measure_disk() {
    const record::DiskUse use = disk_use();
    std::optional<std::string> change;
    {
      const std::lock_guard lock{mutex_};
      const record::DiskLevel before = forecast_.level();
      forecast_.sample(steady_now(), written_bytes_, use);
      stats_.recording_bytes = use.recording_bytes;
      stats_.free_bytes = use.free_bytes;
      stats_.total_bytes = use.total_bytes;
      stats_.hours_left = forecast_.hours_left();
      stats_.disk = forecast_.level();
      stats_.files = 0;
      for (const auto& [partition, held] : held_) stats_.files += held.size();
      if (before != stats_.disk) {
        change = fmt::format("level={} free_bytes={} total_bytes={}", record::name(stats_.disk),
                             use.free_bytes, use.total_bytes);
        if (stats_.hours_left) *change += fmt::format(" hours_left={:.1f}", *stats_.hours_left);
      }
    }
    if (change) tell(ArchiveEvent::disk, *change);
  }

  const fs::path directory_;
  const ArchiveOptions options_;
  Events events_;
  std::mutex events_mutex_;
  ArchiveRecovery recovery_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, drained_;
  bool stopping_ = false;
  std::map<SegmentId, Pending> pending_;
  std::map<Partition, std::vector<Held>> held_;
  ArchiveStats stats_;
  std::string upkeep_fault_;
  std::uint64_t written_bytes_ = 0;

  std::mutex upkeep_mutex_;  ///< guards what stands below; taken before mutex_
  Shell upkeep_shell_;
  std::unique_ptr<Duck> duck_;
  std::set<Partition> unfinished_;  ///< where a compaction or retention has begun
  std::uint32_t last_entry_ = record::retention_segment_first;
  record::DiskForecast forecast_;  ///< guarded by mutex_

  std::vector<std::thread> threads_;
};

Archive::Archive(const fs::path& directory, const ArchiveOptions& options, Events events)
    : impl_{std::make_unique<Impl>(directory, options, std::move(events))} {}
Archive::~Archive() = default;
void Archive::take(SegmentId id, const fs::path& file) { impl_->take(id, file); }
ArchiveStats Archive::stats() const { return impl_->stats(); }
bool Archive::drain(base::Duration timeout) { return impl_->drain(timeout); }
void Archive::upkeep() { impl_->upkeep(); }
const ArchiveRecovery& Archive::recovery() const { return impl_->recovery(); }

}  // namespace phoenix::io
