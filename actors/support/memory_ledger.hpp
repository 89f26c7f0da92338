#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace flowspec {

/// Records how much memory is promised, and to whom. Promised memory is taken only later, weights
/// while they are loaded and KV as a text grows, so looking at the free memory alone would promise
/// it twice. Copies share one ledger. All functions are thread-safe.
class MemoryLedger {
 public:
  /// Bytes, at the time of the call.
  struct Machine {
    /// What this process can still get; 0: unknown, and nothing is refused.
    std::function<std::uint64_t()> free;
    /// What this process has.
    std::function<std::uint64_t()> own;
  };

  /// A promise, which ends with the object: keep it as long as the memory it is for.
  class Claim;

  MemoryLedger();
  explicit MemoryLedger(Machine machine);

  /// Promises `bytes` bytes. Throws ModelError, whose text has the figures, if they are more than
  /// what is free and not promised to others, and nobody gives back what is kept without need.
  std::shared_ptr<Claim> claim(std::uint64_t bytes) const;

  /// Bytes that could be claimed now; 0: unknown.
  std::uint64_t available() const;

  /// `give_back` is called before a claim is refused, on the thread that claims: it gives back some
  /// memory with its claim, and says whether it had any. Called again while that is not enough.
  void on_need(std::function<bool()> give_back) const;

  /// Bytes of all claims, taken or not.
  std::uint64_t promised() const;

 private:
  struct Book;
  /// Sets `claim`, or says why it has to be refused.
  std::string try_claim(std::uint64_t bytes, std::shared_ptr<Claim>& claim) const;

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
