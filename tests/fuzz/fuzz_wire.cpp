/// Bytes from a peer that nobody knows. The first byte of an input says what the rest is read as.

#include <algorithm>

#include "actors/cluster/wire/frame_inspector.hpp"
#include "actors/cluster/wire/lanes.hpp"
#include "tests/fuzz/fuzzing.hpp"
#include "tests/support/frames.hpp"

using namespace flowspec;

namespace {

void expect_words(const std::string& problem) {
  bool is_printable =
      std::ranges::none_of(problem, [](unsigned char c) { return c < ' ' || c == 0x7f; });
  fuzz::expect(is_printable && problem.size() <= 1000, "problems are short and printable");
}

/// Whole, and byte by byte: the result is the same.
void read_greeting(Bytes bytes) {
  GreetingReader whole;
  GreetingReader slow;
  auto rest = bytes;
  auto result = whole.feed(rest);
  auto slow_result = GreetingReader::Result(GreetingReader::More{});
  for (std::size_t i = 0; i < bytes.size() && slow_result.index() == 0; ++i) {
    auto one = bytes.subspan(i, 1);
    slow_result = slow.feed(one);
  }
  fuzz::expect(result.index() == slow_result.index(), "a greeting does not depend on its packets");
  if (const auto* greeting = std::get_if<Greeting>(&result)) {
    auto text = encode(*greeting);
    fuzz::expect(text.size() <= most_greeting_bytes, "a greeting keeps its limit");
    GreetingReader again;
    auto copy = bytes_of(text);
    auto read = again.feed(copy);
    fuzz::expect(std::holds_alternative<Greeting>(read) && std::get<Greeting>(read) == *greeting,
                 "what is passed on stays the same");
  } else if (const auto* bad = std::get_if<GreetingReader::Bad>(&result)) {
    expect_words(bad->why);
  }
}

struct Node {
  GivenActors given;
  FrameInspector inspector{{.own = test::node_key('o'), .peer = test::node_key('p')}, given};

  Node() {
    auto hello = test::handshake_frame(BaspOperation::client_handshake, test::node_key('p'));
    inspector.judge(bytes_of(hello), Lane::control);
    given.give(test::node_key('p'), 20, true);
    given.welcome(test::node_key('q'));
    given.give(test::node_key('q'), 30, true);
    given.expect(40, test::node_key('p'), std::size_t{32} << 20);
  }

  void judge(Bytes frame, Lane lane) {
    auto verdict = inspector.judge(frame, lane);
    fuzz::expect(!verdict.passes || !verdict.problem, "what passes breaks no rule");
    expect_words(verdict.problem.value_or(""));
    inspector.note(frame);
  }
};

void read_pieces(Bytes bytes) {
  Node node;
  IncomingLanes lanes([&](Lane lane, Bytes first) -> std::optional<std::size_t> {
    auto header = read_basp_header(first);
    if (!header || node.inspector.judge_header(*header, lane))
      return std::nullopt;
    return BaspHeader::size + header->payload_size;
  });
  while (bytes.size() >= PieceHead::size) {
    auto head = read_piece_head(bytes.first(PieceHead::size));
    bytes = bytes.subspan(PieceHead::size);
    if (!head || head->length > bytes.size())
      return;
    auto result = lanes.take(*head, bytes.first(head->length));
    bytes = bytes.subspan(head->length);
    if (!result.problem.empty())
      return expect_words(result.problem);
    if (result.frame)
      node.judge(bytes_of({result.frame->data(), result.frame->size()}), result.lane);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  auto rest = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0] % 4) {
    case 0:
      read_greeting(rest);
      break;
    case 1:
      read_pieces(rest);
      break;
    default:
      Node().judge(rest, data[0] % 4 == 2 ? Lane::control : Lane::data);
  }
  return 0;
}
