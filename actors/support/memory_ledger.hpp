#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

namespace flowspec {

/// Who has been promised how much of the memory. What is promised is taken only later, weights
/// while they are loaded and KV as a text grows, so looking at the free memory alone would promise
/// it twice. Copies are the same ledger. All functions may be called from several threads at once.
class MemoryLedger {
 public:
  /// Bytes, as things are now.
  struct Machine {
    /// What this process can still have; 0 where unknown: then nothing is refused.
    std::function<std::uint64_t()> free;
    /// What this process has.
    std::function<std::uint64_t()> own;
  };

  /// A promise, until the object goes: to be kept for as long as the memory that it is for.
  class Claim;

  MemoryLedger();
  explicit MemoryLedger(Machine machine);

  /// Promises so many bytes. Throws ModelError, which has the figures, where they are more than
  /// what is free and not promised to others.
  std::shared_ptr<Claim> claim(std::uint64_t bytes) const;

  /// Bytes of all claims, taken or not.
  std::uint64_t promised() const;

 private:
  struct Book;
  std::shared_ptr<Book> book_;
};

class MemoryLedger::Claim {
 public:
  Claim(std::shared_ptr<Book> book, std::uint64_t bytes);
  ~Claim();
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

 private:
  const std::shared_ptr<Book> book_;
  const std::uint64_t bytes_;
};

}  // namespace flowspec
