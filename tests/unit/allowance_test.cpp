#include "actors/support/allowance.hpp"

#include <boost/test/unit_test.hpp>

using namespace flowspec;
using std::chrono::seconds;

BOOST_AUTO_TEST_SUITE(allowance)

BOOST_AUTO_TEST_CASE(so_many_in_every_period_and_what_is_not_taken_lapses) {
  Allowance allowance(2, seconds(60));
  Allowance::Clock::time_point begin{};
  BOOST_CHECK(allowance.take(begin));
  BOOST_CHECK(allowance.take(begin + seconds(59)));
  BOOST_CHECK(!allowance.take(begin + seconds(59)));
  BOOST_CHECK(allowance.take(begin + seconds(60)));
  BOOST_CHECK(allowance.take(begin + seconds(500)));
  BOOST_CHECK(allowance.take(begin + seconds(500)));
  BOOST_CHECK(!allowance.take(begin + seconds(501)));
}

BOOST_AUTO_TEST_SUITE_END()
