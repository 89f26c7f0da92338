/// How texts are split into words before byte pairs are merged.

#include "models/tokenizer/word_splitter.hpp"

#include <algorithm>
#include <cctype>
#include <random>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/tokenizer/word_patterns.hpp"
#include "tests/support/vocab_vectors.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using Words = std::vector<std::string>;
using Behavior = SplitStep::Behavior;

const char* const all_names[] = {"default",      "llama-bpe",      "qwen2",       "gpt-2",
                                 "deepseek-llm", "deepseek-coder", "deepseek-v3", "falcon",
                                 "smollm",       "tekken",         "gpt-4o",      "qwen35",
                                 "seed-coder",   "minicpm5",       "bloom",       "viking"};

Words split(const std::vector<SplitStep>& steps, std::string_view text) {
  const auto views = WordSplitter(steps).split(text);
  return {views.begin(), views.end()};
}

Words split(const char* name, std::string_view text) {
  return split(find_word_rules(name).value().steps, text);
}

Words split(const char* pattern, Behavior behavior, std::string_view text) {
  return split({{.pattern = pattern, .behavior = behavior, .is_foreign = true}}, text);
}

std::string joined(const Words& words) {
  std::string text;
  for (const std::string& word : words) {
    BOOST_TEST(!word.empty());
    text += word;
  }
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(word_splitter)

BOOST_AUTO_TEST_CASE(gpt2_keeps_a_space_with_the_word_after_it) {
  BOOST_TEST(split("gpt-2", "Hello  world's 1234 x!? \n\n y") ==
             (Words{"Hello", " ", " world", "'s", " 1234", " x", "!?", " \n\n", " y"}));
  BOOST_TEST(split("gpt-2", "I'LL \t").back() == " \t");
  BOOST_TEST(split("mpt", "a 12") == (Words{"a", " 12"}));
}

BOOST_AUTO_TEST_CASE(llama3_takes_digits_by_three_and_qwen2_one_by_one) {
  BOOST_TEST(split("llama-bpe", "x 1234567 I'LL (ok)\n\n  end") ==
             (Words{"x", " ", "123", "456", "7", " I", "'LL", " (", "ok", ")\n\n", " ", " end"}));
  BOOST_TEST(split("qwen2", "x 123") == (Words{"x", " ", "1", "2", "3"}));
  BOOST_TEST(split("deepseek-r1-qwen", "12") == (Words{"1", "2"}));
  BOOST_TEST(split("llama3", "tab\tword") == (Words{"tab", "\tword"}));
}

BOOST_AUTO_TEST_CASE(the_other_families) {
  BOOST_TEST(split("seed-coder", "x 12 (ok)\n\n") ==
             (Words{"x", " ", "1", "2", " (", "ok", ")", "\n\n"}));
  BOOST_TEST(split("minicpm5", "a 12345 I'LL)\n") ==
             (Words{"a", " ", "123", "45", " I", "'LL", ")\n"}));
  BOOST_TEST(split("qwen35", "e\u0301a!\u0301 12") ==
             (Words{"e\u0301a", "!\u0301", " ", "1", "2"}));
  BOOST_TEST(split("qwen2", "e\u0301a") == (Words{"e", "\u0301a"}));
  BOOST_TEST(split("bloom", "a b12, c(d)\u3002") ==
             (Words{"a", " b12", ",", " c", "(", "d", ")\u3002"}));
  BOOST_TEST(split("viking", "a b12, c") == (Words{"a", " b", "1", "2", ",", " c"}));
  for (const char* name : {"f2llmv2", "grok-2", "solar-open"})
    BOOST_TEST(split(name, "I'LL 12") == split("qwen2", "I'LL 12"));
  for (const auto& [name, same] : {std::pair("joyai-llm", "deepseek-v3"),
                                   {"talkie", "gpt-4o"},
                                   {"mellum2", "starcoder"},
                                   {"poro-chat", "bloom"},
                                   {"gpt3-finnish", "bloom"}})
    BOOST_TEST(split(name, "I'LL say: aB 1234,\n c") == split(same, "I'LL say: aB 1234,\n c"),
               name);
  BOOST_TEST(split("smollm", "a 12") == (Words{"a", " ", "1", "2"}));
  BOOST_TEST(split("command-r", "12b") == (Words{"1", "2", "b"}));
  BOOST_TEST(split("starcoder", "x1") == (Words{"x", "1"}));
  BOOST_TEST(split("falcon", "a 12345, b") == (Words{"a", " ", "123", "45", ",", " b"}));
  BOOST_TEST(split("default", "x=12345") == (Words{"x", "=", "123", "45"}));
  BOOST_TEST(split("deepseek-llm", "Hi \xe4\xbd\xa0\xe5\xa5\xbd 99!\n") ==
             (Words{"Hi", " ", "\xe4\xbd\xa0\xe5\xa5\xbd", " ", "99", "!", "\n"}));
  BOOST_TEST(split("deepseek-llm", "a  ") == (Words{"a", "  "}));
  BOOST_TEST(split("deepseek-coder", "if x1:\n") == (Words{"if", " x", "1", ":", "\n"}));
  BOOST_TEST(split("deepseek-v3", "a.b 1234") == (Words{"a", ".b", " ", "123", "4"}));
  BOOST_TEST(split("tekken", "camelCase HTTPServer 12") ==
             (Words{"camel", "Case", " HTTPServer", " ", "1", "2"}));
  BOOST_TEST(split("gpt-4o", "we'll 1234") == (Words{"we'll", " ", "123", "4"}));
  BOOST_TEST(split("olmo", "a b") == (Words{"a", " b"}));
}

BOOST_AUTO_TEST_CASE(letters_and_spaces_are_what_unicode_says) {
  // A mark is no letter, U+3000 is a space, U+180E is none.
  BOOST_TEST(split("gpt-2", "\xc3\xa9\xcc\x81 \xd0\x94") ==
             (Words{"\xc3\xa9", "\xcc\x81", " \xd0\x94"}));
  BOOST_TEST(split("gpt-2", "a\xe3\x80\x80\xe3\x80\x80z") ==
             (Words{"a", "\xe3\x80\x80", "\xe3\x80\x80", "z"}));
  BOOST_TEST(split("gpt-2", "!\xe1\xa0\x8e!") == (Words{"!\xe1\xa0\x8e!"}));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_utf8_are_words_of_their_own) {
  for (const char* name : all_names)
    BOOST_TEST(split(name, "a\xff\xfe z\xc3") == (Words{"a", "\xff\xfe", " z", "\xc3"}));
}

BOOST_AUTO_TEST_CASE(nothing_gets_lost) {
  std::mt19937 random(5);
  const std::string bytes("aZ 1\n\r\t'.,\0\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x99\x82\xff", 22);
  for (const char* name : all_names) {
    const WordSplitter splitter(find_word_rules(name).value().steps);
    for (int round = 0; round < 300; ++round) {
      std::string text;
      for (std::uint32_t i = random() % 40; i > 0; --i)
        text += bytes[random() % bytes.size()];
      const auto views = splitter.split(text);
      BOOST_TEST_REQUIRE(joined(Words(views.begin(), views.end())) == text);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_behavior_of_a_step) {
  BOOST_TEST(split("-", Behavior::isolated, "a--b-") == (Words{"a", "-", "-", "b", "-"}));
  BOOST_TEST(split("-", Behavior::contiguous, "a--b-") == (Words{"a", "--", "b", "-"}));
  BOOST_TEST(split("-", Behavior::contiguous, "--b--") == (Words{"--", "b", "--"}));
  BOOST_TEST(split("-", Behavior::merged_with_previous, "a--b-") == (Words{"a-", "-", "b-"}));
  BOOST_TEST(split("-", Behavior::merged_with_next, "a--b-") == (Words{"a", "-", "-b", "-"}));
  BOOST_TEST(split("x*", Behavior::isolated, "axb") == (Words{"a", "x", "b"}));
  BOOST_TEST(split("b$", Behavior::isolated, "ab\nbb") == (Words{"a", "b", "\nb", "b"}));
}

BOOST_AUTO_TEST_CASE(bad_patterns_are_refused) {
  for (const char* pattern : {"(", "", "[a-z&&[aeiou]]", "\\p{Nonsense}"})
    BOOST_CHECK_THROW(split(pattern, Behavior::isolated, "a"), ModelError);
  BOOST_CHECK_THROW(split(std::string(20000, 'a').c_str(), Behavior::isolated, "a"), ModelError);
  BOOST_CHECK_THROW(split("((a{1,999}){1,999}){1,999}", Behavior::isolated, "a"), ModelError);
}

/// Quadratic time would be hours.
BOOST_AUTO_TEST_CASE(long_texts_of_one_kind_take_linear_time) {
  for (const char* name : all_names) {
    const WordSplitter splitter(find_word_rules(name).value().steps);
    for (const std::string unit :
         {"a", "A", "7", " ", "\n", "!", "\t", "\xe4\xbd\xa0", "\xcc\x81", "'", "\xff"}) {
      std::string text;
      while (text.size() < 200'000)
        text += unit;
      for (const std::string& end : {std::string(), std::string("x")}) {
        std::size_t size = 0;
        for (const std::string_view word : splitter.split(text + end))
          size += word.size();
        BOOST_TEST(size == text.size() + end.size());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(slow_foreign_patterns_end_in_one_long_word) {
  const std::string a(3000, 'a');
  BOOST_TEST(split("(a+)+b", Behavior::isolated, a) == (Words{a}));
  const std::string digits(100'000, '7');
  BOOST_TEST(joined(split(R"(\d{1,3}(?=(?:\d{3})*\b))", Behavior::isolated, digits)) == digits);
  BOOST_TEST(joined(split(R"(\s+$)", Behavior::isolated, std::string(100'000, ' ') + "x")).size() ==
             100'001U);
}

BOOST_AUTO_TEST_CASE(foreign_patterns_see_long_texts_in_parts_cut_before_a_space) {
  std::string text;
  while (text.size() < 100'000)
    text += "word after word ";
  const auto steps = find_word_rules("gpt-2").value().steps;
  BOOST_TEST(split(steps[0].pattern.c_str(), Behavior::isolated, text) == split(steps, text));
}

BOOST_AUTO_TEST_CASE(unknown_names) {
  BOOST_TEST(!find_word_rules("nonsense"));
  BOOST_TEST(word_rule_names().find("llama-bpe") != std::string::npos);
}

/// Tokens never cross the end of a word, so a text has at least as many tokens as words.
BOOST_AUTO_TEST_CASE(public_vectors_have_no_fewer_tokens_than_words) {
  for (const char* name : {"llama-bpe", "qwen2", "gpt-2", "falcon", "deepseek-llm"}) {
    const auto vectors = public_vectors(name);
    for (const VocabVector& vector : vectors.value_or(std::vector<VocabVector>())) {
      const Words words = split(name, vector.text);
      BOOST_TEST(words.size() <= vector.tokens.size(), name << ": " << vector.text);
      const bool all_digits =
          std::ranges::all_of(vector.text, [](unsigned char c) { return std::isdigit(c) != 0; });
      // Every run of up to three digits is a token of LLaMA 3, each digit one of Qwen 2.
      if (all_digits && (name == std::string("llama-bpe") || name == std::string("qwen2")))
        BOOST_TEST(words.size() == vector.tokens.size(), name << ": " << vector.text);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
