#include "runtime/cluster/card_cache.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <set>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "messages/limits.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/file_hash.hpp"
#include "models/model_heads.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t hash_digits = 32;
/// Of all files of a model, and of what is read of them.
constexpr std::uint64_t most_model_bytes = std::uint64_t{1} << 44;
constexpr std::uint64_t most_read_bytes = std::uint64_t{512} << 20;
/// Another run may be opening it.
constexpr std::chrono::minutes young{10};
constexpr std::string_view unfinished = "unfinished-";

[[noreturn]] void fail_card(const ModelCard& card, const std::string& what) {
  throw RuntimeError(ErrorCode::protocol, fmt::format("what it tells of the model {} is wrong: {}",
                                                      printable(card.name), what));
}

[[noreturn]] void fail_file(const fs::path& file, int error) {
  throw RuntimeError(ErrorCode::internal,
                     fmt::format("{}: cannot be written: {}. XDG_CACHE_HOME can name another place",
                                 file.string(), std::generic_category().message(error)));
}

void check(const ModelCard& card) {
  if (card.hash.size() != hash_digits)
    fail_card(card, "its hash is none");
  std::set<std::string> names;
  std::uint64_t bytes = 0;
  std::uint64_t read_bytes = 0;
  for (const auto& file : card.files) {
    bool is_model = !card.is_folder && file.name == card.name;
    if (!is_model && !is_table(file.name) && !is_read_of_models(file.name))
      fail_card(card, fmt::format("no model is read from a file like {}", printable(file.name)));
    if (!names.insert(file.name).second)
      fail_card(card, fmt::format("it has two files {}", printable(file.name)));
    if (file.bytes == 0 || file.head_bytes > file.bytes || file.bytes > most_model_bytes ||
        file.head_bytes > most_head_bytes)
      fail_card(card, fmt::format("its file {} has {} bytes, of which {} are no weights",
                                  printable(file.name), file.bytes, file.head_bytes));
    bytes += file.bytes;
    read_bytes += file.head_bytes;
  }
  if (bytes > most_model_bytes || read_bytes > most_read_bytes)
    fail_card(card, fmt::format("it has {} bytes, of which {} are no weights", bytes, read_bytes));
  if (!card.is_folder && !names.contains(card.name))
    fail_card(card, "its file is not in the list");
}

/// Another name, or other sizes: another folder.
std::string key_of(const ModelCard& card) {
  auto text = fmt::format("{}\n{}\n", card.name, card.is_folder);
  for (const auto& file : card.files)
    text += fmt::format("{} {} {}\n", file.bytes, file.head_bytes, file.name);
  return card.hash + "-" + hash_bytes(text).substr(0, 8);
}

fs::path folder_of_files(const fs::path& folder, const ModelCard& card) {
  return card.is_folder ? folder / card.name : folder;
}

bool is_complete(const fs::path& folder, const ModelCard& card) {
  return std::ranges::all_of(
      card.files,
      [&](const ModelCard::File& file) {
        std::error_code missing;
        return is_table(file.name) ||
               fs::file_size(folder_of_files(folder, card) / file.name, missing) == file.bytes;
      });
}

/// A file that is written at some places; the rest are holes.
class SparseFile {
 public:
  SparseFile(fs::path path, int flags)
      : path_(std::move(path)), fd_(::open(path_.c_str(), flags | O_WRONLY | O_CLOEXEC, 0600)) {
    if (fd_ < 0)
      fail_file(path_, errno);
  }
  ~SparseFile() { ::close(fd_); }
  SparseFile(const SparseFile&) = delete;
  SparseFile& operator=(const SparseFile&) = delete;

  void write(std::string_view bytes, std::uint64_t at) const {
    while (!bytes.empty()) {
      auto count = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (count < 0 && errno == EINTR)
        continue;
      if (count <= 0)
        fail_file(path_, count < 0 ? errno : ENOSPC);
      bytes.remove_prefix(static_cast<std::size_t>(count));
      at += static_cast<std::uint64_t>(count);
    }
  }

  void resize(std::uint64_t bytes) const {
    // Beyond the limit the process would get a signal that ends it.
    rlimit most{};
    if (::getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY &&
        bytes > most.rlim_cur)
      fail_file(path_, EFBIG);
    if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0)
      fail_file(path_, errno);
  }

 private:
  const fs::path path_;
  const int fd_;
};

/// A folder that is removed unless it has become the real one.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& parent) {
    std::error_code error;
    fs::create_directories(parent, error);
    auto name = (parent / std::string(unfinished)).string() + "XXXXXX";
    if (error || ::mkdtemp(name.data()) == nullptr)
      fail_file(parent, error ? error.value() : errno);
    path_ = name;
  }
  ~NewFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const fs::path& path() const { return path_; }
  /// What was there in its place has not been complete, or has been made by another run meanwhile.
  void rename(const fs::path& to) const {
    std::error_code error;
    fs::rename(path_, to, error);
    if (!error)
      return;
    fs::remove_all(to, error);
    fs::rename(path_, to, error);
    if (error)
      fail_file(to, error.value());
  }

 private:
  fs::path path_;
};

class Fetch {
 public:
  Fetch(const ModelCard& card, const CardCache::ReadPiece& read, fs::path folder)
      : card_(card), read_(read), folder_(std::move(folder)) {}

  /// Bytes that were read.
  std::uint64_t run() {
    for (const auto& file : card_.files)
      if (!is_table(file.name))
        write(file);
    for (const auto& file : card_.files)
      if (is_table(file.name))
        write_table(file);
    return read_bytes_;
  }

 private:
  void write(const ModelCard::File& file) {
    const auto path = folder_ / file.name;
    {
      const SparseFile out(path, O_CREAT | O_EXCL);
      out.resize(file.bytes);
      copy(file, out, 0);
    }
    check_head(path, file.head_bytes);
  }

  void write_table(const ModelCard::File& table) {
    for (const auto& file : card_.files) {
      const auto path = folder_ / file.name;
      auto place = is_table(file.name) ? std::nullopt : find_table(path, table.name);
      if (!place)
        continue;
      if (place->bytes != table.bytes || table.head_bytes != table.bytes)
        fail_card(card_,
                  fmt::format("{} has {} bytes, not {}", table.name, place->bytes, table.bytes));
      return copy(table, SparseFile(path, 0), place->begin);
    }
    fail_card(card_, fmt::format("no file has the tensor {}", table.name));
  }

  void copy(const ModelCard::File& file, const SparseFile& out, std::uint64_t begin) {
    for (std::uint64_t at = 0; at < file.head_bytes;) {
      const auto bytes = read_(file, at);
      if (bytes.empty() || bytes.size() > file.head_bytes - at)
        fail_card(card_, fmt::format("of {} bytes of {} from {} on it gives {}", file.head_bytes,
                                     printable(file.name), at, bytes.size()));
      out.write(bytes, begin + at);
      at += bytes.size();
      read_bytes_ += bytes.size();
    }
  }

  const ModelCard& card_;
  const CardCache::ReadPiece& read_;
  const fs::path folder_;
  std::uint64_t read_bytes_ = 0;
};

/// On the disk: without the holes.
std::uint64_t disk_bytes(const fs::path& folder) {
  constexpr std::uint64_t block = 512;
  std::uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator{}; entry.increment(error)) {
    struct stat status {};
    if (::lstat(entry->path().c_str(), &status) == 0)
      bytes += static_cast<std::uint64_t>(status.st_blocks) * block;
  }
  return bytes;
}

}  // namespace

CardCache::Kept CardCache::get(const ModelCard& card, const ReadPiece& read) const {
  check(card);
  if (folder_.empty())
    throw RuntimeError(
        "there is no place for what is not weights of a node's model: neither XDG_CACHE_HOME nor "
        "HOME names a folder. Set one of them");
  const auto folder = folder_ / key_of(card);
  Kept kept{folder / card.name, 0};
  if (!is_complete(folder, card)) {
    const NewFolder made(folder_);
    std::error_code error;
    fs::create_directories(folder_of_files(made.path(), card), error);
    if (error)
      fail_file(made.path(), error.value());
    kept.read_bytes = Fetch(card, read, folder_of_files(made.path(), card)).run();
    made.rename(folder);
  }
  std::error_code ignored;
  fs::last_write_time(folder, fs::file_time_type::clock::now(), ignored);
  remove_oldest(folder);
  return kept;
}

/// With what a run has left behind that was killed.
void CardCache::remove_oldest(const fs::path& kept) const {
  struct Old {
    fs::file_time_type used;
    std::uint64_t bytes;
    fs::path path;
  };
  std::vector<Old> old;
  std::uint64_t total = 0;
  const auto now = fs::file_time_type::clock::now();
  std::error_code error;
  fs::directory_iterator entry(folder_, error);
  for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
    std::error_code gone;
    const auto used = fs::last_write_time(entry->path(), gone);
    const auto bytes = disk_bytes(entry->path());
    total += bytes;
    if (!gone && entry->path() != kept && used + young < now)
      old.push_back({used, bytes, entry->path()});
  }
  std::ranges::sort(old, {}, &Old::used);
  for (const Old& one : old) {
    const bool is_left_behind = one.path.filename().string().starts_with(unfinished);
    if (total <= most_bytes_ && !is_left_behind)
      continue;
    std::error_code ignored;
    fs::remove_all(one.path, ignored);
    total -= std::min(total, one.bytes);
  }
}

}  // namespace flowspec
