#pragma once
/// How many connections there may be, and of whom; how many bytes may be on the way.

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace flowspec {

struct ConnectionLimitOptions {
  std::size_t most = 1024;
  std::size_t most_per_address = 256;
  /// Those that have not greeted yet. Strangers cannot keep members out for longer than the limit of
  /// a greeting.
  std::size_t most_half_open = 128;
  std::size_t most_half_open_per_address = 32;
};

/// Counts connections by address. Nothing is kept of addresses without connections.
class ConnectionLimits {
 public:
  explicit ConnectionLimits(ConnectionLimitOptions options = {}) : options_(options) {}

  /// A new connection that has not greeted: nothing if it may stay, or why not. One that is refused
  /// is not counted.
  std::optional<std::string> admit(const std::string& address);
  /// It has greeted.
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
