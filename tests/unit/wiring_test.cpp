/// Which part of a pipeline sends to which, and where people put them.

#include "actors/pipeline/wiring.hpp"

#include <boost/test/unit_test.hpp>

using flowspec::Wiring;

namespace {

using Numbers = std::vector<std::uint32_t>;

}  // namespace

BOOST_AUTO_TEST_SUITE(wiring)

BOOST_AUTO_TEST_CASE(parts_have_the_numbers_and_names_of_statistics) {
  Wiring two(2);
  BOOST_TEST(two.parts() == 5U);
  BOOST_TEST(two.name(0) == "stage 0");
  BOOST_TEST(two.name(1) == "stage 1");
  BOOST_TEST(two.name(two.verifier()) == "verifier");
  BOOST_TEST(two.name(two.draft()) == "draft");
  BOOST_TEST(two.name(two.pruner()) == "pruner");
  BOOST_TEST(two.words(1) == "stage 1");
  BOOST_TEST(two.words(two.draft()) == "the draft");
  BOOST_TEST(two.words(two.pruner()) == "the tree pruner");
}

BOOST_AUTO_TEST_CASE(rows_go_from_the_draft_by_all_stages_to_the_verifier) {
  Wiring three(3);
  std::uint32_t part = three.draft();
  for (auto next : Numbers{0, 1, 2, three.verifier()}) {
    BOOST_TEST(three.receivers(part).front() == next);
    part = next;
  }
}

BOOST_AUTO_TEST_CASE(all_hear_the_pruner_and_are_heard_by_it) {
  Wiring three(3);
  BOOST_TEST(three.receivers(three.pruner()) == (Numbers{4, 0, 1, 2, 3}),
             boost::test_tools::per_element());
  BOOST_TEST(three.senders(three.pruner()) == (Numbers{0, 1, 2, 3, 4}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(senders_are_those_whose_receivers_one_is) {
  Wiring two(2);
  BOOST_TEST(two.senders(0) == (Numbers{3, 4}), boost::test_tools::per_element());
  BOOST_TEST(two.senders(1) == (Numbers{0, 4}), boost::test_tools::per_element());
  BOOST_TEST(two.senders(two.verifier()) == (Numbers{1, 4}), boost::test_tools::per_element());
  BOOST_TEST(two.senders(two.draft()) == (Numbers{0, 1, 2, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
