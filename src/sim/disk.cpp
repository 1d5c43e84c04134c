#include "sim/disk.hpp"

#include <algorithm>
#include <cerrno>

namespace phoenix::sim {

bool Disk::is_full() {
  if (full_left_ > 0) {
    --full_left_;
    return true;
  }
  if (strikes(faults_.full)) full_left_ = 1 + rng_.below(20);
  return full_left_ > 0;
}

int Disk::create(const std::string& name, File& file) {
  if (strikes(faults_.other_error)) return EIO;
  if (names_.contains(name)) return EEXIST;
  file = next_file_++;
  files_[file];
  names_[name] = file;
  names_since_sync_.push_back(names_);
  return 0;
}

int Disk::write(File file, std::uint64_t offset, std::string_view bytes) {
  int error = 0;
  // The reserve's space is free for whoever writes once it was released; until then a full disk is full.
  if (is_full() && (reserve_ || rng_.below(4) == 0)) error = ENOSPC;
  if (error == 0 && strikes(faults_.write_error)) error = EIO;
  if (error != 0) bytes = bytes.substr(0, static_cast<std::size_t>(rng_.below(bytes.size() + 1)));
  if (bytes.empty()) return error;
  auto& content = files_.at(file);
  const auto end = static_cast<std::size_t>(offset) + bytes.size();
  if (content.seen.size() < end) content.seen.resize(end, '\0');
  content.seen.replace(static_cast<std::size_t>(offset), bytes.size(), bytes);
  for (std::size_t sector = offset / sector_bytes; sector * sector_bytes < end; ++sector)
    content.dirty.insert(sector);
  return error;
}

/// Each sector that was not synced: the new one, the old one, or the new one's beginning in the old one.
void Disk::settle(Content& content) {
  const auto shorter = std::min(content.seen.size(), content.durable.size());
  const auto longer = std::max(content.seen.size(), content.durable.size());
  content.durable.resize(shorter + static_cast<std::size_t>(rng_.below(longer - shorter + 1)), '\0');
  for (const auto sector : content.dirty) {
    const auto from = sector * sector_bytes;
    const auto end = std::min({from + sector_bytes, content.durable.size(), content.seen.size()});
    if (from >= end) continue;
    const auto luck = rng_.below(5);
    const auto kept = luck < 2 ? 0 : luck < 4 ? end - from : static_cast<std::size_t>(rng_.below(end - from));
    content.durable.replace(from, kept, content.seen, from, kept);
  }
  content.dirty.clear();
}

int Disk::sync(File file) {
  auto& content = files_.at(file);
  if (strikes(faults_.sync_error)) {
    settle(content);
    return EIO;
  }
  // Sectors that a failed sync dropped are clean: they stay what they are on the disk.
  content.durable.resize(content.seen.size(), '\0');
  for (const auto sector : content.dirty) {
    const auto from = sector * sector_bytes;
    if (from >= content.seen.size()) continue;
    const auto size = std::min(sector_bytes, content.seen.size() - from);
    content.durable.replace(from, size, content.seen, from, size);
  }
  content.dirty.clear();
  return 0;
}

int Disk::truncate(File file, std::uint64_t size) {
  if (strikes(faults_.other_error)) return EIO;
  auto& content = files_.at(file);
  content.seen.resize(static_cast<std::size_t>(size), '\0');
  return 0;
}

int Disk::rename(const std::string& from, const std::string& to) {
  if (strikes(faults_.other_error)) return EIO;
  const auto file = names_.at(from);
  names_.erase(from);
  names_[to] = file;
  names_since_sync_.push_back(names_);
  return 0;
}

int Disk::remove(const std::string& name) {
  if (names_.erase(name) == 0) return ENOENT;
  names_since_sync_.push_back(names_);
  return 0;
}

int Disk::sync_directory() {
  if (strikes(faults_.other_error)) return EIO;
  names_since_sync_ = {names_};
  return 0;
}

int Disk::make_reserve() {
  if (is_full()) return ENOSPC;
  reserve_ = true;
  return 0;
}

int Disk::release_reserve() {
  reserve_ = false;
  return 0;
}

void Disk::crash() {
  for (auto& [file, content] : files_) {
    settle(content);
    content.seen = content.durable;
  }
  names_ = names_since_sync_[static_cast<std::size_t>(rng_.below(names_since_sync_.size()))];
  names_since_sync_ = {names_};
  reserve_ = false;
}

std::vector<std::string> Disk::names() const {
  std::vector<std::string> all;
  for (const auto& [name, file] : names_) all.push_back(name);
  return all;
}

std::string_view Disk::read(const std::string& name) const { return read(names_.at(name)); }
std::string_view Disk::read(File file) const { return files_.at(file).seen; }

}  // namespace phoenix::sim
