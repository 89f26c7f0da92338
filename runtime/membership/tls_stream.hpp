#pragma once
/// TLS 1.3 over sockets, for the files of this room.

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <openssl/ssl.h>

namespace flowspec {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using TlsStream = asio::ssl::stream<Tcp::socket>;
using SystemError = boost::system::error_code;

/// How long a connection may take from its first byte to its last.
inline constexpr std::chrono::seconds connection_limit{5};

inline void only_tls13(asio::ssl::context& context) {
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_3_VERSION);
  SSL_CTX_set_num_tickets(context.native_handle(), 0);
}

}  // namespace flowspec
