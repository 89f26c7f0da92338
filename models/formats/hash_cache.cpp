#include "models/formats/hash_cache.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "models/formats/user_cache.hpp"

namespace flowspec {
namespace {

namespace fs = std::filesystem;

/// Limit of the cache file. The files that were changed longest ago are dropped first.
constexpr std::size_t max_lines = 1000;
constexpr std::size_t max_line = 200;

/// Parses a line of the cache file: identity and hash. False if it is not valid.
bool parse(const std::string& line, FileIdentity& identity, std::string& hash) {
  std::istringstream in(line);
  std::string rest;
  if (!(in >> identity.device >> identity.inode >> identity.size >> identity.modified_ns >>
        identity.changed_ns >> hash) ||
      in >> rest)
    return false;
  return hash.size() == 32 && hash.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::map<FileIdentity, std::string> read_lines(const fs::path& file) {
  std::map<FileIdentity, std::string> lines;
  std::error_code error;
  if (!fs::is_regular_file(file, error) || fs::file_size(file, error) > max_lines * max_line ||
      error)
    return lines;
  std::ifstream in(file);
  FileIdentity identity;
  std::string hash;
  for (std::string line; std::getline(in, line);)
    if (parse(line, identity, hash))
      lines.emplace(identity, hash);
  return lines;
}

using Line = std::pair<FileIdentity, std::string>;

std::vector<Line> newest(const std::map<FileIdentity, std::string>& known) {
  std::vector<Line> lines(known.begin(), known.end());
  std::ranges::sort(lines, std::ranges::greater{},
                    [](const Line& line) { return line.first.changed_ns; });
  lines.resize(std::min(lines.size(), max_lines));
  return lines;
}

void write_lines(const fs::path& file, const std::vector<Line>& lines) {
  std::ostringstream out;
  for (const auto& [id, hash] : lines) {
    out << id.device << ' ' << id.inode << ' ' << id.size << ' ' << id.modified_ns << ' '
        << id.changed_ns << ' ' << hash << '\n';
  }
  replace_file(file, out.str());
}

}  // namespace

HashedFile HashCache::get(const fs::path& path, const HashProgress& progress) {
  const auto identity = FileIdentity::of(path);
  if (!identity)
    return hash_and_identify(path, progress);  // which says what is wrong
  std::unique_lock lock(mutex_);
  load();
  for (;;) {
    if (const auto known = known_.find(*identity); known != known_.end())
      return {known->second, *identity};
    const auto other = reading_.find(*identity);
    if (other == reading_.end())
      break;
    const Bytes bytes = other->second;
    lock.unlock();
    if (progress)
      progress(bytes.done, bytes.total);
    lock.lock();
    // Not for long, since `progress` may throw to stop.
    read_.wait_for(lock, std::chrono::milliseconds(100),
                   [&] { return !reading_.contains(*identity); });
  }
  reading_[*identity] = {0, identity->size};
  lock.unlock();
  return read(path, *identity, progress);
}

std::optional<std::string> HashCache::find(const FileIdentity& identity) {
  const std::lock_guard lock(mutex_);
  load();
  const auto known = known_.find(identity);
  return known != known_.end() ? std::optional(known->second) : std::nullopt;
}

HashedFile HashCache::read(const fs::path& path, const FileIdentity& identity,
                           const HashProgress& progress) {
  const auto end = [&] {
    reading_.erase(identity);
    read_.notify_all();
  };
  try {
    auto hashed = hash_and_identify(path, [&](std::uint64_t done, std::uint64_t total) {
      {
        const std::lock_guard lock(mutex_);
        reading_[identity] = {done, total};
      }
      if (progress)
        progress(done, total);
    });
    const std::lock_guard lock(mutex_);
    known_[hashed.identity] = hashed.hash;
    end();
    save();
    return hashed;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    end();
    throw;
  }
}

void HashCache::load() {
  if (!std::exchange(loaded_, true) && !file_.empty())
    known_.merge(read_lines(file_));
}

void HashCache::save() {
  if (file_.empty())
    return;
  // Other programs may have added hashes.
  known_.merge(read_lines(file_));
  write_lines(file_, newest(known_));
}

HashCache& user_hash_cache() {
  static HashCache cache([] {
    const auto folder = user_cache_folder();
    return folder.empty() ? fs::path{} : folder / "hashes";
  }());
  return cache;
}

}  // namespace flowspec
