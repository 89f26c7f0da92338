/// What a hop tells of its latest segments.
#include "actors/pipeline/segment_log.hpp"

#include <boost/test/unit_test.hpp>

namespace flowspec::test {

using Nodes = std::vector<std::pair<SessionId, TreeNodeId>>;

BOOST_AUTO_TEST_SUITE(segment_log)

BOOST_AUTO_TEST_CASE(rows_that_are_committed_count_for_their_segment) {
  SegmentLog log;
  log.add(7, Nodes{{1, 10}, {1, 11}, {2, 10}}, 5000, 1000);
  log.add(8, Nodes{{1, 12}}, 6000, 500);
  log.keep(1, std::vector<TreeNodeId>{10, 12, 99});
  auto marks = log.recent(7000);
  BOOST_REQUIRE(marks.size() == 2U);
  BOOST_TEST((marks[0] == SegmentMark{7, 3, 1, 3000, 1000}));
  BOOST_TEST((marks[1] == SegmentMark{8, 1, 1, 1500, 500}));
  BOOST_TEST(log.kept() == 3U);
}

BOOST_AUTO_TEST_CASE(only_the_latest_are_remembered) {
  SegmentLog log;
  for (SegmentId id = 1; id <= limits::recent_segments + 5; ++id)
    log.add(id, Nodes{{1, id}}, 1000 * id, 10);
  auto marks = log.recent(1'000'000);
  BOOST_TEST(marks.size() == limits::recent_segments);
  BOOST_TEST(marks.front().segment == 6U);
  log.keep(1, std::vector<TreeNodeId>{3, 6});
  BOOST_TEST(log.recent(1'000'000).front().kept == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace flowspec::test
