#pragma once
/// How many connections there may be, and of whom; how many bytes may be on the way.

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace flowspec {

struct ConnectionLimitOptions {
  /// Of those that have greeted.
  std::size_t most = 1024;
  std::size_t most_per_address = 512;
  /// Of those that have not greeted yet: for one more, the oldest has to go. Whoever means it has
  /// greeted long before that.
  std::size_t most_half_open = 256;
  std::size_t most_half_open_per_address = 192;
};

/// Counts connections by address. Nothing is kept of addresses without connections.
class ConnectionLimits {
 public:
  explicit ConnectionLimits(ConnectionLimitOptions options = {}) : options_(options) {}

  /// Nothing if there is room for a connection from this address, or why not.
  std::optional<std::string> refusal(const std::string& address) const;
  /// Before another connection comes, the oldest that has not greeted has to go: of this address, or
  /// of all.
  bool is_crowded(const std::string& address) const;
  bool is_crowded() const { return half_open_ >= options_.most_half_open; }

  /// A new connection, which has not greeted.
  void came(const std::string& address);
  void greeted(const std::string& address);
  /// It is closed.
  void left(const std::string& address, bool had_greeted);

  std::size_t connections() const { return all_; }
  std::size_t half_open() const { return half_open_; }
  std::size_t addresses() const { return by_address_.size(); }

 private:
  struct Count {
    std::size_t all = 0;
    std::size_t half_open = 0;
  };

  Count count_of(const std::string& address) const;

  ConnectionLimitOptions options_;
  std::size_t all_ = 0;
  std::size_t half_open_ = 0;
  std::map<std::string, Count> by_address_;
};

/// Bytes that a peer has on the way. Reading stops where the budget is used up, and goes on when
/// half of it is free again.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t most) : most_(most) {}

  void take(std::size_t bytes) {
    used_ += bytes;
    is_stopped_ = is_stopped_ || used_ >= most_;
  }
  /// True if this lets a stopped reader go on.
  bool give_back(std::size_t bytes) {
    used_ -= bytes < used_ ? bytes : used_;
    if (!is_stopped_ || used_ > most_ / 2)
      return false;
    is_stopped_ = false;
    return true;
  }
  bool is_stopped() const { return is_stopped_; }
  std::size_t used() const { return used_; }

 private:
  std::size_t most_;
  std::size_t used_ = 0;
  bool is_stopped_ = false;
};

}  // namespace flowspec
