/// What two programs tell each other before anything else.

#include "actors/cluster/wire/greeting.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/frames.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

Greeting greeting() {
  return {3,
          5,
          "1.2.0",
          "host",
          node_key('a'),
          {"float", "own"},
          std::chrono::milliseconds(500),
          "member-1"};
}

GreetingReader::Result read(std::string_view text) {
  GreetingReader reader;
  Bytes bytes = bytes_of(text);
  return reader.feed(bytes);
}

std::string problem_of(std::string_view text) {
  auto result = read(text);
  const auto* bad = std::get_if<GreetingReader::Bad>(&result);
  return bad != nullptr ? bad->why : "";
}

bool speaks_of(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_greeting_arrives_as_it_was_sent) {
  auto result = read(encode(greeting()));
  BOOST_REQUIRE(std::holds_alternative<Greeting>(result));
  BOOST_CHECK(std::get<Greeting>(result) == greeting());
}

BOOST_AUTO_TEST_CASE(a_greeting_arrives_byte_by_byte_and_leaves_what_follows) {
  auto text = encode(greeting()) + "next";
  GreetingReader reader;
  for (std::size_t i = 0; i < text.size(); ++i) {
    Bytes bytes = bytes_of(text).subspan(i, 1);
    auto result = reader.feed(bytes);
    if (std::holds_alternative<GreetingReader::More>(result))
      continue;
    BOOST_REQUIRE(std::holds_alternative<Greeting>(result));
    BOOST_CHECK_EQUAL(text.substr(i + 1), "next");
    return;
  }
  BOOST_ERROR("the greeting never ended");
}

BOOST_AUTO_TEST_CASE(what_follows_a_greeting_in_the_same_bytes_stays) {
  auto text = encode(greeting()) + "next";
  GreetingReader reader;
  Bytes bytes = bytes_of(text);
  BOOST_CHECK(std::holds_alternative<Greeting>(reader.feed(bytes)));
  BOOST_CHECK_EQUAL(bytes.size(), 4U);
}

BOOST_AUTO_TEST_CASE(other_protocols_are_refused_at_their_first_bytes) {
  BOOST_CHECK(speaks_of(problem_of("GET / HTTP/1.1\r\n"), "does not speak"));
  BOOST_CHECK(speaks_of(problem_of("\x16\x03\x01"), "does not speak"));
  BOOST_CHECK_EQUAL(problem_of("FLOW"), "");
}

BOOST_AUTO_TEST_CASE(a_greeting_may_not_claim_more_than_its_limit) {
  auto text = encode(greeting()).substr(0, 12);
  auto claim = [&](std::uint32_t size) { return text + ByteWriter().number(size).take(); };
  BOOST_CHECK(speaks_of(problem_of(claim(4081)), "claims 4081 bytes"));
  BOOST_CHECK(speaks_of(problem_of(claim(0xfffffff0U)), "claims"));
  BOOST_CHECK_EQUAL(problem_of(claim(4080)), "");
}

BOOST_AUTO_TEST_CASE(every_cut_and_every_changed_byte_is_read_or_refused) {
  auto text = encode(greeting());
  for (std::size_t i = 0; i < text.size(); ++i) {
    BOOST_CHECK(std::holds_alternative<GreetingReader::More>(read(text.substr(0, i))));
    for (int change : {1, 0x80, 0xff}) {
      auto changed = text;
      changed[i] = static_cast<char>(changed[i] ^ change);
      BOOST_CHECK_LE(problem_of(changed).size(), 200U);
    }
  }
}

BOOST_AUTO_TEST_CASE(texts_that_would_move_a_cursor_are_refused) {
  auto bad = greeting();
  bad.name = "a\x1b[2J";
  BOOST_CHECK(speaks_of(problem_of(encode(bad)), "not printable"));
  bad.name =
      "a\xff"
      "b";
  BOOST_CHECK(speaks_of(problem_of(encode(bad)), "not printable"));
}

BOOST_AUTO_TEST_CASE(a_long_name_is_cut_between_characters) {
  auto wordy = greeting();
  for (int i = 0; i < 100; ++i)
    wordy.name += "\xe2\x82\xac";  // three bytes each
  BOOST_CHECK_EQUAL(problem_of(encode(wordy)), "");
}

BOOST_AUTO_TEST_CASE(senseless_numbers_are_refused) {
  auto bad = greeting();
  bad.oldest_protocol = 6;
  BOOST_CHECK(speaks_of(problem_of(encode(bad)), "ends before it begins"));
  bad = greeting();
  bad.heartbeat = std::chrono::milliseconds(0);
  BOOST_CHECK(speaks_of(problem_of(encode(bad)), "heartbeat of 0 ms"));
}

BOOST_AUTO_TEST_CASE(long_texts_keep_the_limit) {
  auto large = greeting();
  large.name = large.version = large.member = std::string(5000, 'x');
  large.numerics.assign(100, std::string(5000, 'y'));
  auto text = encode(large);
  BOOST_CHECK_LE(text.size(), most_greeting_bytes);
  BOOST_CHECK(std::holds_alternative<Greeting>(read(text)));
  BOOST_CHECK_LE(encode(Refusal{std::string(9000, 'z')}).size(), most_greeting_bytes);
}

BOOST_AUTO_TEST_CASE(later_versions_may_add_to_a_greeting) {
  auto text = encode(greeting());
  text += "more";
  auto size = static_cast<char>(static_cast<unsigned char>(text[15]) + 4);
  text[15] = size;
  BOOST_CHECK(std::holds_alternative<Greeting>(read(text)));
}

BOOST_AUTO_TEST_CASE(a_refusal_says_why) {
  auto result = read(encode(Refusal{"the house is full"}));
  BOOST_REQUIRE(std::holds_alternative<Refusal>(result));
  BOOST_CHECK_EQUAL(std::get<Refusal>(result).why, "the house is full");
}

BOOST_AUTO_TEST_CASE(both_sides_agree_on_the_newest_protocol_and_the_larger_heartbeat) {
  auto a = greeting();
  auto b = greeting();
  b.node = node_key('b');
  b.oldest_protocol = 1;
  b.newest_protocol = 4;
  b.heartbeat = std::chrono::seconds(3);
  for (const auto& result : {agree(a, b), agree(b, a)}) {
    BOOST_REQUIRE(std::holds_alternative<Agreement>(result));
    BOOST_CHECK_EQUAL(std::get<Agreement>(result).protocol, 4);
    BOOST_CHECK(std::get<Agreement>(result).heartbeat == std::chrono::seconds(3));
  }
}

BOOST_AUTO_TEST_CASE(versions_without_a_common_protocol_are_told) {
  auto a = greeting();
  auto b = greeting();
  b.node = node_key('b');
  b.version = "2.0.0";
  b.oldest_protocol = 6;
  b.newest_protocol = 7;
  auto result = agree(a, b);
  BOOST_REQUIRE(std::holds_alternative<Refusal>(result));
  const auto& why = std::get<Refusal>(result).why;
  for (auto part : {"1.2.0", "versions 3 to 5", "2.0.0", "versions 6 to 7", "install the same"})
    BOOST_CHECK_MESSAGE(speaks_of(why, part), part << ": " << why);
}

BOOST_AUTO_TEST_CASE(a_process_does_not_talk_to_itself) {
  BOOST_CHECK(std::holds_alternative<Refusal>(agree(greeting(), greeting())));
}
