/// SentencePiece-style vocabularies: text to tokens and back, against a plain implementation and
/// the embedded model's vectors.

#include "models/tokenizer/tokenizer.hpp"

#include <fstream>
#include <map>
#include <random>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "models/formats/gguf.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/scored_vocabulary.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using Tokens = std::vector<Token>;

Tokenizer random_vocabulary(std::uint32_t size, std::uint64_t seed,
                            GgufWriter writer = GgufWriter()) {
  add_vocabulary(writer, size, seed);
  const TempFolder folder;
  writer.write(folder / "vocab.gguf");
  return Tokenizer::from_gguf(GgufFile::open(folder / "vocab.gguf"));
}

/// Byte-pair merging in the plainest way: look at all pairs, merge the best, again. For the
/// vocabularies of `add_vocabulary` and ASCII text, of which every letter and byte is a token.
Tokens plain_encode(const Tokenizer& tokenizer, const std::string& text) {
  std::map<std::string, Token> ids;
  for (Token t = 259; t < static_cast<Token>(tokenizer.vocab_size()); ++t)
    ids[tokenizer.text(t)] = t;  // scores fall with the token
  const std::string mark = "\xe2\x96\x81";
  std::vector<std::string> parts{mark};
  for (const char c : text)
    parts.push_back(c == ' ' ? mark : std::string(1, c));
  while (true) {
    std::size_t best = parts.size();
    Token best_token = std::numeric_limits<Token>::max();
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto it = ids.find(parts[i] + parts[i + 1]);
      if (it != ids.end() && it->second < best_token) {
        best = i;
        best_token = it->second;
      }
    }
    if (best == parts.size())
      break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  Tokens tokens;
  for (const std::string& part : parts) {
    const auto it = ids.find(part);
    tokens.push_back(it != ids.end() ? it->second : 3 + static_cast<unsigned char>(part[0]));
  }
  return tokens;
}

const EncodeOptions without_bos{.add_bos = false};

}  // namespace

BOOST_AUTO_TEST_SUITE(tokenizer)

BOOST_AUTO_TEST_CASE(the_best_score_merges_first_and_the_leftmost_of_equals) {
  // 5.. are the letters, then the pairs.
  const Tokenizer t =
      make({{"a", -9}, {"b", -9}, {"c", -9}, {"ab", -2}, {"bc", -1}, {"aa", -3}},
           [](GgufWriter& w) { w.add_bool("tokenizer.ggml.add_space_prefix", false); });
  BOOST_TEST(t.encode("abc", without_bos) == (Tokens{5, 9}));
  BOOST_TEST(t.encode("ab", without_bos) == (Tokens{8}));
  BOOST_TEST(t.encode("aaa", without_bos) == (Tokens{10, 5}));
  BOOST_TEST(t.encode("aaaaa", without_bos) == (Tokens{10, 10, 5}));
}

BOOST_AUTO_TEST_CASE(spaces_bos_and_eos_follow_the_file) {
  const std::vector<Entry> words{{"\xe2\x96\x81", -5},
                                 {"a", -6},
                                 {"\xe2\x96\x81"
                                  "a",
                                  -1}};
  const Tokenizer t = make(words);
  BOOST_TEST(t.bos() == 1);
  BOOST_TEST(t.eos() == 2);
  BOOST_TEST(t.unknown() == 0);
  BOOST_TEST(t.encode("a a") == (Tokens{1, 7, 7}));
  BOOST_TEST(t.encode("a", {.add_bos = false, .add_eos = true}) == (Tokens{7, 2}));
  BOOST_TEST(t.encode("") == (Tokens{1}));
  BOOST_TEST(t.encode("", without_bos).empty());
  BOOST_TEST(t.decode(Tokens{1, 7, 7, 2}) == "a a");
  BOOST_TEST(t.decode(Tokens{7}) == "a");
  BOOST_TEST(t.piece(7) == " a");
  BOOST_TEST(t.text(7) ==
             "\xe2\x96\x81"
             "a");
  const Tokenizer other = make(words, [](GgufWriter& w) {
    w.add_bool("tokenizer.ggml.add_bos_token", false);
    w.add_bool("tokenizer.ggml.add_eos_token", true);
    w.add_bool("tokenizer.ggml.add_space_prefix", false);
    w.add_uint("tokenizer.ggml.padding_token_id", 0xffffffff);
    w.add_uint("tokenizer.ggml.eos_token_id", 1);
    w.add_uint("tokenizer.ggml.bos_token_id", 0xffffffff);  // out of range: the default
  });
  BOOST_TEST(other.encode("a a") == (Tokens{6, 7, 1}));
  BOOST_TEST(other.bos() == 1);
  BOOST_TEST(other.decode(Tokens{7}) == " a");
}

/// So does llama.cpp, which reads the key for other kinds of vocabulary.
BOOST_AUTO_TEST_CASE(extra_spaces_stay_in_gguf_files_whatever_they_say) {
  const auto encode = [](bool removes) {
    return make({{"\xe2\x96\x81", -5}, {"a", -6}},
                [removes](GgufWriter& w) {
                  w.add_bool("tokenizer.ggml.remove_extra_whitespaces", removes);
                })
        .encode("  a  a ", without_bos);
  };
  BOOST_TEST(encode(true) == encode(false));
  BOOST_TEST(encode(true) == (Tokens{5, 5, 5, 6, 5, 5, 6, 5}));
}

BOOST_AUTO_TEST_CASE(control_tokens_are_read_only_when_asked) {
  const Tokenizer t = make({{"<", -1},
                            {"/", -1},
                            {"s", -1},
                            {">", -1},
                            {"</", -1},
                            {"</s", -1},
                            {"\xe2\x96\x81", -1},
                            {"<0x", -1},
                            {"a", -1}});
  const Tokens plain = t.encode("</s>", without_bos);
  BOOST_TEST(plain == (Tokens{11, 10, 8}));
  BOOST_TEST(t.decode(plain) == "</s>");
  BOOST_TEST(t.encode("a</s>a", {.add_bos = false, .parse_special = true}) ==
             (Tokens{11, 13, 2, 11, 13}));
  BOOST_TEST(t.piece(2).empty());
  BOOST_TEST(t.is_control(2));
  BOOST_TEST(!t.is_control(5));
}

BOOST_AUTO_TEST_CASE(user_defined_tokens_are_always_found_longest_first) {
  const Tokenizer t = make({{"<x>", 0, user_defined},
                            {"<x><y>", 0, user_defined},
                            {"\xe2\x96\x81", -1},
                            {"a", -1},
                            {"<|im_end|>", 0, control}});
  BOOST_TEST(t.encode("a<x><y><x>a", without_bos) == (Tokens{7, 8, 6, 5, 7, 8}));
  BOOST_TEST(t.encode("<x>", without_bos) == (Tokens{5}));
  BOOST_TEST(t.piece(6) == "<x><y>");
  BOOST_TEST(t.is_end_of_text(2));
  BOOST_TEST(t.is_end_of_text(9));
  BOOST_TEST(!t.is_end_of_text(5));
  BOOST_TEST(!t.is_end_of_text(-1));
}

BOOST_AUTO_TEST_CASE(known_texts_end_a_text_and_are_control_tokens_whatever_the_file_says) {
  for (const char* text : {"<|im_end|>",      "<|eot_id|>",
                           "<|eom_id|>",      "<|end|>",
                           "<|eot|>",         "<|endoftext|>",
                           "<|end_of_text|>", "<|END_OF_TURN_TOKEN|>",
                           "<|return|>",      "<|call|>",
                           "<end_of_turn>",   "<end_of_utterance>",
                           "<EOT>",           "_<EOT>",
                           "[EOT]",           "[EOS]",
                           "<eos>",           "<｜end▁of▁sentence｜>",
                           "<|fim_pad|>",     "<|repo_name|>",
                           "<|file_sep|>",    "[PAD]"}) {
    for (const std::int32_t kind : {normal, control, user_defined, unused}) {
      const Tokenizer t = make({{"a", -1}, {text, 0, kind}, {"\xe2\x96\x81", -1}});
      BOOST_TEST(t.is_end_of_text(6), text);
      BOOST_TEST(t.is_control(6), text);
      BOOST_TEST(t.piece(6).empty(), text);
      const Tokens plain = t.encode("a" + std::string(text), without_bos);
      BOOST_TEST(std::ranges::count(plain, 6) == 0, text);
      BOOST_TEST(t.encode("a" + std::string(text), {.add_bos = false, .parse_special = true}) ==
                     (Tokens{7, 5, 6}),
                 text);
    }
  }
  for (const char* text : {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<PRE>",
                           "\xe2\x96\x81<SUF>", "<｜fim▁hole｜>"}) {
    const Tokenizer t = make({{text, 0, user_defined}});
    BOOST_TEST(t.is_control(5), text);
    BOOST_TEST(!t.is_end_of_text(5), text);
    BOOST_TEST(std::ranges::count(t.encode(text, without_bos), 5) == 0, text);
  }
  const Tokenizer other = make({{"<tool_call>", 0, user_defined}, {"<x>", 0, control}});
  BOOST_TEST(!other.is_control(5));
  BOOST_TEST(!other.is_end_of_text(6));
}

BOOST_AUTO_TEST_CASE(the_end_of_a_part_is_no_end_of_the_text) {
  BOOST_TEST(make({{"<|end|>", 0, control}}).is_end_of_text(5));
  const Tokenizer parts =
      make({{"<|end|>", 0, control}, {"<|return|>", 0, control}, {"<|call|>", 0, control}});
  BOOST_TEST(!parts.is_end_of_text(5));
  BOOST_TEST(parts.is_end_of_text(6));
  BOOST_TEST(parts.is_end_of_text(7));
}

BOOST_AUTO_TEST_CASE(a_text_ends_with_any_of_the_tokens_that_the_file_names) {
  const Tokenizer t = make({{"a", -1}, {".", -1}, {"!", -1}}, [](GgufWriter& writer) {
    writer.add_uint("tokenizer.ggml.eos_token_id", 5);
    writer.add_uint("tokenizer.ggml.eot_token_id", 6);
    writer.add_uint("tokenizer.ggml.eom_token_id", 7);
  });
  for (const Token token : {2, 5, 6, 7})
    BOOST_TEST(t.is_end_of_text(token));
  BOOST_TEST(!t.is_end_of_text(1));
  BOOST_TEST(t.warnings().empty());
}

BOOST_AUTO_TEST_CASE(tokens_that_are_none_are_warned_of) {
  const Tokenizer t = make({{"a", -1}}, [](GgufWriter& writer) {
    writer.add_uint("tokenizer.ggml.eos_token_id", 6);
    writer.add_uint("tokenizer.ggml.bos_token_id", 99);
    writer.add_uint("tokenizer.ggml.eot_token_id", 0xffffffff);  // "none"
  });
  BOOST_TEST(t.eos() == 2);
  BOOST_REQUIRE(t.warnings().size() == 2);
  BOOST_TEST(
      t.warnings()[0] ==
      "tokenizer.ggml.bos_token_id is 99, which is none of the vocabulary's 6 tokens, and is "
      "not used");
  BOOST_TEST(t.warnings()[1].starts_with("tokenizer.ggml.eos_token_id is 6,"));
}

BOOST_AUTO_TEST_CASE(unused_tokens_stand_for_nothing) {
  const Tokenizer t = make({{"a", -1}, {"[PAD5]", 0, unused}});
  BOOST_TEST(t.piece(6).empty());
  BOOST_TEST(t.decode(Tokens{5, 6, 5}) == "aa");
  BOOST_TEST(t.text(6) == "[PAD5]");
}

BOOST_AUTO_TEST_CASE(bytes_are_found_by_their_texts_whatever_the_file_says) {
  const auto all_normal = [](std::int32_t kind) {
    return make({{"a", -1}, {"\xe2\x96\x81", -1}, {"<0xA9>", 0, kind}, {"<0x2E>", 0, kind}});
  };
  for (const std::int32_t kind : {normal, unknown, control, user_defined, unused, byte}) {
    const Tokenizer t = all_normal(kind);
    BOOST_TEST(t.encode("a\xc3\xa9.", without_bos) == (Tokens{6, 5, 4, 7, 8}));
    BOOST_TEST(t.decode(Tokens{6, 5, 4, 7, 8}) == "a\xc3\xa9.");
  }
}

BOOST_AUTO_TEST_CASE(missing_characters_become_bytes_or_unknown) {
  const Tokenizer t = make({{"a", -1}, {"\xe2\x96\x81", -1}});
  BOOST_TEST(t.encode("\n", without_bos) == (Tokens{6, 3}));
  BOOST_TEST(t.piece(3) == "\n");
  // "é" is C3 A9; there is a token for the first byte only.
  BOOST_TEST(t.encode("\xc3\xa9", without_bos) == (Tokens{6, 4, 0}));
  BOOST_TEST(t.piece(0).empty());
  BOOST_TEST(t.piece(-1).empty());
  BOOST_TEST(t.piece(1000).empty());
  BOOST_TEST(t.text(1000).empty());
}

BOOST_AUTO_TEST_CASE(any_bytes_come_back) {
  const Tokenizer t = random_vocabulary(400, 1);
  std::mt19937 random(7);
  const std::vector<std::string> parts{
      "the ", "\xe2\x96\x81",       "\xf0\x9f\xa6\x99", "\xc3", "\xff", "a",
      " ",    std::string(1, '\0'), "\xe2\x96",         "\n",   "<s>",  "<0x41>"};
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::uint32_t i = random() % 20; i > 0; --i)
      text += parts[random() % parts.size()];
    std::string expected = text;
    for (std::size_t at = 0; (at = expected.find("\xe2\x96\x81", at)) != std::string::npos;)
      expected.replace(at, 3, 1, ' ');  // the mark itself cannot be told from a space
    BOOST_TEST(t.decode(t.encode(text)) == expected);
  }
}

BOOST_AUTO_TEST_CASE(the_same_as_plain_merging) {
  std::mt19937 random(3);
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const Tokenizer t = random_vocabulary(300 + 200 * static_cast<std::uint32_t>(seed), seed);
    for (int round = 0; round < 40; ++round) {
      std::string text;
      for (std::uint32_t i = random() % 60; i > 0; --i) {
        const std::string piece =
            t.piece(static_cast<Token>(259 + random() % (t.vocab_size() - 259)));
        text += random() % 20 == 0 ? std::string("7Z") : piece;
      }
      const Tokens expected = text.empty() ? Tokens() : plain_encode(t, text);
      BOOST_TEST_REQUIRE(t.encode(text, without_bos) == expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(long_texts_take_no_quadratic_time) {
  const Tokenizer t = random_vocabulary(2000, 5);
  const std::string text(300'000, 'a');
  BOOST_TEST(t.decode(t.encode(text)) == text);
}

BOOST_AUTO_TEST_CASE(long_texts_have_many_tokens_whatever_is_in_them) {
  const Tokenizer t = random_vocabulary(2000, 5);
  std::string longest;
  for (std::size_t i = 0; i < t.vocab_size(); ++i) {
    const std::string piece = t.piece(static_cast<Token>(i));
    longest = piece.size() > longest.size() ? piece : longest;
  }
  std::string text;
  while (text.size() < 20'000)
    text += longest;
  BOOST_TEST(t.least_tokens(text.size()) > 100U);
  BOOST_TEST(t.least_tokens(text.size()) <= t.encode(text).size());
  BOOST_TEST(t.least_tokens(3) == 0U);
}

BOOST_AUTO_TEST_CASE(vectors_of_the_embedded_model) {
  const std::filesystem::path folder = source_path("models/embedded");
  const Tokenizer t = Tokenizer::from_gguf(GgufFile::open(folder / "target.gguf"));
  BOOST_TEST(!difference(t, Tokenizer::from_gguf(GgufFile::open(folder / "draft.gguf"))));
  std::ifstream vectors(folder / "tokenizer_vectors.jsonl");
  std::size_t count = 0;
  for (std::string line; std::getline(vectors, line); ++count) {
    const auto vector = nlohmann::json::parse(line);
    const auto text = vector["text"].get<std::string>();
    BOOST_TEST_CONTEXT("text: " << text) {
      BOOST_TEST(t.encode(text, without_bos) == vector["ids"].get<Tokens>());
      BOOST_TEST(t.decode(t.encode(text)) == text);
    }
  }
  BOOST_TEST(count > 20U);
}

BOOST_AUTO_TEST_SUITE_END()
