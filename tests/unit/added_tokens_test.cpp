/// Vocabularies from a model's folder: added tokens, and texts that are normalized before they are
/// looked for.

#include <boost/test/unit_test.hpp>

#include "tests/support/folder_vocabularies.hpp"

using namespace flowspec;
using namespace flowspec::test;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(model_folder)

BOOST_AUTO_TEST_CASE(added_tokens_may_take_the_spaces_beside_them) {
  json content = byte_level_json(words, pattern_of("gpt-2"));
  content["added_tokens"][0]["rstrip"] = true;
  content["added_tokens"][1]["lstrip"] = true;
  const Tokenizer t = open_json(content);
  BOOST_TEST(t.encode("<s>  x \n<|im_end|> ", {.parse_special = true}) ==
             (Tokens{263, 'x', 264, ' '}));
  for (const char* space : {"\t", "\v", "\f", "\u0085", "\u00a0", "\u1680", "\u2000", "\u200a",
                            "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    const std::string spaces = std::string(space) + " " + space;
    BOOST_TEST(t.encode("<s>" + spaces + "x" + spaces + "<|im_end|>", {.parse_special = true}) ==
               (Tokens{263, 'x', 264}));
  }
  // U+200B and U+001C are no white space.
  for (const char* other : {"\u200b", "\x1c"})
    BOOST_TEST(t.encode(std::string("<s>") + other, {.parse_special = true}).size() > 1U);
  // So a long text may have few tokens.
  const std::string padded = std::string(10'000, ' ') + "<|im_end|>";
  BOOST_TEST(t.encode(padded, {.parse_special = true}).size() == 1U);
  BOOST_TEST(t.least_tokens(padded.size()) <= 1U);
  content["added_tokens"][0]["single_word"] = true;
  check_error([&] { open_json(content); }, "single_word");
}

BOOST_AUTO_TEST_CASE(text_is_composed_where_the_file_says_so) {
  json content = byte_level_json(words, pattern_of("qwen2"));
  BOOST_TEST(open_json(content).encode("e\xcc\x81").size() == 3U);
  content["normalizer"] = {{"type", "NFC"}};
  const Tokenizer t = open_json(content);
  BOOST_TEST(t.decode(t.encode("e\xcc\x81 \xff")) == "\xc3\xa9 \xff");
  // Hangul from its letters, over the places where long texts are cut.
  std::string decomposed;
  std::string composed;
  for (int i = 0; i < 5000; ++i) {
    decomposed += "a\xe1\x84\x80\xe1\x85\xa1";
    composed += "a\xea\xb0\x80";
  }
  BOOST_TEST(t.decode(t.encode(decomposed)) == composed);
  // Three letters become one syllable, and that one token: nine bytes of text for each.
  json syllables = byte_level_json({.merges = {{"\xea", "\xb0"}, {"\xea\xb0", "\x81"}},
                                    .more = {},
                                    .control = {},
                                    .user_defined = {}},
                                   pattern_of("qwen2"));
  syllables["normalizer"] = {{"type", "NFC"}};
  const Tokenizer korean = open_json(syllables);
  std::string letters;
  for (int i = 0; i < 1000; ++i)
    letters += "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8";
  BOOST_TEST(korean.encode(letters).size() == 1000U);
  BOOST_TEST(korean.least_tokens(letters.size()) <= 1000U);
  std::string marks = "a";
  while (marks.size() < 200'000)
    marks += "\xcc\x81\xcc\xa3";  // in the wrong order: sorting all of them would take hours
  BOOST_TEST(t.decode(t.encode(marks)).size() > marks.size() / 2);
}

BOOST_AUTO_TEST_CASE(normalized_tokens_are_looked_for_in_normalized_text) {
  const std::string composed = "\xc3\xa9q";
  const std::string decomposed = "e\xcc\x81q";
  for (const std::string& content : {composed, decomposed}) {
    json file = byte_level_json(words, pattern_of("qwen2"));
    file["normalizer"] = {{"type", "NFC"}};
    file["added_tokens"].push_back(added_token(300, content, false));
    file["added_tokens"].back()["normalized"] = true;
    const Tokenizer t = open_json(file);
    for (const std::string& text : {composed, decomposed}) {
      BOOST_TEST(t.encode("x" + text + "1") == (Tokens{'x', 300, '1'}));
      BOOST_TEST(t.decode(t.encode(text)) == composed);
    }
    // The other way it is found in the text as it is.
    file["added_tokens"].back()["normalized"] = false;
    const Tokenizer raw = open_json(file);
    BOOST_TEST(raw.encode(content) == (Tokens{300}));
    BOOST_TEST(raw.encode(content == composed ? decomposed : composed).size() > 1U);
  }
}

BOOST_AUTO_TEST_CASE(added_tokens_are_found_from_left_to_right_the_longest_of_a_place) {
  json file = byte_level_json(words, pattern_of("gpt-2"));
  const auto add = [&](std::size_t id, const char* text, bool is_normalized) {
    file["added_tokens"].push_back(added_token(id, text, false));
    file["added_tokens"].back()["normalized"] = is_normalized;
  };
  add(300, "<a", false);
  add(301, "a>>>", false);
  add(302, "<a>", false);
  add(303, "[b", true);
  add(304, "b]]", false);
  const Tokenizer t = open_json(file);
  BOOST_TEST(t.encode("<a>>>") == (Tokens{302, '>', '>'}));
  BOOST_TEST(t.encode("<a<a>a>>>") == (Tokens{300, 302, 301}));
  // Those that are looked for in the text as it is come first.
  BOOST_TEST(t.encode("[b]]") == (Tokens{'[', 304}));
  BOOST_TEST(t.encode("[b]") == (Tokens{303, ']'}));
}

BOOST_AUTO_TEST_CASE(a_normalizer_that_puts_a_mark_first_puts_it_before_normalized_tokens_too) {
  json file = metaspace_json(pieces());
  file["added_tokens"].push_back(added_token(267, "<x>", false));
  file["added_tokens"].back()["normalized"] = true;
  const Tokenizer t = open_json(file);
  BOOST_TEST(t.warnings().empty());
  // Behind it the text goes on without a space.
  BOOST_TEST(t.encode("<x>a", without_bos) == (Tokens{267, 264}));
  BOOST_TEST(t.encode("a <x>a", without_bos) == (Tokens{259, 267, 264}));
  BOOST_TEST(t.decode(Tokens{259, 267, 264}) == "a <x>a");
  BOOST_TEST(t.decode(Tokens{267, 264}) == "<x>a");
  const Tokens inside = t.encode("a<x>", without_bos);
  BOOST_TEST(std::ranges::count(inside, 267) == 0);
  // Of control tokens this is hardly meant.
  file["added_tokens"][2]["normalized"] = true;
  const Tokenizer other = open_json(file);
  BOOST_REQUIRE(other.warnings().size() == 1U);
  BOOST_TEST(other.warnings()[0].find("'</s>' is normalized") != std::string::npos);
  const EncodeOptions special{.add_bos = false, .parse_special = true};
  BOOST_TEST(other.encode("a </s>", special) == (Tokens{259, 2}));
  BOOST_TEST(std::ranges::count(other.encode("a</s>", special), 2) == 0);
}

BOOST_AUTO_TEST_CASE(normalized_control_tokens_are_text_where_a_text_is_literal) {
  json file = metaspace_json(pieces());
  file["added_tokens"][2]["normalized"] = true;
  const Tokenizer t = open_json(file);
  const std::string text = "a </s> a  </s> a </s>";
  const auto ends = [&](std::vector<TextRange> literal) {
    const Tokens tokens =
        t.encode(text, {.add_bos = false, .parse_special = true, .literal = literal});
    return std::ranges::count(tokens, 2);
  };
  BOOST_TEST(ends({}) == 3);
  BOOST_TEST(ends({{8, 14}}) == 2);
  BOOST_TEST(ends({{0, 6}, {15, 21}}) == 1);
  BOOST_TEST(ends({{15, 21}, {0, 6}}) == 1);
  BOOST_TEST(ends({{13, 14}}) == 2);
  BOOST_TEST(ends({{0, text.size()}}) == 0);
}

BOOST_AUTO_TEST_CASE(a_literal_text_breaks_no_control_token_before_it) {
  json file = byte_level_json(words, pattern_of("gpt-2"));
  file["added_tokens"].push_back(added_token(300, "<s>[x]", true));
  const Tokenizer t = open_json(file);
  const std::vector<TextRange> literal{{3, 6}};
  BOOST_TEST(t.encode("<s>[x]", {.parse_special = true}) == (Tokens{300}));
  BOOST_TEST(t.encode("<s>[x]", {.parse_special = true, .literal = literal}) ==
             (Tokens{263, '[', 'x', ']'}));
}

BOOST_AUTO_TEST_CASE(marks_in_added_tokens_are_spaces) {
  json file = metaspace_json(pieces());
  file["normalizer"] = file["normalizer"]["normalizers"][1];
  file["added_tokens"].push_back(added_token(262, mark + mark, false));
  file["added_tokens"].push_back(added_token(267, mark + mark + mark, false));
  const Tokenizer t = open_json(file);
  BOOST_TEST(t.encode("a  b", without_bos) == (Tokens{264, 262, 265}));
  BOOST_TEST(t.decode(Tokens{264, 262, 265}) == "a  b");
  BOOST_TEST(t.decode(Tokens{267, 264}) == "   a");
  BOOST_TEST(t.text(267) == mark + mark + mark);
  auto samples = pieces();
  samples.push_back({mark + mark + mark, 0, 4});
  const Tokenizer model = open_model(sentencepiece_bytes(samples));
  BOOST_TEST(model.encode("a   a", without_bos) == (Tokens{259, 267, 264}));
  BOOST_TEST(model.decode(Tokens{259, 267, 264}) == "a   a");
}

BOOST_AUTO_TEST_SUITE_END()
