#pragma once
/// A network of the test's own: hosts that are network namespaces, and a switch in the test's process
/// that every packet between them passes, where it can be held up or lost.
///
/// A namespace has no name, and lives as long as a process that uses it: nothing is left of a test,
/// even of one that was killed. The switch does without bridges, packet filters and `netem`, which not
/// every kernel has.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <queue>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace flowspec::test {

/// What happens to every packet of the network.
struct Weather {
  std::chrono::microseconds delay{0};
  /// Up to so much is added, at random. Packets of one way keep their order.
  std::chrono::microseconds jitter{0};
  /// The share of packets that are lost.
  double loss = 0;
};

class Network {
 public:
  /// Why there can be none on this machine, and what it takes; empty if there can.
  static std::string missing();

  /// Throws std::runtime_error where there can be none. At most 200 hosts.
  explicit Network(std::size_t hosts);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// Known in this network alone, as 10.77.0.1.
  static std::string address(std::size_t host);
  /// What a command line has to begin with so that it runs on that host. It ends with this process.
  std::vector<std::string> on(std::size_t host) const;

  /// The host reaches nobody, and nobody reaches it.
  void cut(std::size_t host);
  /// Nothing of `from` reaches `to`; what `to` sends arrives.
  void cut_way(std::size_t from, std::size_t to);
  /// The two do not reach each other, and reach all others.
  void cut_link(std::size_t a, std::size_t b);
  /// All reach all again, at once.
  void heal();
  void set(const Weather& weather);
  /// Packets that were lost because of cuts or weather.
  std::uint64_t lost_packets() const { return lost_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Host {
    int space = -1;
    int device = -1;
  };
  struct Packet {
    Clock::time_point due;
    std::uint64_t number;
    std::size_t to;
    std::string bytes;
    bool operator>(const Packet& other) const {
      return due != other.due ? due > other.due : number > other.number;
    }
  };
  struct Way {
    bool is_cut = false;
    Clock::time_point last_due;
  };

  static Host make_host(const std::string& address);
  void close();
  void serve();
  void read(std::size_t host);
  void take(std::size_t from, std::string packet);
  /// Delivers what is due. Returns the time until the next, at most a second.
  std::chrono::nanoseconds deliver();
  Way& way(std::size_t from, std::size_t to) { return ways_[from * hosts_.size() + to]; }

  std::vector<Host> hosts_;
  int stop_ = -1;
  std::mutex mutex_;
  std::vector<Way> ways_;
  Weather weather_;
  std::mt19937 random_{1};
  std::atomic<std::uint64_t> lost_ = 0;
  std::uint64_t last_number_ = 0;
  std::priority_queue<Packet, std::vector<Packet>, std::greater<>> waiting_;
  std::thread thread_;
};

}  // namespace flowspec::test
