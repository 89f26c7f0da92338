#include "models/model_hash.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "models/base/error.hpp"
#include "models/open_model.hpp"

namespace flowspec {
namespace {

namespace fs = std::filesystem;

/// More threads do not read a disk faster, and hashing is faster than a disk.
constexpr std::size_t max_threads = 4;

/// Thrown to stop the other threads; never leaves this file.
struct Stopped {};

/// Hashes parts until there are no more.
class PartHasher {
 public:
  PartHasher(std::vector<fs::path> parts, HashCache& cache, const HashProgress& progress)
      : parts_(std::move(parts)),
        cache_(cache),
        progress_(progress),
        hashed_(parts_.size()),
        done_(parts_.size()) {
    for (const fs::path& part : parts_)
      total_ += FileIdentity::of(part).value_or(FileIdentity{}).size;
  }

  std::vector<HashedFile> run() {
    {
      std::vector<std::jthread> threads;
      while (threads.size() + 1 < std::min(parts_.size(), max_threads))
        threads.emplace_back([this] { work(); });
      work();
    }
    if (error_)
      std::rethrow_exception(error_);
    return std::move(hashed_);
  }

 private:
  void work() {
    try {
      for (auto i = next_++; i < parts_.size(); i = next_++) {
        hashed_[i] = cache_.get(
            parts_[i], [&](std::uint64_t done, std::uint64_t) { advance(i, done); });
      }
    } catch (const Stopped&) {  // the error is kept already
    } catch (...) {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      if (!error_)
        error_ = std::current_exception();
    }
  }

  void advance(std::size_t part, std::uint64_t done) {
    const std::lock_guard lock(mutex_);
    if (stop_)
      throw Stopped{};
    sum_ += done - std::min(done, done_[part]);
    done_[part] = std::max(done, done_[part]);
    if (progress_)
      progress_(sum_, total_);
  }

  const std::vector<fs::path> parts_;
  HashCache& cache_;
  const HashProgress& progress_;
  std::vector<HashedFile> hashed_;
  std::vector<std::uint64_t> done_;
  std::uint64_t sum_ = 0;
  std::uint64_t total_ = 0;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;
  bool stop_ = false;
  std::exception_ptr error_;
};

[[noreturn]] void fail_changed(const fs::path& part) {
  throw ModelError(part.string() +
                   ": was changed, or replaced, since it was opened. Start again when it is "
                   "complete.");
}

}  // namespace

std::string hash_model(const ModelFiles& files, HashCache& cache, const HashProgress& progress) {
  const auto parts = files.parts();
  const auto opened = files.identities();
  const auto hashed = PartHasher(parts, cache, progress).run();
  std::map<fs::path, std::string> hashes;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (hashed[i].identity != opened[i])
      fail_changed(parts[i]);
    hashes[parts[i]] = hashed[i].hash;
  }
  return hash_model(files, [&](const fs::path& part) { return hashes.at(part); });
}

}  // namespace flowspec
