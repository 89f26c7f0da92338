/// Streams of text: whole characters only, and the end at stop strings.

#include "models/tokenizer/text_stream.hpp"

#include <random>

#include <boost/test/unit_test.hpp>

#include "models/formats/gguf.hpp"
#include "models/tokenizer/utf8.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

const Tokenizer& bytes_tokenizer() {
  static const Tokenizer tokenizer = [] {
    const TempFolder folder;
    GgufWriter writer;
    add_vocabulary(writer, least_vocab_size, 1);
    writer.write(folder / "v.gguf");
    return Tokenizer::from_gguf(GgufFile::open(folder / "v.gguf"));
  }();
  return tokenizer;
}

/// One token a byte: the finest cut there is.
std::vector<Token> byte_tokens(std::string_view bytes) {
  std::vector<Token> tokens;
  for (const char c : bytes)
    tokens.push_back(3 + static_cast<unsigned char>(c));
  return tokens;
}

struct Result {
  std::vector<std::string> parts;
  std::string text;
  std::optional<std::string> stop;
};

Result stream(std::string_view bytes, std::vector<std::string> stops = {}) {
  TextStream text_stream(bytes_tokenizer(), std::move(stops));
  Result result;
  for (const Token token : byte_tokens(bytes)) {
    result.parts.push_back(text_stream.push(token));
    BOOST_TEST(is_utf8(result.parts.back()));
    result.text += result.parts.back();
  }
  const std::string rest = text_stream.finish();
  BOOST_TEST(is_utf8(rest));
  result.text += rest;
  result.stop = text_stream.stop_string();
  BOOST_TEST(text_stream.stopped() == result.stop.has_value());
  return result;
}

const std::string fffd = "\xef\xbf\xbd";

}  // namespace

BOOST_AUTO_TEST_SUITE(text_stream)

BOOST_AUTO_TEST_CASE(characters_are_never_split) {
  const Result result = stream("a\xc3\xa9\xf0\x9f\xa6\x99z");
  BOOST_TEST(result.text == "a\xc3\xa9\xf0\x9f\xa6\x99z");
  BOOST_TEST(result.parts ==
             (std::vector<std::string>{"a", "", "\xc3\xa9", "", "", "", "\xf0\x9f\xa6\x99", "z"}));
}

BOOST_AUTO_TEST_CASE(ill_formed_bytes_are_replaced_as_unicode_recommends) {
  // The example of Unicode 3.9, table 3-8, and its neighbours 3-9 to 3-11.
  BOOST_TEST(stream("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41").text ==
             fffd + fffd + fffd + fffd + fffd + fffd + fffd + fffd + "A");
  BOOST_TEST(stream("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41").text ==
             fffd + fffd + fffd + fffd + fffd + fffd + fffd + fffd + "A");
  BOOST_TEST(stream("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42").text ==
             fffd + fffd + fffd + fffd + fffd + "A" + fffd + fffd + "B");
  BOOST_TEST(stream("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41").text ==
             fffd + fffd + fffd + fffd + "A");
  BOOST_TEST(stream("x\xf0\x9f\xa6").text == "x" + fffd);
  BOOST_TEST(stream("\xc3\xc3\xa9").text == fffd + "\xc3\xa9");
}

BOOST_AUTO_TEST_CASE(control_tokens_have_no_text) {
  TextStream text_stream(bytes_tokenizer());
  BOOST_TEST(text_stream.push(1).empty());
  BOOST_TEST(text_stream.push(3 + 'a') == "a");
  BOOST_TEST(text_stream.push(2).empty());
  BOOST_TEST(text_stream.push(-5).empty());
  BOOST_TEST(text_stream.finish().empty());
}

BOOST_AUTO_TEST_CASE(stop_strings_cut) {
  BOOST_TEST(stream("one END two", {"END"}).text == "one ");
  BOOST_TEST(stream("one END two", {"END"}).stop.value_or("") == "END");
  BOOST_TEST(stream("one EN", {"END"}).text == "one EN");
  BOOST_TEST(!stream("one EN", {"END"}).stop);
  BOOST_TEST(stream("aab", {"ab"}).text == "a");
  BOOST_TEST(stream("ababac!", {"abac"}).text == "ab");
  BOOST_TEST(stream("xyz", {""}).text == "xyz");
  BOOST_TEST(stream("x\xc3\xa9y", {"\xa9"}).text == "x\xc3\xa9y");  // no character
  BOOST_TEST(stream("x\xc3\xa9y", {"\xc3\xa9"}).text == "x");
}

BOOST_AUTO_TEST_CASE(the_stop_string_that_ends_first_counts) {
  BOOST_TEST(stream("abcd", {"abc", "b"}).text == "a");
  BOOST_TEST(stream("abcd", {"bcd", "abc"}).text.empty());
  BOOST_TEST(stream("abcd", {"c", "abc"}).stop.value_or("") == "abc");
  BOOST_TEST(stream("abcd", {"abc", "c"}).stop.value_or("") == "abc");
}

BOOST_AUTO_TEST_CASE(text_is_held_back_no_longer_than_needed) {
  const Result result = stream("aENEND", {"END"});
  BOOST_TEST(result.parts == (std::vector<std::string>{"a", "", "", "EN", "", ""}));
  const Result undecided = stream("aENxE", {"END"});
  BOOST_TEST(undecided.parts == (std::vector<std::string>{"a", "", "", "ENx", ""}));
  BOOST_TEST(undecided.text == "aENxE");
}

BOOST_AUTO_TEST_CASE(random_texts_equal_a_search_in_the_whole) {
  std::mt19937 random(11);
  const std::vector<std::string> letters{"a", "b", "\xc3\xa9"};
  const auto random_text = [&](std::uint32_t most) {
    std::string text;
    for (std::uint32_t i = 1 + random() % most; i > 0; --i)
      text += letters[random() % letters.size()];
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    const std::string text = random_text(30);
    const std::vector<std::string> stops{random_text(5), random_text(4)};
    // The shortest beginning of the text that ends with a stop string.
    std::string expected = text;
    for (std::size_t end = 0; end <= text.size() && expected == text; ++end) {
      std::size_t longest = 0;
      for (const std::string& stop : stops)
        if (text.substr(0, end).ends_with(stop))
          longest = std::max(longest, stop.size());
      if (longest != 0) {
        expected = text.substr(0, end - longest);
        break;
      }
    }
    BOOST_TEST(stream(text, stops).text == expected);
  }
}

BOOST_AUTO_TEST_SUITE_END()
