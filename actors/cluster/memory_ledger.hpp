#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

namespace flowspec {

/// Who has been promised how much of the memory. What is promised is taken only later, while
/// weights are loaded, so looking at the free memory alone would promise it twice. All functions
/// may be called from several threads at once.
class MemoryLedger {
 public:
  /// Bytes that this process can still have; 0 where unknown: then nothing is refused.
  using FreeMemory = std::function<std::uint64_t()>;

  /// A promise, until the object goes. It may outlive the ledger.
  class Claim;

  explicit MemoryLedger(FreeMemory free_memory = machine_free);

  /// Promises so many bytes. Throws ModelError, which has the figures, where they are more than
  /// what is free and not promised to others.
  std::shared_ptr<Claim> claim(std::uint64_t bytes) const;

  /// Bytes that are promised and not taken yet.
  std::uint64_t promised() const;

 private:
  struct Book {
    std::mutex mutex;
    std::uint64_t promised = 0;
  };
  static std::uint64_t machine_free();

  const FreeMemory free_memory_;
  const std::shared_ptr<Book> book_ = std::make_shared<Book>();
};

class MemoryLedger::Claim {
 public:
  Claim(std::shared_ptr<Book> book, std::uint64_t bytes) : book_(std::move(book)), rest_(bytes) {}
  ~Claim() { take_all(); }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  /// So many bytes more have been taken: they are missing from the free memory by now.
  void take(std::uint64_t bytes);
  /// Nothing more will be taken.
  void take_all() { take(rest_); }

 private:
  const std::shared_ptr<Book> book_;
  std::uint64_t rest_;
};

}  // namespace flowspec
