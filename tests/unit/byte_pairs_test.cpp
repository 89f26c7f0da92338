/// Byte-level BPE from GGUF files: own small vocabularies, and public ones.

#include <array>
#include <functional>
#include <random>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/formats/gguf.hpp"
#include "models/tokenizer/byte_alphabet.hpp"
#include "models/tokenizer/text_stream.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "tests/support/byte_vocabulary.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/vocab_vectors.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using Tokens = std::vector<Token>;

Tokenizer open(const GgufWriter& writer) {
  const TempFolder folder;
  writer.write(folder / "vocab.gguf");
  return Tokenizer::from_gguf(GgufFile::open(folder / "vocab.gguf"));
}

/// Tokens 0 to 255 are the bytes, then come the products of the merges, then control tokens.
Tokenizer make(ByteVocabulary vocabulary, const std::function<void(GgufWriter&)>& change = {}) {
  GgufWriter writer;
  add_byte_vocabulary(writer, vocabulary);
  if (change)
    change(writer);
  return open(writer);
}

const ByteVocabulary hello{
    .merges = {{"l", "l"}, {"h", "e"}, {"he", "ll"}, {"hell", "o"}, {" ", "h"}}};

std::string random_text(std::mt19937& random) {
  std::string text;
  for (std::uint32_t i = random() % 40; i > 0; --i) {
    std::uint32_t c = random() % 0x80;
    switch (random() % 6) {
      case 0:
        c = random() % 0x800;
        break;
      case 1:
        c = random() % 0xd800;
        break;
      case 2:
        c = 0x10000 + random() % 0x100000;
        break;
      default:
        break;
    }
    if (c == 0x2581)
      continue;  // SentencePiece writes spaces so and cannot tell them apart
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else if (c < 0x800) {
      text += {static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 63))};
    } else if (c < 0x10000) {
      text += {static_cast<char>(0xe0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 63)),
               static_cast<char>(0x80 | (c & 63))};
    } else {
      text += {static_cast<char>(0xf0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 63)),
               static_cast<char>(0x80 | ((c >> 6) & 63)), static_cast<char>(0x80 | (c & 63))};
    }
  }
  return text;
}

const EncodeOptions without_bos{.add_bos = false};

}  // namespace

BOOST_AUTO_TEST_SUITE(byte_pairs)

BOOST_AUTO_TEST_CASE(the_earliest_merge_comes_first_and_the_leftmost_of_equals) {
  const Tokenizer t = make({.merges = {{"b", "c"}, {"a", "b"}, {"a", "a"}}});
  BOOST_TEST(t.encode("abc") == (Tokens{'a', 256}));
  BOOST_TEST(t.encode("ab") == (Tokens{257}));
  BOOST_TEST(t.encode("aaaaa") == (Tokens{258, 258, 'a'}));
}

BOOST_AUTO_TEST_CASE(words_merge_by_themselves) {
  const Tokenizer t = make(hello);
  BOOST_TEST(t.encode("hello") == (Tokens{259}));
  BOOST_TEST(t.encode("hello hello") == (Tokens{259, ' ', 259}));
  BOOST_TEST(t.encode("hel1lo") == (Tokens{257, 'l', '1', 'l', 'o'}));
  BOOST_TEST(t.decode(t.encode("hello hello")) == "hello hello");
  BOOST_TEST(t.piece(260) == " h");
  BOOST_TEST(t.text(260) == "\xc4\xa0h");
}

BOOST_AUTO_TEST_CASE(merges_may_lead_over_what_is_no_token) {
  // "xy" is no token: alone it falls into bytes, but it leads to "xyz".
  const Tokenizer t = make({.merges = {{"x", "y"}, {"xy", "z"}}, .no_tokens = {"xy"}});
  BOOST_TEST(t.encode("xyz") == (Tokens{256}));
  BOOST_TEST(t.encode("xy") == (Tokens{'x', 'y'}));
}

BOOST_AUTO_TEST_CASE(llama3_takes_whole_words_whatever_the_merges_say) {
  const ByteVocabulary words{.merges = {{"a", "b"}}, .more = {"abab"}};
  const auto name = [](const char* pre) {
    return [pre](GgufWriter& w) { w.add_string("tokenizer.ggml.pre", pre); };
  };
  BOOST_TEST(make(words, name("llama-bpe")).encode("abab", without_bos) == (Tokens{257}));
  BOOST_TEST(make(words, name("qwen2")).encode("abab") == (Tokens{256, 256}));
}

BOOST_AUTO_TEST_CASE(bos_and_eos_follow_the_file_and_the_family) {
  const auto encode = [](const std::function<void(GgufWriter&)>& change) {
    ByteVocabulary vocabulary{.control = {"<s>", "</s>"}};
    return make(vocabulary,
                [&](GgufWriter& w) {
                  w.add_uint("tokenizer.ggml.bos_token_id", 256);
                  w.add_uint("tokenizer.ggml.eos_token_id", 257);
                  change(w);
                })
        .encode("a");
  };
  BOOST_TEST(encode([](GgufWriter&) {}) == (Tokens{'a'}));
  BOOST_TEST(encode([](GgufWriter& w) { w.add_string("tokenizer.ggml.pre", "llama-bpe"); }) ==
             (Tokens{256, 'a'}));
  BOOST_TEST(encode([](GgufWriter& w) {
               w.add_bool("tokenizer.ggml.add_bos_token", true);
               w.add_bool("tokenizer.ggml.add_eos_token", true);
             }) == (Tokens{256, 'a', 257}));
  const Tokenizer none = make({});
  BOOST_TEST(none.bos() == -1);
  BOOST_TEST(none.eos() == -1);
  BOOST_TEST(none.encode("a", {.add_bos = true, .add_eos = true}) == (Tokens{'a'}));
}

BOOST_AUTO_TEST_CASE(files_that_do_not_say_how_text_is_split_are_warned_of) {
  const auto warnings = [](const std::string& pre) {
    return make({},
                [&](GgufWriter& w) {
                  if (pre != "missing")
                    w.add_string("tokenizer.ggml.pre", pre);
                })
        .warnings();
  };
  BOOST_TEST(warnings("llama-bpe").empty());
  for (const char* none : {"missing", "", "default"}) {
    BOOST_REQUIRE(warnings(none).size() == 1);
    BOOST_TEST(warnings(none)[0].starts_with("tokenizer.ggml.pre does not say"));
  }
}

BOOST_AUTO_TEST_CASE(special_tokens) {
  const Tokenizer t = make(
      {.merges = {}, .control = {"<|im_end|>", "<|x|>"}, .user_defined = {"<tool>", "\xc3\xb8"}});
  BOOST_TEST(t.is_end_of_text(256));
  BOOST_TEST(t.is_control(257));
  BOOST_TEST(t.encode("a<|x|>").size() == 6U);
  BOOST_TEST(t.encode("a<|x|>b", {.parse_special = true}) == (Tokens{'a', 257, 'b'}));
  BOOST_TEST(t.encode("a<tool>b") == (Tokens{'a', 258, 'b'}));
  BOOST_TEST(t.piece(258) == "<tool>");
  BOOST_TEST(t.piece(257).empty());
  // A user-defined token is written as it is, though its character stands for another byte.
  BOOST_TEST(t.decode(t.encode("\xc3\xb8")) == "\xc3\xb8");
  BOOST_TEST(t.encode("\xc3\xb8") == (Tokens{259}));
  BOOST_TEST(t.encode("\xf8") == (Tokens{0xf8}));
}

BOOST_AUTO_TEST_CASE(any_bytes_come_back) {
  const Tokenizer t = make(hello);
  std::string all;
  for (int byte = 0; byte < 256; ++byte)
    all += static_cast<char>(byte);
  BOOST_TEST(t.decode(t.encode(all)) == all);
  std::mt19937 random(9);
  for (int round = 0; round < 1000; ++round) {
    std::string text;
    for (std::uint32_t i = random() % 30; i > 0; --i)
      text += static_cast<char>(random() % 3 == 0 ? random() % 256 : ' ' + random() % 95);
    BOOST_TEST_REQUIRE(t.decode(t.encode(text)) == text);
  }
}

BOOST_AUTO_TEST_CASE(a_byte_without_a_token_becomes_the_replacement_character) {
  const Tokenizer t = make({.merges = {}, .no_tokens = {"\xff", "q"}});
  // Tokens are numbered without "q".
  BOOST_TEST(t.decode(t.encode("a\xff")) == "a\xef\xbf\xbd");
  BOOST_TEST(t.decode(t.encode("q")) == "\xef\xbf\xbd");
  const Tokenizer bare = make({.merges = {}, .no_tokens = {"\xef", "q"}});
  BOOST_TEST(bare.encode("aq").size() == 1U);
  const Tokenizer unknown = make({.merges = {}, .no_tokens = {"\xef", "q"}}, [](GgufWriter& w) {
    w.add_uint("tokenizer.ggml.unknown_token_id", 0);
  });
  BOOST_TEST(unknown.encode("q") == (Tokens{0}));
}

BOOST_AUTO_TEST_CASE(long_texts_take_no_quadratic_time) {
  const Tokenizer t = make({.merges = {{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}}});
  const std::string text(400'000, 'a');
  BOOST_TEST(t.encode(text).size() == text.size() / 8);
  BOOST_TEST(t.decode(t.encode(text)) == text);
}

BOOST_AUTO_TEST_CASE(the_alphabet) {
  BOOST_TEST(character_of_byte('A') == "A");
  BOOST_TEST(character_of_byte(' ') == "\xc4\xa0");
  BOOST_TEST(character_of_byte('\n') == "\xc4\x8a");
  BOOST_TEST(character_of_byte(0xad) == "\xc5\x83");
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    BOOST_TEST(bytes_of_characters(character_of_byte(static_cast<unsigned char>(byte))).value() ==
               std::string(1, c));
  }
  for (const char* text : {" ", "\xe2\x96\x81", "\xff", "a\xc5\x84"})
    BOOST_TEST(!bytes_of_characters(text));
}

BOOST_AUTO_TEST_CASE(bad_vocabularies_are_refused) {
  const auto says = [](const std::string& word) {
    return [word](const ModelError& error) {
      return std::string(error.what()).find(word) != std::string::npos;
    };
  };
  GgufWriter writer;
  writer.add_string("tokenizer.ggml.model", "gpt2");
  BOOST_CHECK_EXCEPTION(open(writer), ModelError, says("tokenizer.ggml.tokens"));
  writer.add_strings("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"});
  BOOST_CHECK_EXCEPTION(open(writer), ModelError, says("tokenizer.ggml.merges"));
  GgufWriter one_symbol = writer;
  one_symbol.add_strings("tokenizer.ggml.merges", std::vector<std::string>{"a b", "ab"});
  BOOST_CHECK_EXCEPTION(open(one_symbol), ModelError, says("entry 1 is 'ab'"));
  GgufWriter unknown_words = writer;
  unknown_words.add_strings("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
  BOOST_CHECK_NO_THROW(open(unknown_words));
  unknown_words.add_string("tokenizer.ggml.pre", "kimi-k2");
  BOOST_CHECK_EXCEPTION(open(unknown_words), ModelError, says("'kimi-k2', supported are: a.x"));
}

BOOST_AUTO_TEST_CASE(text_streams_by_whole_characters) {
  TextStream stream(make({.merges = {{"\xa9", "\xc3"}}}));
  std::vector<std::string> parts;
  for (const Token token : {Token{0xc3}, Token{256}, Token{0xa9}, Token{'!'}})
    parts.push_back(stream.push(token));
  BOOST_TEST(parts == (std::vector<std::string>{"", "\xc3\xa9", "\xc3\xa9", "!"}));
}

BOOST_AUTO_TEST_CASE(damaged_files) {
  GgufWriter writer;
  writer.add_string("tokenizer.ggml.model", "gpt2");
  writer.add_string("tokenizer.ggml.pre", "gpt-2");
  writer.add_strings("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "ab", "<s>"});
  writer.add_ints("tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 1, 1, 3});
  writer.add_strings("tokenizer.ggml.merges", std::vector<std::string>{"a b", "ab a"});
  writer.add_uint("tokenizer.ggml.bos_token_id", 3);
  const std::string good = writer.bytes();
  const TempFolder folder;
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    write_file(folder / "v.gguf", bytes);
    try {
      const Tokenizer t = Tokenizer::from_gguf(GgufFile::open(folder / "v.gguf"));
      t.decode(t.encode("ab a\xff<s>", {.parse_special = true}));
    } catch (const ModelError&) {
    }
  }
}

/// The public vocabularies, where they lie beside the checkout.
BOOST_AUTO_TEST_CASE(public_vocabularies) {
  for (const char* name : {"gpt-2", "falcon", "deepseek-llm", "llama-spm"}) {
    const auto vectors = public_vectors(name);
    if (!vectors)
      continue;
    const Tokenizer t = Tokenizer::from_gguf(GgufFile::open(public_vocabulary(name)));
    for (const VocabVector& vector : *vectors) {
      BOOST_TEST(t.encode(vector.text, without_bos) == vector.tokens, name << ": " << vector.text);
      BOOST_TEST(t.decode(vector.tokens) == vector.text);
    }
    BOOST_TEST(vectors->size() == 46U);
    // Falcon has no tokens for some control characters.
    std::array<std::string, 256> expected_bytes;
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::string text(1, static_cast<char>(byte));
      expected_bytes[byte] = t.decode(t.encode(text));
      const bool is_lost = expected_bytes[byte] == "\xef\xbf\xbd";
      const bool is_in_no_utf8 = byte == 0xc0 || byte == 0xc1 || byte >= 0xf5;
      const bool may_be = name == std::string("falcon") || is_in_no_utf8;
      BOOST_TEST((expected_bytes[byte] == text || (is_lost && may_be)), name << ": " << byte);
    }
    std::mt19937 random(1);
    for (int round = 0; round < 10'000; ++round) {
      const std::string text = random_text(random);
      std::string expected;
      for (const char c : text)
        expected += expected_bytes[static_cast<unsigned char>(c)];
      BOOST_TEST_REQUIRE(t.decode(t.encode(text)) == expected);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
