#pragma once
/// The weights in a node's memory: each shard once, for all stages that compute with it, and for a
/// while after the last of them.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "actors/support/memory_ledger.hpp"
#include "models/base/types.hpp"
#include "models/layers/shard.hpp"

namespace flowspec {

/// Shards with the same key have the same bits.
struct ShardKey {
  /// Of the model, as hash_model tells it.
  std::string model_hash;
  LayerRange layers;
  LinearForm form = LinearForm::automatic;
  /// Of the stages, where oneDNN may have a part: see ShardOptions.
  unsigned threads = 0;

  friend bool operator==(const ShardKey&, const ShardKey&) = default;
};

/// All functions are thread-safe.
class ShardStore {
 public:
  using Clock = std::chrono::steady_clock;
  /// A stage's right to a shard, which stays in memory as long as there is one.
  class Share;
  using Load = std::function<std::shared_ptr<const Shard>()>;

  /// @param memory  where the memory of shards is claimed; what nobody uses is given back when
  ///                another claim needs it, the longest unused first.
  /// @param keep    how long a shard stays after its last use; 0: not at all.
  /// Throws std::system_error where the system has no more threads.
  ShardStore(MemoryLedger memory, Clock::duration keep,
             std::function<Clock::time_point()> now = Clock::now);
  ~ShardStore();
  ShardStore(const ShardStore&) = delete;
  ShardStore& operator=(const ShardStore&) = delete;

  /// A share of the shard if it is loaded; else nothing.
  std::shared_ptr<Share> find(const ShardKey& key);
  /// A share of the shard, which may be loaded, or being loaded, already. If there is none yet,
  /// claims `bytes`; throws ModelError, with the figures, if they are not there.
  std::shared_ptr<Share> share(const ShardKey& key, std::uint64_t bytes);

  /// Frees what has been unused for too long. Happens by itself, as far as `now` is the real time.
  void drop_expired();

  struct Unused {
    std::size_t shards = 0;
    std::uint64_t bytes = 0;
  };
  /// What is kept, but used by nobody.
  Unused unused() const;

 private:
  struct Entry;
  struct Content;

  const std::shared_ptr<Content> content_;
  const MemoryLedger memory_;
  std::jthread sweeper_;
};

class ShardStore::Share : public std::enable_shared_from_this<Share> {
 public:
  /// Made by the store.
  Share(std::shared_ptr<Content> content, std::shared_ptr<Entry> entry);
  ~Share();
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;

  /// The shard; nothing if it has not been loaded.
  std::shared_ptr<const Shard> loaded();
  /// The shard. Loads it by `load`, or waits until somebody else has; if that one fails, this one
  /// tries. The result holds the share.
  /// @param wait  called again and again while it waits; may throw to stop. Also throws what `load`
  ///              throws.
  std::shared_ptr<const Shard> get(const Load& load, const std::function<void()>& wait);

 private:
  std::shared_ptr<const Shard> held();

  const std::shared_ptr<Content> content_;
  const std::shared_ptr<Entry> entry_;
};

}  // namespace flowspec
