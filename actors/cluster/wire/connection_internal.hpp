#pragma once
/// What the sources of Connection share.

#include <string>

#include <boost/asio/detail/socket_option.hpp>
#include <boost/system/error_code.hpp>

#include "actors/cluster/wire/connection.hpp"

namespace flowspec {

namespace asio = boost::asio;
using boost::system::error_code;

/// The system's words, as the middle of a sentence.
std::string text_of(const error_code& error);

/// Options that Asio has no name for. What the system does not know is no error.
template <int Level, int Name>
void set_option(Connection::Socket& socket, int value) {
  error_code ignored;
  socket.set_option(asio::detail::socket_option::integer<Level, Name>(value), ignored);
}

/// TLS splits everything into records of at most this size.
inline constexpr std::size_t record_bytes = 16 << 10;
/// What the kernel may hold unsent at first: see connection_writing.cpp.
inline constexpr int first_unsent = 32 << 10;
inline constexpr int most_pongs_owed = 64;

/// Whoever lets go of the lock sends what others have left meanwhile.
class Connection::TlsLock {
 public:
  explicit TlsLock(Connection& connection) : connection_(connection) {
    connection_.tls_mutex_.lock();
  }
  ~TlsLock() {
    connection_.tls_mutex_.unlock();
    if (connection_.is_dirty_)
      connection_.flush();
  }
  TlsLock(const TlsLock&) = delete;
  TlsLock& operator=(const TlsLock&) = delete;

 private:
  Connection& connection_;
};

}  // namespace flowspec
