/// How a link is probed: what is sent, and what the times say.

#include "actors/cluster/link_probe.hpp"

#include <boost/test/unit_test.hpp>

using namespace flowspec;

namespace {

/// A link with this round trip and rate; counts the bytes that it carries.
struct Link {
  double trip_s;
  double bytes_per_s;
  std::size_t carried = 0;

  ProbedLink probe() {
    LinkProbe probe;
    while (!probe.is_done()) {
      auto bytes = probe.messages() * probe.bytes();
      carried += bytes;
      probe.answered(LinkProbe::Seconds(trip_s + static_cast<double>(bytes) / bytes_per_s));
    }
    return probe.result();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(link_probe)

BOOST_AUTO_TEST_CASE(round_trip_and_rate_are_found) {
  for (double trip : {50e-6, 2e-3, 0.3})
    for (double rate : {1e5, 1e7, 1e9}) {
      auto found = Link{trip, rate}.probe();
      BOOST_TEST(static_cast<double>(found.round_trip.count()) == trip * 1e6,
                 boost::test_tools::tolerance(0.03));
      BOOST_TEST(static_cast<double>(found.bytes_per_s) == rate,
                 boost::test_tools::tolerance(0.03));
    }
}

BOOST_AUTO_TEST_CASE(a_slow_link_carries_one_piece_only) {
  Link slow{1e-3, 1e5};
  slow.probe();
  BOOST_TEST(slow.carried < 100'000U);
  Link fast{1e-3, 1e9};
  fast.probe();
  BOOST_TEST(fast.carried > 400'000U);
  BOOST_TEST(fast.carried < 600'000U);
}

BOOST_AUTO_TEST_SUITE_END()
