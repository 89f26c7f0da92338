#include "actors/cluster/shard_store.hpp"

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <stop_token>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

namespace flowspec {

/// Guarded by the mutex of the content.
struct ShardStore::Entry {
  ShardKey key;
  std::uint64_t bytes = 0;
  /// Ends after the shard.
  std::shared_ptr<MemoryLedger::Claim> memory;
  std::shared_ptr<const Shard> shard;
  bool is_loading = false;
  std::size_t shares = 0;
  Clock::time_point unused_since;
};

struct ShardStore::Content {
  using Entries = std::vector<std::shared_ptr<Entry>>;

  Content(Clock::duration keep_for, std::function<Clock::time_point()> clock)
      : keep(keep_for), now(std::move(clock)) {}

  std::shared_ptr<Entry> find(const ShardKey& key) const {
    auto found =
        std::ranges::find_if(entries, [&](const auto& entry) { return entry->key == key; });
    return found == entries.end() ? nullptr : *found;
  }

  /// Entries without shares have a shard: what was not loaded goes with its last share.
  static bool is_unused(const std::shared_ptr<Entry>& entry) { return entry->shares == 0; }

  void erase(const std::shared_ptr<Entry>& entry) { std::erase(entries, entry); }

  /// Gives back the shard that has been unused for longest; false if there is none.
  bool drop_oldest() {
    std::shared_ptr<Entry> oldest;  // let go of after the lock
    std::lock_guard lock(mutex);
    for (const auto& entry : entries)
      if (is_unused(entry) && (!oldest || entry->unused_since < oldest->unused_since))
        oldest = entry;
    if (!oldest)
      return false;
    tell_dropped(*oldest, "another needs the memory");
    erase(oldest);
    return true;
  }

  void drop_expired() {
    Entries expired;  // let go of after the lock
    std::lock_guard lock(mutex);
    const auto limit = now() - keep;
    for (const auto& entry : entries)
      if (is_unused(entry) && entry->unused_since <= limit)
        expired.push_back(entry);
    for (const auto& entry : expired) {
      tell_dropped(*entry, "nobody has used them for long");
      erase(entry);
    }
  }

  static void tell_dropped(const Entry& entry, const char* why) {
    spdlog::info("gives back {} MiB, layers {} to {} of the model {}: {}", entry.bytes >> 20U,
                 entry.key.layers.first, entry.key.layers.end, entry.key.model_hash, why);
  }

  /// Until the store ends.
  void sweep(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      drop_expired();
      std::unique_lock lock(mutex);
      auto pause = keep;
      bool is_idle = true;
      for (const auto& entry : entries)
        if (is_unused(entry)) {
          pause = std::min(pause, entry->unused_since + keep - now());
          is_idle = false;
        }
      const auto seen = changes;
      const auto is_over = [&] { return changes != seen; };
      if (is_idle)
        changed.wait(lock, stop, is_over);
      else
        changed.wait_for(lock, stop, std::max(pause, Clock::duration(std::chrono::milliseconds(1))),
                         is_over);
    }
  }

  const Clock::duration keep;
  const std::function<Clock::time_point()> now;
  mutable std::mutex mutex;
  /// Somebody has loaded, failed, or ended.
  std::condition_variable_any changed;
  std::uint64_t changes = 0;
  Entries entries;
};

ShardStore::ShardStore(MemoryLedger memory, Clock::duration keep,
                       std::function<Clock::time_point()> now)
    : content_(std::make_shared<Content>(keep, std::move(now))), memory_(std::move(memory)) {
  if (keep <= Clock::duration::zero())
    return;
  memory_.on_need([content = std::weak_ptr(content_)] {
    const auto there = content.lock();
    return there && there->drop_oldest();
  });
  sweeper_ =
      std::jthread([content = content_](const std::stop_token& stop) { content->sweep(stop); });
}

ShardStore::~ShardStore() {
  sweeper_ = {};
  Content::Entries unused;  // let go of after the lock
  std::lock_guard lock(content_->mutex);
  std::ranges::copy_if(content_->entries, std::back_inserter(unused), Content::is_unused);
  for (const auto& entry : unused)
    content_->erase(entry);
}

std::shared_ptr<ShardStore::Share> ShardStore::find(const ShardKey& key) {
  std::lock_guard lock(content_->mutex);
  auto entry = content_->find(key);
  if (!entry || !entry->shard)
    return nullptr;
  return std::make_shared<Share>(content_, std::move(entry));
}

std::shared_ptr<ShardStore::Share> ShardStore::share(const ShardKey& key, std::uint64_t bytes) {
  std::shared_ptr<MemoryLedger::Claim> memory;  // let go of after the lock, if somebody was faster
  for (;;) {
    {
      std::lock_guard lock(content_->mutex);
      auto entry = content_->find(key);
      if (!entry && memory) {
        entry = std::make_shared<Entry>();
        entry->key = key;
        entry->bytes = bytes;
        entry->memory = std::move(memory);
        content_->entries.push_back(entry);
      }
      if (entry)
        return std::make_shared<Share>(content_, std::move(entry));
    }
    // Without the lock: for this the ledger may want shards back.
    memory = memory_.claim(bytes);
  }
}

void ShardStore::drop_expired() {
  content_->drop_expired();
}

ShardStore::Unused ShardStore::unused() const {
  std::lock_guard lock(content_->mutex);
  Unused sum;
  for (const auto& entry : content_->entries)
    if (Content::is_unused(entry)) {
      ++sum.shards;
      sum.bytes += entry->bytes;
    }
  return sum;
}

ShardStore::Share::Share(std::shared_ptr<Content> content, std::shared_ptr<Entry> entry)
    : content_(std::move(content)), entry_(std::move(entry)) {
  ++entry_->shares;
}

ShardStore::Share::~Share() {
  {
    std::lock_guard lock(content_->mutex);
    if (--entry_->shares == 0) {
      entry_->unused_since = content_->now();
      if (!entry_->shard || content_->keep <= Clock::duration::zero())
        content_->erase(entry_);
    }
    ++content_->changes;
  }
  content_->changed.notify_all();
}

std::shared_ptr<const Shard> ShardStore::Share::held() {
  return {shared_from_this(), entry_->shard.get()};
}

std::shared_ptr<const Shard> ShardStore::Share::loaded() {
  std::lock_guard lock(content_->mutex);
  return entry_->shard ? held() : nullptr;
}

std::shared_ptr<const Shard> ShardStore::Share::get(const Load& load,
                                                    const std::function<void()>& wait) {
  std::unique_lock lock(content_->mutex);
  while (entry_->is_loading) {
    content_->changed.wait_for(lock, std::chrono::milliseconds(100),
                               [&] { return !entry_->is_loading; });
    lock.unlock();
    wait();
    lock.lock();
  }
  if (entry_->shard)
    return held();
  entry_->is_loading = true;
  lock.unlock();
  std::shared_ptr<const Shard> shard;
  const auto end = [&] {
    {
      std::lock_guard guard(content_->mutex);
      entry_->is_loading = false;
      entry_->shard = shard;
      ++content_->changes;
    }
    content_->changed.notify_all();
  };
  try {
    shard = load();
  } catch (...) {
    end();
    throw;
  }
  end();
  return held();
}

}  // namespace flowspec
