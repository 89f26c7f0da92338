/// Faults of all kinds at random moments of texts over four nodes, one after the other: nothing is lost,
/// nothing leaks, nothing hangs. How long each phase took is printed, not judged.

#include <algorithm>
#include <csignal>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "tests/system/machines.hpp"

using namespace flowspec::test;
using Clock = Process::Clock;

namespace {

constexpr std::size_t tokens = 300;
constexpr std::size_t stages = 4;
constexpr std::size_t spare = 5;

enum class Kind { killed, stopped, leaves, cut_off, link_cut, link_interrupted };

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::killed:
      return "killed";
    case Kind::stopped:
      return "stopped";
    case Kind::leaves:
      return "leaves";
    case Kind::cut_off:
      return "cut off";
    case Kind::link_cut:
      return "link cut";
    case Kind::link_interrupted:
      return "link interrupted";
  }
  return "";
}

struct Fault {
  Kind kind;
  /// Of a link: the first of the two neighbours.
  std::size_t node;

  std::string text() const { return fmt::format("n{} {}", node, name_of(kind)); }
  bool is_of_link() const { return kind == Kind::link_cut || kind == Kind::link_interrupted; }

  void happen(Machines& machines) const {
    switch (kind) {
      case Kind::killed:
        return machines.end(node, SIGKILL);
      case Kind::stopped:
        return machines.node(node).signal(SIGSTOP);
      case Kind::leaves:
        return machines.end(node, SIGTERM);
      case Kind::cut_off:
        return machines.network().cut(node);
      case Kind::link_cut:
      case Kind::link_interrupted:
        return machines.network().cut_link(node, node + 1);
    }
  }
};

/// Milliseconds from a fault to each phase of its recovery, as seen from outside.
struct Figures {
  std::vector<double> noticed;
  std::vector<double> made_again;
  std::vector<double> text_goes_on;
};

std::string median_and_worst(std::vector<double> values) {
  if (values.empty())
    return fmt::format("{:>8} {:>8}", "-", "-");
  std::ranges::sort(values);
  return fmt::format("{:>8.0f} {:>8.0f}", values[values.size() / 2], values.back());
}

class Soak {
 public:
  explicit Soak(Machines::Where where)
      : can_cut_(where == Machines::Where::network),
        expected_(Text::undisturbed(tokens)),
        machines_(stages + 1, where) {}

  void play(int number) {
    Text::Places places{{1, 2, 3, 4}, {}};
    if (chance(0.5))
      places.spares = {spare};
    auto faults = draw();
    auto what =
        fmt::format("fault {}, {} spare: {}{}", number, places.spares.size(), faults.front().text(),
                    faults.size() == 2 ? " and " + faults.back().text() : "");
    BOOST_TEST_CONTEXT(what) {
      Text text(machines_, places, tokens);
      // In the last quarter it could come too late to be noticed.
      text.wait_for_bytes(below(expected_.size() * 3 / 4));
      auto begin = Clock::now();
      for (const Fault& fault : faults) {
        fault.happen(machines_);
        // The second one meets the recovery from the first one at any point.
        if (faults.size() == 2 && chance(0.5))
          std::this_thread::sleep_for(std::chrono::milliseconds(below(1500)));
      }
      if (faults.front().kind == Kind::link_interrupted) {
        text.wait_for_words("sessions wait");
        machines_.network().heal();
      }
      if (text.check(expected_))
        note(text.process(), begin, what,
             fmt::format("{}{}", faults.size() == 2 ? "two at once" : name_of(faults.front().kind),
                         places.spares.empty() ? "" : ", spare"));
      machines_.mend();
      auto left = machines_.left_over();
      BOOST_CHECK_MESSAGE(left.empty(), "LEAKS: " << left << text.process().error());
    }
  }

  /// Of a run that fails, too.
  ~Soak() { print(); }
  Soak(const Soak&) = delete;
  Soak& operator=(const Soak&) = delete;

 private:
  void print() const {
    std::string table =
        fmt::format("{:26} {:>6} {:>17} {:>17} {:>17}\n{:33} {:>17} {:>17} {:>17}\n",
                    "ms after the fault", "faults", "noticed", "made again", "text goes on", "",
                    "median    worst", "median    worst", "median    worst");
    for (const auto& [kind, figures] : figures_)
      table += fmt::format("{:26} {:>6} {} {} {}\n", kind, figures.noticed.size(),
                           median_and_worst(figures.noticed), median_and_worst(figures.made_again),
                           median_and_worst(figures.text_goes_on));
    if (!slowest_.empty())
      table += fmt::format("slowest: {}, after {:.0f} ms\n", slowest_, slowest_ms_);
    std::cout << table << std::flush;
  }

  std::size_t below(std::size_t end) { return random_() % end; }
  bool chance(double share) { return std::bernoulli_distribution(share)(random_); }

  Fault draw_one() {
    auto kind = static_cast<Kind>(below(can_cut_ ? 6 : 3));
    Fault fault{kind, 0};
    fault.node = 1 + below(fault.is_of_link() ? stages - 1 : stages);
    return fault;
  }

  /// Every fourth time two that concern different nodes.
  std::vector<Fault> draw() {
    std::vector<Fault> faults{draw_one()};
    if (faults.front().kind != Kind::link_interrupted && pairs_++ % 4 == 3) {
      Fault second = draw_one();
      while (second.node == faults.front().node || second.kind == Kind::link_interrupted)
        second = draw_one();
      faults.push_back(second);
    }
    return faults;
  }

  void note(Process& run, Clock::time_point begin, const std::string& what,
            const std::string& kind) {
    auto since = [&](Clock::time_point when) {
      return std::chrono::duration<double, std::milli>(when - begin).count();
    };
    auto noticed = run.error_has("sessions wait");
    auto made_again = run.error_has("flowspec warning: ");
    BOOST_CHECK_MESSAGE(noticed && made_again, "nobody noticed: " << run.error());
    if (!noticed || !made_again)
      return;
    Figures& figures = figures_[kind];
    figures.noticed.push_back(since(noticed->when));
    figures.made_again.push_back(since(made_again->when));
    if (figures.made_again.back() > slowest_ms_) {
      slowest_ms_ = figures.made_again.back();
      slowest_ = what;
    }
    if (auto goes_on = run.output_after(made_again->output))
      figures.text_goes_on.push_back(since(*goes_on));
  }

  const bool can_cut_;
  const std::string expected_;
  Machines machines_;
  std::mt19937 random_{1};
  int pairs_ = 0;
  std::map<std::string, Figures> figures_;
  /// Which fault it took longest to recover from.
  std::string slowest_;
  double slowest_ms_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(recovery)

/// FLOWSPEC_SOAK=67: 200 faults.
BOOST_AUTO_TEST_CASE(faults_at_random_lose_nothing) {
  auto missing = Network::missing();
  if (!missing.empty())
    std::cerr << "SKIPPED: cuts among the faults at random: " << missing << "\n";
  Soak soak_test(missing.empty() ? Machines::Where::network : Machines::Where::loopback);
  for (int i = 0; i < 3 * soak(); ++i) {
    soak_test.play(i);
    if (i % 20 == 19)
      std::cout << i + 1 << " faults" << std::endl;
  }
}

BOOST_AUTO_TEST_SUITE_END()
