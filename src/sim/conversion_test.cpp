#include "record/conversion.hpp"

#include "base/rng.hpp"
#include "record/compaction.hpp"
#include "record/conversion_test_kit.hpp"
#include "record/retention.hpp"
#include "record/sidecar.hpp"
#include "sim/disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// The commit protocol on a simulated disk: power cuts at any disk operation, sectors torn and reordered,
// names that come back as they were, failing writes and syncs, a full disk. A plain file of rows stands in
// Parquet's place.

namespace phoenix::sim {
namespace {

using record::Commit;
using record::CommitPlan;
using record::FileAction;
using record::FileResult;
using record::FoundFile;
using record::Kind;
using record::SegmentId;

/// Steps a careless writer leaves out.
enum class Plant : std::uint8_t {
  none,
  no_data_sync,
  no_sidecar_sync,
  no_directory_sync,
  no_parent_sync,
  segment_first
};

struct PowerCut {};

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// Directories, each with a cache of its own: between two of them nothing is in order.
class Tree {
 public:
  Tree(std::uint64_t seed, DiskFaults faults) : rng_(seed), faults_(faults) {
    disks_.emplace(".", Disk{seed, faults});
  }

  /// The power goes before the n-th disk operation from now.
  void cut_after(std::uint64_t operations) { left_ = operations; }
  void heal() {
    left_.reset();
    faults_ = {};
    for (auto& [path, disk] : disks_) disk.heal();
  }

  int make_directory(const std::string& path) {
    tick();
    Disk::File file = 0;
    const int error = disk(parent_of(path)).create(name_of(path), file);
    if (error == 0) disks_.insert_or_assign(path, Disk{rng_.next(), faults_});
    return error == EEXIST ? 0 : error;
  }
  int sync_directory(const std::string& path) {
    tick();
    return disk(path).sync_directory();
  }
  enum class Sync : std::uint8_t { yes, no };
  int write(const std::string& path, std::string_view bytes, Sync sync) {
    Disk& place = disk(parent_of(path));
    tick();
    place.remove(name_of(path));
    Disk::File file = 0;
    if (const int error = place.create(name_of(path), file)) return error;
    for (std::size_t at = 0; at < bytes.size(); at += 3'000) {
      tick();
      if (const int error = place.write(file, at, bytes.substr(at, 3'000))) return error;
    }
    tick();
    return sync == Sync::yes ? place.sync(file) : 0;
  }
  int rename(const std::string& from, const std::string& to) {
    tick();
    return disk(parent_of(from)).rename(name_of(from), name_of(to));
  }
  int remove(const std::string& path) {
    tick();
    const int error = disk(parent_of(path)).remove(name_of(path));
    return error == ENOENT ? 0 : error;
  }
  void crash() {
    left_.reset();
    for (auto& [path, disk] : disks_) disk.crash();
    // A directory sorts before what is in it.
    for (auto it = disks_.begin(); it != disks_.end();) {
      const std::string& path = it->first;
      const auto parent = disks_.find(parent_of(path));
      const bool there = path == "." || (parent != disks_.end() && contains(parent->second, name_of(path)));
      it = there ? std::next(it) : disks_.erase(it);
    }
  }

  bool exists(const std::string& path) const {
    const auto place = disks_.find(parent_of(path));
    return place != disks_.end() && contains(place->second, name_of(path));
  }
  std::string read(const std::string& path) const {
    return std::string{disks_.at(parent_of(path)).read(name_of(path))};
  }
  std::vector<std::string> files() const {
    std::vector<std::string> all;
    for (const auto& [path, disk] : disks_) {
      for (const std::string& name : disk.names()) {
        std::string file = path == "." ? name : path + "/" + name;
        if (!disks_.contains(file)) all.push_back(std::move(file));
      }
    }
    return all;
  }

 private:
  static bool contains(const Disk& disk, const std::string& name) {
    const auto names = disk.names();
    return std::binary_search(names.begin(), names.end(), name);
  }
  Disk& disk(const std::string& path) { return disks_.at(path); }
  void tick() {
    if (left_ && (*left_)-- == 0) throw PowerCut{};
  }

  base::Rng rng_;
  DiskFaults faults_;
  std::map<std::string, Disk> disks_;
  std::optional<std::uint64_t> left_;
};

std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

std::string plain_file(const std::vector<std::string_view>& rows) {
  std::string bytes;
  for (const std::string_view row : rows) {
    const auto size = static_cast<std::uint32_t>(row.size());
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
    bytes += row;
  }
  return bytes;
}

/// Empty when the file does not hold together.
std::optional<std::vector<std::string>> rows_of(std::string_view bytes) {
  std::vector<std::string> rows;
  while (!bytes.empty()) {
    std::uint32_t size = 0;
    if (bytes.size() < sizeof size) return std::nullopt;
    bytes.copy(reinterpret_cast<char*>(&size), sizeof size);
    if (bytes.size() - sizeof size < size) return std::nullopt;
    rows.emplace_back(bytes.substr(sizeof size, size));
    bytes.remove_prefix(sizeof size + size);
  }
  return rows;
}

/// A recording whose writer dies again and again.
class Recording {
 public:
  Recording(std::uint64_t seed, DiskFaults faults, Plant plant)
      : tree{seed, faults}, rng{seed ^ 0x5eed}, plant_{plant} {}

  void add_segment(SegmentId id) {
    record::test::SegmentText text{id};
    const std::int64_t count = 5 + static_cast<std::int64_t>(rng.below(30));
    for (std::int64_t i = 0; i < count; ++i) {
      // Late rows: some go to the hour before.
      const std::int64_t time =
          record::test::hour_ns + i - (rng.below(4) == 0 ? 3'600 * record::test::second_ns : 0);
      const std::string row = rng.below(3) == 0
                                  ? record::test::ofi_row({.id = next_id_++, .event_time_ns = time})
                                  : record::test::trade_row({.id = next_id_++, .event_time_ns = time});
      text.row(row);
      segments[id].insert(row);
    }
    const std::string bytes = text.finish();
    // How the journal makes a segment durable is not what is looked at here.
    const auto insist = [](auto&& operation) {
      while (operation() != 0) {
      }
    };
    insist([&] { return tree.make_directory("journal"); });
    insist([&] { return tree.sync_directory("."); });
    insist([&] { return tree.write(path_of(id), bytes, Tree::Sync::yes); });
    insist([&] { return tree.sync_directory("journal"); });
  }

  static std::string path_of(SegmentId id) { return record::segment_path(id, record::SegmentState::sealed); }

  Tree tree;
  base::Rng rng;
  std::map<SegmentId, std::multiset<std::string>> segments;

  bool convert(SegmentId id) {
    const std::string bytes = tree.read(path_of(id));
    record::SegmentRows rows{id, bytes};
    if (!rows.read()) return false;
    CommitPlan plan = rows.plan("sim");
    plan.sources = {path_of(id)};
    if (plant_ == Plant::segment_first) tree.remove(path_of(id));
    return run(std::move(plan), [&](std::size_t file) { return rows.rows(file); });
  }

  bool compact() {
    const auto files = found();
    std::optional<SegmentId> pending;
    for (const SegmentId id : pending_segments()) pending = std::min(pending.value_or(id), id);
    const std::int64_t later = record::test::hour_ns + 10 * 3'600 * record::test::second_ns;
    for (const auto& compaction : record::plan_compactions(files, pending, later, {}, "sim")) {
      std::vector<std::string> rows;
      for (const std::string& part : compaction.parts) {
        const auto more = rows_of(tree.read(part));
        if (!more) return false;
        rows.insert(rows.end(), more->begin(), more->end());
      }
      const std::vector<std::string_view> views(rows.begin(), rows.end());
      if (!run(compaction.plan, [&](std::size_t) { return views; })) return false;
    }
    return true;
  }

  bool retire(std::uint32_t number) {
    const auto files = found();
    std::vector<record::RetentionFile> candidates;
    for (const std::size_t i : record::live_parts(files)) {
      const auto& sidecar = *files[i].sidecar;
      if (sidecar.part.partition.kind == Kind::coverage) continue;
      candidates.push_back({files[i].path, sidecar.part.partition.hour, 1, sidecar.rows, sidecar.first_id,
                            sidecar.last_id, sidecar.event_time_ns_min, sidecar.event_time_ns_max,
                            sidecar.part.partition.symbol, "trades", false});
    }
    if (candidates.empty()) return true;
    const std::vector<std::size_t> gone{0};
    retired_rows_[candidates[0].path] = *rows_of(tree.read(candidates[0].path));
    const auto retirement =
        record::plan_retirement(candidates, gone, {9, record::retention_segment_first + number}, "sim");
    return run(retirement.plan, [&](std::size_t file) {
      return std::vector<std::string_view>(retirement.rows[file].begin(), retirement.rows[file].end());
    });
  }

  /// What a start does before anything else.
  bool recover() {
    std::set<std::string> names;
    for (std::string& file : files()) names.insert(std::move(file));
    for (const std::string& file : names) {
      const bool lone = file.ends_with(".json") && !names.contains(file.substr(0, file.size() - 5));
      if ((file.ends_with(".tmp") || lone) && tree.remove(file) != 0) return false;
    }
    const auto nothing = [](std::size_t) { return std::vector<std::string_view>{}; };
    return run(record::plan_removals(found()), nothing) && tree.sync_directory("journal") == 0;
  }

  std::vector<SegmentId> pending_segments() const {
    std::vector<SegmentId> ids;
    for (const auto& [id, rows] : segments) {
      if (tree.exists(path_of(id))) ids.push_back(id);
    }
    return ids;
  }

  /// Empty when a reader sees nothing wrong at this instant.
  std::string complaint() const {
    const auto files = found();
    std::multiset<std::string> seen;
    std::set<std::string> retired;
    for (const std::size_t i : record::live_parts(files)) {
      const std::string bytes = tree.read(files[i].path);
      const auto rows = rows_of(bytes);
      if (!rows || rows->size() != files[i].sidecar->rows ||
          hash_of(bytes) != files[i].sidecar->content_hash) {
        return files[i].path + " is not what its sidecar says";
      }
      for (const std::string& path : files[i].sidecar->removes) {
        const auto& gone = retired_rows_.at(path);
        retired.insert(gone.begin(), gone.end());
      }
      if (files[i].sidecar->part.partition.kind != Kind::coverage) seen.insert(rows->begin(), rows->end());
    }
    for (const auto& [id, rows] : segments) {
      const bool kept = tree.exists(path_of(id));
      for (const std::string& row : rows) {
        const auto times = seen.count(row);
        if (times > 1) return "a row is there twice";
        if (times == 0 && !kept && !retired.contains(row)) return "a row is lost: its segment is gone";
      }
    }
    return {};
  }

  std::vector<std::string> files() const { return tree.files(); }

 private:
  template <class Rows>
  bool run(CommitPlan plan, const Rows& rows) {
    Commit commit{std::move(plan)};
    while (commit.state() == Commit::State::running) commit.step(perform(commit.action(), rows));
    return commit.state() == Commit::State::finished;
  }
  template <class Rows>
  FileResult perform(const FileAction& action, const Rows& rows) {
    const auto result = [](int error) {
      return error == 0 ? FileResult{record::Done{}} : FileResult{record::Failed{"disk"}};
    };
    switch (action.kind) {
      case FileAction::Kind::make_directory:
        return result(tree.make_directory(action.path));
      case FileAction::Kind::sync_directory: {
        const bool of_data = action.path.find("kind=") != std::string::npos;
        if (of_data ? plant_ == Plant::no_directory_sync
                    : plant_ == Plant::no_parent_sync && action.path != "journal") {
          return record::Done{};
        }
        return result(tree.sync_directory(action.path));
      }
      case FileAction::Kind::write_rows: {
        const auto all = rows(action.file);
        const std::string bytes = plain_file(all);
        if (const int error = tree.write(action.path, bytes,
                                         plant_ == Plant::no_data_sync ? Tree::Sync::no : Tree::Sync::yes)) {
          return result(error);
        }
        return record::Written{all.size(), bytes.size(), std::string(64, '0'), hash_of(bytes)};
      }
      case FileAction::Kind::read_back: {
        const std::string bytes = tree.read(action.path);
        const auto read = rows_of(bytes);
        return record::ReadBack{read ? read->size() : 0, hash_of(bytes)};
      }
      case FileAction::Kind::write_deadletter:
        return record::Failed{"no row is refused here"};
      case FileAction::Kind::write_text:
        return result(tree.write(action.path, action.text,
                                 plant_ == Plant::no_sidecar_sync ? Tree::Sync::no : Tree::Sync::yes));
      case FileAction::Kind::rename:
        return result(tree.rename(action.path, action.to));
      case FileAction::Kind::remove:
        return result(tree.remove(action.path));
    }
    return record::Failed{"unknown action"};
  }

  std::vector<FoundFile> found() const {
    std::vector<FoundFile> all;
    const auto paths = tree.files();
    const std::set<std::string_view> there(paths.begin(), paths.end());
    for (const std::string& path : paths) {
      if (!record::parse_part_path(path)) continue;
      FoundFile& file = all.emplace_back(FoundFile{path, std::nullopt});
      const std::string sidecar_path = record::sidecar_path(path);
      if (!there.contains(sidecar_path)) continue;
      // A sidecar that does not read is as good as a file that is not what it should be.
      auto sidecar = record::parse_sidecar(tree.read(sidecar_path));
      file.sidecar = sidecar ? std::move(*sidecar) : record::Sidecar{};
    }
    return all;
  }

  Plant plant_;
  std::int64_t next_id_ = 1;
  std::map<std::string, std::vector<std::string>> retired_rows_;
};

/// One life of a recording: segments, conversions, compactions, a retention, power cuts anywhere among them.
/// Empty when every reader at every cut, and the end, is right.
std::string live(std::uint64_t seed, Plant plant) {
  base::Rng rng{seed};
  DiskFaults faults;
  if (rng.below(2) == 0) faults.write_error = rng.below(20'000);
  if (rng.below(2) == 0) faults.sync_error = rng.below(20'000);
  if (rng.below(2) == 0) faults.other_error = rng.below(20'000);
  if (rng.below(4) == 0) faults.full = rng.below(5'000);
  Recording recording{seed, faults, plant};
  const std::uint32_t count = 2 + static_cast<std::uint32_t>(rng.below(3));
  for (std::uint32_t number = 0; number < count; ++number) recording.add_segment({1, number});
  std::uint32_t retirements = 0;
  for (int life = 0; life < 6; ++life) {
    const bool last = life == 5;
    if (last) {
      recording.tree.heal();
    } else {
      recording.tree.cut_after(rng.below(400));
    }
    try {
      bool well = recording.recover();
      for (int attempt = 0; attempt < 20; ++attempt) {
        const auto pending = recording.pending_segments();
        if (!well || pending.empty()) break;
        // Workers finish in any order.
        well = recording.convert(pending[rng.below(pending.size())]) || !last;
      }
      if (well) well = recording.compact();
      if (well && rng.below(3) == 0) well = recording.retire(retirements++);
      if (last && !well) return "does not come to its end on a healthy disk";
    } catch (const PowerCut&) {
    }
    if (!last) recording.tree.crash();
    if (auto complaint = recording.complaint(); !complaint.empty()) return complaint;
  }
  if (!recording.pending_segments().empty()) return "a segment is left on a healthy disk";
  for (const std::string& file : recording.files()) {
    if (file.ends_with(".tmp")) return file + " is left";
    if (file.ends_with(".parquet") && !recording.tree.exists(record::sidecar_path(file)))
      return file + " has no sidecar";
  }
  return {};
}

TEST(CommitSimulation, i15_d4_d7_h13_every_row_is_there_once_after_power_cuts_anywhere) {
  const char* more = std::getenv("PHOENIX_SEEDS");
  const std::uint64_t seeds = more != nullptr ? std::strtoull(more, nullptr, 10) : 300;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string complaint = live(seed, Plant::none);
    ASSERT_EQ(complaint, "") << "seed " << seed;
  }
}

/// How many of the first seeds notice.
int noticed(Plant plant) {
  int count = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) count += live(seed, plant).empty() ? 0 : 1;
  return count;
}

TEST(CommitSimulation, a_writer_that_renames_before_it_syncs_is_caught) {
  EXPECT_GT(noticed(Plant::no_data_sync), 3);
}
TEST(CommitSimulation, a_writer_that_does_not_sync_its_sidecars_is_caught) {
  EXPECT_GT(noticed(Plant::no_sidecar_sync), 3);
}
TEST(CommitSimulation, a_writer_that_does_not_sync_the_directory_is_caught) {
  EXPECT_GT(noticed(Plant::no_directory_sync), 3);
}
TEST(CommitSimulation, a_writer_that_does_not_sync_new_directories_parents_is_caught) {
  EXPECT_GT(noticed(Plant::no_parent_sync), 3);
}
TEST(CommitSimulation, a_writer_that_removes_the_segment_first_is_caught) {
  EXPECT_GT(noticed(Plant::segment_first), 3);
}

}  // namespace
}  // namespace phoenix::sim
