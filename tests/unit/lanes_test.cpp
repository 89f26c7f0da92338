/// Control overtakes data, data goes in pieces, and limits of connections hold.

#include "actors/cluster/wire/lanes.hpp"

#include <boost/test/unit_test.hpp>

#include "actors/cluster/wire/connection_limits.hpp"

using namespace flowspec;

namespace {

std::vector<char> frame_of(std::size_t size, char letter) {
  return std::vector<char>(size, letter);
}

/// Takes any frame of up to `most` bytes; its first letter says nothing of its size.
IncomingLanes lanes_for(std::size_t size) {
  return IncomingLanes([size](Lane, Bytes) { return std::optional(size); });
}

std::string problem_of(IncomingLanes& lanes, const PieceHead& head, std::size_t size) {
  std::string bytes(size, 'x');
  return lanes.take(head, bytes_of(bytes)).problem;
}

}  // namespace

BOOST_AUTO_TEST_CASE(control_overtakes_data_after_at_most_one_piece) {
  OutgoingLanes out;
  out.push(Lane::data, frame_of(4 << 20, 'd'));
  auto first = out.next();
  BOOST_REQUIRE(first);
  BOOST_CHECK_EQUAL(first->bytes.size(), most_piece_bytes);
  out.push(Lane::control, frame_of(100, 'c'));
  auto second = out.next();
  BOOST_REQUIRE(second);
  BOOST_CHECK(second->head.kind == PieceKind::control);
  BOOST_CHECK(second->head.is_first && second->head.is_last);
  BOOST_CHECK(out.next()->head.kind == PieceKind::data);
}

BOOST_AUTO_TEST_CASE(frames_of_both_lanes_arrive_whole_and_in_the_order_of_their_lane) {
  OutgoingLanes out;
  IncomingLanes in([n = 0](Lane lane, Bytes) mutable {
    return std::optional<std::size_t>(lane == Lane::control ? 10 : n++ == 0 ? 200000 : 65536);
  });
  out.push(Lane::data, frame_of(200000, 'a'));
  out.push(Lane::data, frame_of(65536, 'b'));
  std::string order;
  for (int i = 0; i < 100; ++i) {
    if (i == 2)
      out.push(Lane::control, frame_of(10, 'c'));
    auto piece = out.next();
    if (!piece)
      break;
    auto result = in.take(piece->head, piece->bytes);
    BOOST_CHECK_EQUAL(result.problem, "");
    if (result.frame)
      order += result.frame->at(0);
  }
  BOOST_CHECK_EQUAL(order, "cab");
  BOOST_CHECK_EQUAL(out.bytes(), 0U);
  BOOST_CHECK_EQUAL(in.bytes(), 0U);
}

BOOST_AUTO_TEST_CASE(bytes_count_until_their_frame_is_sent) {
  OutgoingLanes out;
  out.push(Lane::data, frame_of(100000, 'd'));
  BOOST_CHECK_EQUAL(out.bytes(), 100000U);
  out.next();
  out.next();
  BOOST_CHECK_EQUAL(out.bytes(), 100000U);
  BOOST_CHECK(!out.next());
  BOOST_CHECK_EQUAL(out.bytes(), 0U);
}

BOOST_AUTO_TEST_CASE(heads_of_pieces_are_checked) {
  PieceHead head{PieceKind::data, true, false, 1234};
  BOOST_CHECK(read_piece_head(bytes_of(encode(head))) == head);
  head.length = most_piece_bytes + 1;
  BOOST_CHECK(!read_piece_head(bytes_of(encode(head))));
  BOOST_CHECK(!read_piece_head(bytes_of(std::string_view("\5\0\0\0\0\0\0\0", 8))));
  BOOST_CHECK(!read_piece_head(bytes_of(std::string_view("\0\4\0\0\0\0\0\0", 8))));
  BOOST_CHECK(!read_piece_head(bytes_of(std::string_view("\0\0\1\0\0\0\0\0", 8))));
  BOOST_CHECK(!read_piece_head(bytes_of(std::string_view("\0\0\0\0\0", 5))));
}

BOOST_AUTO_TEST_CASE(pieces_that_do_not_fit_are_refused) {
  for (auto [is_first, is_last, size] : {std::tuple{false, true, 10},
                                         {true, true, 9},
                                         {true, false, 10},
                                         {true, false, 11},
                                         {true, true, 11},
                                         {true, false, 0}}) {
    auto lanes = lanes_for(10);
    BOOST_CHECK_NE(
        problem_of(lanes, {PieceKind::data, is_first, is_last, 0}, static_cast<std::size_t>(size)),
        "");
  }
  auto lanes = lanes_for(10);
  BOOST_CHECK_EQUAL(problem_of(lanes, {PieceKind::data, true, false, 5}, 5), "");
  BOOST_CHECK_NE(problem_of(lanes, {PieceKind::data, true, false, 5}, 5), "");
  BOOST_CHECK_NE(problem_of(lanes, {PieceKind::ping, true, true, 5}, 5), "");
}

BOOST_AUTO_TEST_CASE(no_memory_is_taken_for_what_is_only_claimed) {
  auto lanes = lanes_for(std::size_t{200} << 20);
  BOOST_CHECK_EQUAL(problem_of(lanes, {PieceKind::data, true, false, 100}, 100), "");
  BOOST_CHECK_EQUAL(lanes.bytes(), 100U);
  IncomingLanes refusing([](Lane, Bytes) { return std::nullopt; });
  BOOST_CHECK_NE(problem_of(refusing, {PieceKind::data, true, false, 100}, 100), "");
  BOOST_CHECK_EQUAL(refusing.bytes(), 0U);
}

BOOST_AUTO_TEST_CASE(one_address_does_not_take_all_connections) {
  ConnectionLimits limits(
      {.most = 10, .most_per_address = 2, .most_half_open = 8, .most_half_open_per_address = 3});
  for (int i = 0; i < 3; ++i) {
    BOOST_CHECK(!limits.is_crowded("a"));
    limits.came("a");
  }
  BOOST_CHECK(limits.is_crowded("a"));
  BOOST_CHECK(!limits.is_crowded("b"));
  BOOST_CHECK(!limits.is_crowded());
  BOOST_CHECK(!limits.refusal("a"));
  limits.greeted("a");
  limits.greeted("a");
  BOOST_CHECK(!limits.is_crowded("a"));
  BOOST_CHECK(limits.refusal("a")->find("from a already") != std::string::npos);
  BOOST_CHECK(!limits.refusal("b"));
}

BOOST_AUTO_TEST_CASE(all_connections_together_are_limited_and_nothing_is_kept_of_who_left) {
  ConnectionLimits limits(
      {.most = 3, .most_per_address = 3, .most_half_open = 2, .most_half_open_per_address = 2});
  limits.came("a");
  limits.came("b");
  BOOST_CHECK(limits.is_crowded());
  BOOST_CHECK(!limits.refusal("c"));
  limits.greeted("a");
  limits.came("c");
  limits.greeted("c");
  limits.came("d");
  limits.greeted("d");
  BOOST_CHECK(limits.refusal("e"));
  limits.left("a", true);
  limits.left("d", true);
  limits.left("b", false);
  limits.left("c", true);
  BOOST_CHECK_EQUAL(limits.connections(), 0U);
  BOOST_CHECK_EQUAL(limits.half_open(), 0U);
  BOOST_CHECK_EQUAL(limits.addresses(), 0U);
}

BOOST_AUTO_TEST_CASE(a_reader_stops_where_its_budget_ends_and_goes_on_at_half) {
  ByteBudget budget(100);
  budget.take(99);
  BOOST_CHECK(!budget.is_stopped());
  budget.take(21);
  BOOST_CHECK(budget.is_stopped());
  BOOST_CHECK(!budget.give_back(60));
  BOOST_CHECK(budget.give_back(20));
  BOOST_CHECK(!budget.is_stopped());
  BOOST_CHECK(!budget.give_back(1000));
  BOOST_CHECK_EQUAL(budget.used(), 0U);
}
