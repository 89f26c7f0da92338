#include "tests/support/network.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace flowspec::test {

namespace {

constexpr std::size_t most_packet_bytes = 2048;
constexpr std::size_t ip_header_bytes = 20;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("no network for tests: " + what + ": " + std::strerror(errno));
}

void control(int fd, unsigned long request, void* argument, const std::string& what) {
  if (::ioctl(fd, request, argument) != 0)
    fail(what);
}

ifreq request_for(const std::string& device) {
  ifreq request{};
  device.copy(static_cast<char*>(request.ifr_name), IFNAMSIZ - 1);
  return request;
}

void set_address(int socket, unsigned long what, const std::string& device,
                 const std::string& address) {
  auto request = request_for(device);
  sockaddr_in value{};
  value.sin_family = AF_INET;
  ::inet_pton(AF_INET, address.c_str(), &value.sin_addr);
  std::memcpy(&request.ifr_addr, &value, sizeof value);
  control(socket, what, &request, "address " + address);
}

void start_device(int socket, const std::string& device) {
  auto request = request_for(device);
  control(socket, SIOCGIFFLAGS, &request, device);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  control(socket, SIOCSIFFLAGS, &request, device);
}

}  // namespace

std::string Network::missing() {
  try {
    Network probe(1);
  } catch (const std::runtime_error& e) {
    return std::string(e.what()) +
           " (it takes network namespaces and /dev/net/tun, so usually root, and in a container "
           "--cap-add NET_ADMIN,SYS_ADMIN --device /dev/net/tun)";
  }
  for (const char* tool : {"nsenter", "setpriv"})
    if (::access((std::string("/usr/bin/") + tool).c_str(), X_OK) != 0)
      return std::string("no network for tests: there is no ") + tool +
             " (it is in the package util-linux)";
  return {};
}

Network::Network(std::size_t hosts) : ways_(hosts * hosts) {
  try {
    stop_ = ::eventfd(0, EFD_CLOEXEC);
    for (std::size_t i = 0; i < hosts; ++i)
      hosts_.push_back(make_host(address(i)));
  } catch (...) {
    close();
    throw;
  }
  thread_ = std::thread([this] { serve(); });
}

Network::~Network() {
  const std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(stop_, &one, sizeof one);
  thread_.join();
  close();
}

void Network::close() {
  for (const Host& host : hosts_) {
    ::close(host.device);
    ::close(host.space);
  }
  ::close(stop_);
}

std::string Network::address(std::size_t host) {
  return "10.77.0." + std::to_string(host + 1);
}

std::vector<std::string> Network::on(std::size_t host) const {
  return {
      "/usr/bin/nsenter",
      "--net=/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(hosts_.at(host).space),
      "/usr/bin/setpriv",
      "--pdeathsig",
      "KILL",
      "--"};
}

Network::Host Network::make_host(const std::string& address) {
  Host host;
  std::string problem;
  // A thread can leave its namespace for a new one without the others.
  std::thread([&] {
    int socket = -1;
    try {
      if (::unshare(CLONE_NEWNET) != 0)
        fail("a new namespace");
      host.space = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
      host.device = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
      socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (host.space < 0 || host.device < 0 || socket < 0)
        fail("/dev/net/tun");
      auto request = request_for("net0");
      request.ifr_flags = IFF_TUN | IFF_NO_PI;
      control(host.device, TUNSETIFF, &request, "a device");
      set_address(socket, SIOCSIFADDR, "net0", address);
      set_address(socket, SIOCSIFNETMASK, "net0", "255.255.255.0");
      start_device(socket, "net0");
      start_device(socket, "lo");
    } catch (const std::runtime_error& e) {
      problem = e.what();
    }
    ::close(socket);
  }).join();
  if (problem.empty())
    return host;
  ::close(host.device);
  ::close(host.space);
  throw std::runtime_error(problem);
}

void Network::cut(std::size_t host) {
  for (std::size_t other = 0; other < hosts_.size(); ++other)
    cut_link(host, other);
}

void Network::cut_way(std::size_t from, std::size_t to) {
  std::lock_guard lock(mutex_);
  way(from, to).is_cut = true;
}

void Network::cut_link(std::size_t a, std::size_t b) {
  cut_way(a, b);
  cut_way(b, a);
}

void Network::heal() {
  std::lock_guard lock(mutex_);
  for (Way& each : ways_)
    each.is_cut = false;
}

void Network::set(const Weather& weather) {
  std::lock_guard lock(mutex_);
  weather_ = weather;
}

void Network::serve() {
  std::vector<pollfd> all;
  for (const Host& host : hosts_)
    all.push_back({host.device, POLLIN, 0});
  all.push_back({stop_, POLLIN, 0});
  while (all.back().revents == 0) {
    auto wait = deliver();
    const timespec limit{static_cast<time_t>(wait.count() / 1'000'000'000),
                         static_cast<long>(wait.count() % 1'000'000'000)};
    ::ppoll(all.data(), all.size(), &limit, nullptr);
    for (std::size_t i = 0; i < hosts_.size(); ++i)
      if (all[i].revents != 0)
        read(i);
  }
}

void Network::read(std::size_t host) {
  // Others have their turn after so many.
  for (int i = 0; i < 64; ++i) {
    std::string packet(most_packet_bytes, '\0');
    auto size = ::read(hosts_[host].device, packet.data(), packet.size());
    if (size <= 0)
      return;
    packet.resize(static_cast<std::size_t>(size));
    take(host, std::move(packet));
  }
}

void Network::take(std::size_t from, std::string packet) {
  const bool is_ipv4 = packet.size() >= ip_header_bytes && (packet[0] >> 4) == 4;
  if (!is_ipv4)
    return;
  // The last byte of the address that it goes to.
  const std::size_t to = static_cast<unsigned char>(packet[ip_header_bytes - 1]) - std::size_t{1};
  if (to >= hosts_.size())
    return;
  std::lock_guard lock(mutex_);
  if (way(from, to).is_cut ||
      (weather_.loss > 0 && std::bernoulli_distribution(weather_.loss)(random_))) {
    ++lost_;
    return;
  }
  std::chrono::microseconds delay = weather_.delay;
  if (weather_.jitter.count() > 0)
    delay += std::chrono::microseconds(
        std::uniform_int_distribution<std::int64_t>(0, weather_.jitter.count())(random_));
  auto& last = way(from, to).last_due;
  last = std::max(last, Clock::now() + delay);
  waiting_.push({last, ++last_number_, to, std::move(packet)});
}

std::chrono::nanoseconds Network::deliver() {
  // Only this thread takes packets out or puts them in.
  auto now = Clock::now();
  while (!waiting_.empty() && waiting_.top().due <= now) {
    const Packet& packet = waiting_.top();
    // A device that takes no more loses it, as a full queue does.
    [[maybe_unused]] auto written =
        ::write(hosts_[packet.to].device, packet.bytes.data(), packet.bytes.size());
    waiting_.pop();
  }
  constexpr std::chrono::nanoseconds longest = std::chrono::seconds(1);
  if (waiting_.empty())
    return longest;
  return std::clamp<std::chrono::nanoseconds>(waiting_.top().due - now, {}, longest);
}

}  // namespace flowspec::test
