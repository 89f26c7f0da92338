#include "tests/support/http_client.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <stdexcept>

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace flowspec::test {

namespace {

constexpr int patience_seconds = 60;

/// Throws what the texts say together, cut after 2,000 characters. Not by Boost.Test: clients may be in
/// threads of their own, which it does not know.
template <class... Texts>
void require(bool is_so, const Texts&... texts) {
  if (!is_so)
    throw std::runtime_error((std::string() + ... + texts).substr(0, 2000));
}

/// The value of a field in a head; empty without it.
std::string field_of(const std::string& head, const std::string& name) {
  auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos)
    return "";
  at += name.size() + 4;
  return head.substr(at, head.find("\r\n", at) - at);
}

std::size_t number(const std::string& text, int base) {
  std::size_t value = 0;
  auto result = std::from_chars(text.data(), text.data() + text.size(), value, base);
  require(result.ec == std::errc(), "no number: ", text);
  return value;
}

}  // namespace

HttpClient::HttpClient(int port, int receive_buffer)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  require(fd_ >= 0, "no socket");
  if (receive_buffer != 0)
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  timeval patience{patience_seconds, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
          "cannot connect");
}

HttpClient::~HttpClient() {
  tls_.reset();
  if (fd_ >= 0)
    ::close(fd_);
}

HttpClient::HttpClient(HttpClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      read_(std::move(other.read_)),
      context_(std::move(other.context_)),
      tls_(std::move(other.tls_)) {}

bool HttpClient::start_tls(int version) {
  context_.reset(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (version != 0) {
    SSL_CTX_set_security_level(context_.get(), 0);  // or it would not offer old versions at all
    SSL_CTX_set_min_proto_version(context_.get(), 0);
    SSL_CTX_set_max_proto_version(context_.get(), version);
  }
  tls_.reset(SSL_new(context_.get()), SSL_free);
  SSL_set_fd(tls_.get(), fd_);
  return SSL_connect(tls_.get()) == 1;
}

bool HttpClient::send(const std::string& bytes) {
  if (tls_)
    return SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
           static_cast<int>(bytes.size());
  return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(bytes.size());
}

std::string HttpClient::receive() {
  std::array<char, 16384> buffer;
  ssize_t size = tls_ ? SSL_read(tls_.get(), buffer.data(), static_cast<int>(buffer.size()))
                      : ::recv(fd_, buffer.data(), buffer.size(), 0);
  require(size >= 0 || tls_ || (errno != EAGAIN && errno != EWOULDBLOCK), "waited in vain after ",
          read_);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

std::string HttpClient::read_until(const std::string& text) {
  std::size_t at = 0;
  while ((at = read_.find(text)) == std::string::npos) {
    auto more = receive();
    require(!more.empty(), "the end came, not ", text, ", after ", read_);
    read_ += more;
  }
  auto result = read_.substr(0, at + text.size());
  read_.erase(0, at + text.size());
  return result;
}

ClientAnswer HttpClient::answer(bool is_head) {
  ClientAnswer result;
  result.head = read_until("\r\n\r\n");
  result.head.resize(result.head.size() - 2);
  require(result.head.starts_with("HTTP/1.1 "), "no answer: ", result.head);
  result.status = static_cast<int>(number(result.head.substr(9, 3), 10));
  if (is_head || result.status == 204 || result.status == 304 || result.status < 200)
    return result;
  if (field_of(result.head, "Transfer-Encoding") == "chunked") {
    for (;;) {
      auto line = read_until("\r\n");
      auto size = number(line.substr(0, line.size() - 2), 16);
      while (read_.size() < size + 2) {
        auto more = receive();
        require(!more.empty(), "the end inside of a chunk");
        read_ += more;
      }
      result.body += read_.substr(0, size);
      require(read_.substr(size, 2) == "\r\n", "no end of a chunk");
      read_.erase(0, size + 2);
      if (size == 0)
        return result;
    }
  }
  auto length = field_of(result.head, "Content-Length");
  if (length.empty()) {
    result.body = rest();
    return result;
  }
  auto size = number(length, 10);
  while (read_.size() < size) {
    auto more = receive();
    require(!more.empty(), "the end inside of a body");
    read_ += more;
  }
  result.body = read_.substr(0, size);
  read_.erase(0, size);
  return result;
}

std::string HttpClient::rest() {
  for (auto more = receive(); !more.empty(); more = receive())
    read_ += more;
  return std::exchange(read_, {});
}

bool HttpClient::is_closed() {
  for (;;) {
    std::array<char, 16384> buffer;
    auto size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (size <= 0)
      return size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }
}

void HttpClient::reset() {
  linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(fd_, -1));
}

void HttpClient::end_sending() {
  ::shutdown(fd_, SHUT_WR);
}

std::string request_text(const std::string& method, const std::string& target,
                         const std::string& body, const std::string& fields) {
  std::string text = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields;
  if (!body.empty() || method == "POST")
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + body;
}

}  // namespace flowspec::test
