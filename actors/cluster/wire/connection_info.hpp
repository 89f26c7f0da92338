#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace flowspec {

/// What can be told of a connection to people.
struct ConnectionInfo {
  /// Of the greeting.
  std::string name;
  /// "host:port" of the other end.
  std::string address;
  bool is_dialer = false;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  /// Waiting to be sent: frames by lane, and bytes of both.
  std::size_t control_frames = 0;
  std::size_t data_frames = 0;
  std::size_t waiting_bytes = 0;
  /// Bytes a second, lately.
  std::uint64_t in_rate = 0;
  std::uint64_t out_rate = 0;
  /// The newest round trip; zero: none yet.
  std::chrono::microseconds round_trip{0};
};

}  // namespace flowspec
