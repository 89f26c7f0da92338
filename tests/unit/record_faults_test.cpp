/// What happens to one record of a connection, whichever it is, changes nothing of what arrives: that is what
/// was sent, from the beginning on, or up to where the connection ended.

#include <algorithm>
#include <array>

#include <boost/test/unit_test.hpp>

#include "runtime/hop_bench/relay.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/wire_ends.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// Frames of a lane, each of which says which it is.
std::vector<std::string> frames_of(Lane lane) {
  std::vector<std::string> frames;
  const auto* type = lane == Lane::data ? "flowspec::SegmentMessage" : "flowspec::PrunesMessage";
  for (std::uint32_t i = 0; i < 12; ++i)
    frames.push_back(message_frame(20, type, caf_content(i * 150), 0, 100 + i));
  return frames;
}

std::vector<std::string> of_type(const std::vector<std::string>& frames, std::string_view type) {
  std::vector<std::string> found;
  std::ranges::copy_if(frames, std::back_inserter(found),
                       [&](const auto& frame) { return frame.find(type) != std::string::npos; });
  return found;
}

struct Outcome {
  /// Empty if the connection operated.
  std::string refusal;
  std::vector<std::string> data;
  std::vector<std::string> control;
  /// Why the connection ended, as the receiving process knows it.
  std::string loss;
};

/// Process a sends to b by way of a link with the fault.
Outcome send_over(RecordFault fault, std::size_t record) {
  auto given_to_a = [](Transport& b) {
    b.given()->welcome(node_key('a'));
    b.given()->give(node_key('a'), 20, true);
  };
  std::promise<std::shared_ptr<Connection>> accepted;
  Transport b{options_of('b')};
  Transport a{options_of('a')};
  given_to_a(b);
  auto port = b.listen(numeric_address("127.0.0.1", 0),
                       [&](auto connection) { accepted.set_value(connection); });
  Relay relay(port, {.fault = fault, .faulty_record = record});
  auto dialled = dial(a, {numeric_address("127.0.0.1", relay.port())});
  if (!dialled.connection)
    return {dialled.problem, {}, {}, {}};
  End at_a{dialled.connection};
  at_a.send(handshake_frame(BaspOperation::client_handshake, node_key('a')));
  auto data = frames_of(Lane::data);
  auto control = frames_of(Lane::control);
  for (std::size_t i = 0; i < data.size(); ++i) {
    at_a.send(data[i]);
    at_a.send(control[i]);
  }
  auto other = accepted.get_future();
  if (other.wait_for(std::chrono::seconds(3)) != std::future_status::ready)
    return {"the other end has not operated", {}, {}, {}};
  End at_b{other.get()};
  auto frames = at_b.inbox->wait_for(1 + data.size() + control.size());
  return {"", of_type(frames, "SegmentMessage"), of_type(frames, "PrunesMessage"),
          b.loss_of(node_key('a'))};
}

bool begins_with(const std::vector<std::string>& all, const std::vector<std::string>& part) {
  return part.size() <= all.size() && std::equal(part.begin(), part.end(), all.begin());
}

bool is_all(const Outcome& outcome) {
  return outcome.data == frames_of(Lane::data) && outcome.control == frames_of(Lane::control);
}

/// Of the handshake, the greeting, and the frames.
constexpr std::array<std::size_t, 7> records{0, 1, 2, 3, 4, 7, 11};
/// Says nothing in TLS 1.3; it is there for what stands between that knows older versions only.
constexpr std::size_t idle_record = 1;

}  // namespace

BOOST_AUTO_TEST_SUITE(record_faults)

BOOST_AUTO_TEST_CASE(a_record_that_is_late_or_in_splinters_changes_nothing) {
  for (auto fault : {RecordFault::none, RecordFault::delay, RecordFault::split})
    for (auto record : records)
      BOOST_CHECK_MESSAGE(is_all(send_over(fault, record)),
                          "fault " << static_cast<int>(fault) << " of record " << record);
}

BOOST_AUTO_TEST_CASE(a_record_that_is_lost_cut_changed_or_repeated_ends_the_connection_in_words) {
  std::size_t operated = 0;
  for (auto fault :
       {RecordFault::drop, RecordFault::cut, RecordFault::corrupt, RecordFault::repeat})
    for (auto record : records) {
      auto outcome = send_over(fault, record);
      auto what = "fault " + std::to_string(static_cast<int>(fault)) + " of record " +
                  std::to_string(record) + ": ";
      operated += outcome.refusal.empty() ? 1U : 0U;
      BOOST_CHECK_MESSAGE(begins_with(frames_of(Lane::data), outcome.data) &&
                              begins_with(frames_of(Lane::control), outcome.control),
                          what << "frames CHANGED");
      if (is_all(outcome) && record == idle_record)
        continue;
      BOOST_CHECK_MESSAGE(!is_all(outcome), what << "nothing happened");
      BOOST_CHECK_MESSAGE(!outcome.refusal.empty() || !outcome.loss.empty(), what << "no words");
    }
  BOOST_CHECK_GT(operated, records.size());
}

BOOST_AUTO_TEST_SUITE_END()
