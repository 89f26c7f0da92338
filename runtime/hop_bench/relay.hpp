#pragma once
/// A link that can be slow, far or broken: passes the bytes of TCP connections on.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace flowspec {

/// What may happen to one record of TLS.
enum class RecordFault {
  none,
  /// It is missing.
  drop,
  /// The connection ends in the middle of it.
  cut,
  /// It is late, and with it all that follows.
  delay,
  /// It comes byte by byte.
  split,
  /// One bit of it is another.
  corrupt,
  /// It comes twice.
  repeat,
};

struct RelayOptions {
  /// One way.
  std::chrono::microseconds delay{0};
  /// Each way, of all connections together; 0: as fast as it goes.
  std::uint64_t bytes_per_s = 0;
  /// Of every connection, on the way from the one who dials.
  RecordFault fault = RecordFault::none;
  /// Which record: the first, which begins the handshake, is 0.
  std::size_t faulty_record = 0;
};

/// Listens on a free port of 127.0.0.1 and connects everybody with another port of it. Runs on a thread
/// of its own; all functions are thread-safe.
class Relay {
 public:
  explicit Relay(std::uint16_t to, RelayOptions options = {});
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::uint16_t port() const;
  /// Connections so far.
  std::size_t connections() const;
  /// From now on nothing passes on connection `i`, in the order of their coming, as if a cable were
  /// cut: nobody is told.
  void cut(std::size_t i);
  /// Nothing ever passes on connections to come.
  void cut_later_ones();
  /// The same for all connections, and those to come, until `mend`, which passes on what was held.
  void cut_all();
  void mend();
  /// Flips a bit of what comes next on connection `i`.
  void corrupt(std::size_t i);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flowspec
