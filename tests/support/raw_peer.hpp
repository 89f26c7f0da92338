#pragma once
/// A peer that is let in, and then sends what it likes: frames and pieces as bytes.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "actors/cluster/wire/greeting.hpp"
#include "actors/cluster/wire/lanes.hpp"
#include "actors/cluster/wire/tls.hpp"

namespace flowspec::test {

class RawPeer {
 public:
  /// Connects to a port of this machine, with TLS; says nothing yet.
  RawPeer(int port, const TlsContext& tls);
  ~RawPeer();
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  /// Whether TLS was agreed on.
  bool is_let_in() const { return is_let_in_; }
  /// Sends a greeting and reads the other's; false if there is none.
  bool greet(const Greeting& own);
  const Greeting& peer() const { return peer_; }
  /// Bytes under TLS. False if the peer has closed.
  bool send(const std::string& bytes);
  bool send_frame(Lane lane, const std::string& frame);
  /// Whether the peer closes within this time; reads what it says until then.
  bool is_closed_within(std::chrono::milliseconds limit);

 private:
  bool pump(std::chrono::milliseconds limit);
  bool flush();

  int fd_;
  TlsSession tls_;
  bool is_let_in_ = false;
  bool is_closed_ = false;
  std::vector<std::byte> received_;
  std::string plain_;
  Greeting peer_;
};

}  // namespace flowspec::test
