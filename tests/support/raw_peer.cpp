#include "tests/support/raw_peer.hpp"

#include <array>

#include <boost/test/unit_test.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/sockets.hpp"

namespace flowspec::test {

using std::chrono::milliseconds;

RawPeer::RawPeer(int port, const TlsContext& tls)
    : fd_(::socket(AF_INET, SOCK_STREAM, 0)), tls_(tls, TlsSide::client), received_(65536) {
  auto address = numeric_address("127.0.0.1", static_cast<std::uint16_t>(port));
  BOOST_REQUIRE(::connect(fd_, address.get(), address.size) == 0);
  auto state = tls_.shake_hands();
  while (state == TlsSession::Handshake::goes_on && flush() && pump(milliseconds(3000)))
    state = tls_.shake_hands();
  is_let_in_ = state == TlsSession::Handshake::done && flush();
}

RawPeer::~RawPeer() {
  ::close(fd_);
}

bool RawPeer::flush() {
  std::vector<char> bytes;
  tls_.take_outgoing(bytes);
  for (std::size_t sent = 0; sent < bytes.size();) {
    auto count = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) {
      is_closed_ = true;
      return false;
    }
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

/// Feeds TLS with what comes within the limit. False if nothing does, or the peer has closed.
bool RawPeer::pump(milliseconds limit) {
  pollfd wait{fd_, POLLIN, 0};
  if (::poll(&wait, 1, static_cast<int>(limit.count())) <= 0)
    return false;
  auto count = ::recv(fd_, received_.data(), received_.size(), 0);
  if (count <= 0) {
    is_closed_ = true;
    return false;
  }
  tls_.feed(Bytes(received_).first(static_cast<std::size_t>(count)));
  return true;
}

bool RawPeer::greet(const Greeting& own) {
  auto greeting = encode(own);
  if (!is_let_in_ || !send(greeting))
    return false;
  GreetingReader reader;
  std::array<std::byte, 4096> plain;
  while (true) {
    auto count = tls_.read(plain);
    if (count == 0) {
      if (!tls_.problem().empty() || tls_.is_closed() || !pump(milliseconds(3000)))
        return false;
      continue;
    }
    auto bytes = Bytes(plain).first(count);
    auto result = reader.feed(bytes);
    if (const auto* greeting_of_peer = std::get_if<Greeting>(&result)) {
      peer_ = *greeting_of_peer;
      return true;
    }
    if (!std::holds_alternative<GreetingReader::More>(result))
      return false;
  }
}

bool RawPeer::send(const std::string& bytes) {
  tls_.write(bytes_of(bytes));
  return flush();
}

bool RawPeer::send_frame(Lane lane, const std::string& frame) {
  OutgoingLanes lanes;
  lanes.push(lane, {frame.begin(), frame.end()});
  std::string bytes;
  while (auto piece = lanes.next()) {
    bytes += encode(piece->head);
    bytes.append(reinterpret_cast<const char*>(piece->bytes.data()), piece->bytes.size());
  }
  return send(bytes);
}

bool RawPeer::is_closed_within(milliseconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  std::array<std::byte, 4096> ignored;
  while (!is_closed_ && std::chrono::steady_clock::now() < end) {
    pump(milliseconds(50));
    while (tls_.read(ignored) > 0)
      ;
    is_closed_ = is_closed_ || tls_.is_closed() || !tls_.problem().empty();
  }
  return is_closed_;
}

}  // namespace flowspec::test
