#include "runtime/hop_bench/echo.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/cluster/wire/tls.hpp"
#include "models/formats/file_descriptor.hpp"

namespace flowspec {

namespace {

using Clock = std::chrono::steady_clock;

/// A socket that does not wait with small pieces.
std::unique_ptr<FileDescriptor> checked(int fd) {
  if (fd < 0)
    throw std::runtime_error("there is no socket");
  int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return std::make_unique<FileDescriptor>(fd);
}

/// Both ends of a connection.
struct Pair {
  std::unique_ptr<FileDescriptor> near;
  std::unique_ptr<FileDescriptor> far;

  Pair() {
    auto listener = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (::bind(listener->get(), plain, size) != 0 || ::listen(listener->get(), 1) != 0 ||
        ::getsockname(listener->get(), plain, &size) != 0)
      throw std::runtime_error("127.0.0.1 cannot be listened on");
    near = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(near->get(), plain, size) != 0)
      throw std::runtime_error("127.0.0.1 cannot be connected to");
    far = checked(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
};

/// One end, by plain TCP.
class TcpEnd {
 public:
  explicit TcpEnd(const FileDescriptor& fd) : fd_(fd.get()) {}
  bool write(const char* bytes, std::size_t size) {
    while (size > 0) {
      auto count = ::send(fd_, bytes, size, MSG_NOSIGNAL);
      if (count <= 0)
        return false;
      bytes += count;
      size -= static_cast<std::size_t>(count);
    }
    return true;
  }
  bool read(char* bytes, std::size_t size) {
    while (size > 0) {
      auto count = ::recv(fd_, bytes, size, 0);
      if (count <= 0)
        return false;
      bytes += count;
      size -= static_cast<std::size_t>(count);
    }
    return true;
  }

 private:
  int fd_;
};

class TlsEnd {
 public:
  TlsEnd(const FileDescriptor& fd, const TlsContext& tls, bool is_server)
      : ssl_(SSL_new(tls.current().get()), &SSL_free) {
    SSL_set_fd(ssl_.get(), fd.get());
    if (is_server)
      SSL_set_accept_state(ssl_.get());
    else
      SSL_set_connect_state(ssl_.get());
  }
  bool write(const char* bytes, std::size_t size) {
    std::size_t count = 0;
    return SSL_write_ex(ssl_.get(), bytes, size, &count) == 1 && count == size;
  }
  bool read(char* bytes, std::size_t size) {
    while (size > 0) {
      std::size_t count = 0;
      if (SSL_read_ex(ssl_.get(), bytes, size, &count) != 1)
        return false;
      bytes += count;
      size -= count;
    }
    return true;
  }

 private:
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

template <class End>
std::vector<double> measure(End& near, End& far, const Pair& pair, std::size_t bytes,
                            std::size_t repeats) {
  std::thread echo([&] {
    std::vector<char> buffer(bytes);
    while (far.read(buffer.data(), bytes) && far.write(buffer.data(), bytes))
      ;
  });
  std::vector<double> seconds;
  std::vector<char> buffer(bytes, 'x');
  bool is_alive = true;
  auto warm_up = warm_up_of(repeats);
  for (std::size_t i = 0; i < warm_up + repeats && is_alive; ++i) {
    auto start = Clock::now();
    is_alive = near.write(buffer.data(), bytes) && near.read(buffer.data(), bytes);
    if (i >= warm_up)
      seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  ::shutdown(pair.near->get(), SHUT_RDWR);
  ::shutdown(pair.far->get(), SHUT_RDWR);
  echo.join();
  if (!is_alive)
    throw std::runtime_error("the echo has ended");
  return seconds;
}

}  // namespace

std::vector<double> echo_tcp(std::size_t bytes, std::size_t repeats) {
  Pair pair;
  TcpEnd near(*pair.near);
  TcpEnd far(*pair.far);
  return measure(near, far, pair, bytes, repeats);
}

std::vector<double> echo_tls(const TlsContext& tls, std::size_t bytes, std::size_t repeats) {
  Pair pair;
  TlsEnd near(*pair.near, tls, false);
  TlsEnd far(*pair.far, tls, true);
  return measure(near, far, pair, bytes, repeats);
}

}  // namespace flowspec
