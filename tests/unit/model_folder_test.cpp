/// Vocabularies from a model's folder: tokenizer.json, tokenizer.model and what lies beside them.

#include <random>

#include <boost/test/unit_test.hpp>

#include "models/formats/gguf.hpp"
#include "tests/support/folder_vocabularies.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/vocab_vectors.hpp"

using namespace flowspec;
using namespace flowspec::test;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(model_folder)

BOOST_AUTO_TEST_CASE(byte_level_json_gives_the_tokens_of_the_same_gguf_file) {
  std::mt19937 random(2);
  const std::vector<std::string> parts{"hello", " hell", "hola", "12",   "345",     "\n",
                                       " ",     "<s>",   "'s",   "\xff", "<tool>x", "\xc3\xa9"};
  for (const char* name : {"gpt-2", "qwen2", "tekken"}) {
    const TempFolder folder;
    GgufWriter writer;
    add_byte_vocabulary(writer, words);
    writer.add_string("tokenizer.ggml.pre", name);
    writer.write(folder / "v.gguf");
    const Tokenizer expected = Tokenizer::from_gguf(GgufFile::open(folder / "v.gguf"));
    json content = byte_level_json(words, pattern_of(name));
    content["model"]["ignore_merges"] = name == std::string("tekken");
    const Tokenizer t = open_json(content);
    BOOST_TEST(!difference(t, expected));
    for (int round = 0; round < 300; ++round) {
      std::string text;
      for (std::uint32_t i = random() % 12; i > 0; --i)
        text += parts[random() % parts.size()];
      const EncodeOptions options{.add_bos = false, .parse_special = round % 2 == 0};
      BOOST_TEST_REQUIRE(t.encode(text, options) == expected.encode(text, options));
    }
  }
}

BOOST_AUTO_TEST_CASE(merges_may_be_lines_or_pairs) {
  json content = byte_level_json(words, pattern_of("gpt-2"));
  const Tokenizer lines = open_json(content);
  for (json& merge : content["model"]["merges"]) {
    const auto line = merge.get<std::string>();
    merge = {line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1)};
  }
  BOOST_TEST(open_json(content).encode("hello 12") == lines.encode("hello 12"));
  BOOST_TEST(lines.encode("hello").size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_files_beside_it_say_what_begins_and_ends_a_text) {
  const json content = byte_level_json(words, pattern_of("gpt-2"));
  const Token bos = 263;
  const Tokenizer plain = open_json(content);
  BOOST_TEST(plain.bos() == -1);
  BOOST_TEST(plain.is_end_of_text(264));  // known by its text
  const Tokenizer configured =
      open({{"tokenizer.json", content},
            {"tokenizer_config.json", {{"bos_token", "<s>"}, {"add_bos_token", true}}},
            {"special_tokens_map.json", {{"bos_token", "no such"}, {"eos_token", "<|im_end|>"}}},
            {"generation_config.json", {{"eos_token_id", {7, 264}}}}});
  BOOST_TEST(configured.bos() == bos);
  BOOST_TEST(configured.eos() == 264);
  BOOST_TEST(configured.is_end_of_text(7));
  BOOST_TEST(configured.encode("x") == (Tokens{bos, 'x'}));
  const Tokenizer by_number =
      open({{"tokenizer.json", content},
            {"config.json", {{"bos_token_id", 263}, {"eos_token_id", 264}}}});
  BOOST_TEST(by_number.bos() == bos);
  BOOST_TEST(by_number.eos() == 264);
  BOOST_TEST(by_number.encode("x") == (Tokens{'x'}));
}

BOOST_AUTO_TEST_CASE(every_file_adds_to_the_ends_of_a_text) {
  const json content = byte_level_json(words, pattern_of("gpt-2"));
  const Tokenizer all = open({{"tokenizer.json", content},
                              {"tokenizer_config.json", {{"eos_token", "<s>"}}},
                              {"generation_config.json", {{"eos_token_id", {2, 7}}}},
                              {"config.json", {{"eos_token_id", 3}}}});
  BOOST_TEST(all.eos() == 263);
  for (const Token end : {263, 264, 2, 7, 3})
    BOOST_TEST(all.is_end_of_text(end));
  BOOST_TEST(!all.is_end_of_text(4));
  BOOST_TEST(all.warnings().empty());
  const Tokenizer none = open({{"tokenizer.json", content},
                               {"generation_config.json", {{"eos_token_id", json::array()}}},
                               {"config.json", {{"eos_token_id", nullptr}}}});
  BOOST_TEST(none.eos() == -1);
  BOOST_TEST(none.warnings().empty());
}

BOOST_AUTO_TEST_CASE(tokens_that_are_none_are_warned_of) {
  const json content = byte_level_json(words, pattern_of("gpt-2"));
  const Tokenizer t = open({{"tokenizer.json", content},
                            {"tokenizer_config.json", {{"eos_token", "<none>"}}},
                            {"generation_config.json", {{"eos_token_id", {2, 9999}}}},
                            {"config.json", {{"eos_token_id", -1}, {"bos_token_id", 512}}}});
  BOOST_TEST(t.eos() == 2);
  BOOST_TEST(t.is_end_of_text(2));
  BOOST_REQUIRE(t.warnings().size() == 4);
  BOOST_TEST(t.warnings()[0].starts_with("eos_token_id is 9999, which is none of"));
  BOOST_TEST(t.warnings()[1].starts_with("eos_token_id is -1, "));
  BOOST_TEST(t.warnings()[2].starts_with("bos_token_id is 512, "));
  BOOST_TEST(t.warnings()[3].starts_with("eos_token is '<none>', "));
}

BOOST_AUTO_TEST_CASE(a_template_adds_the_begin_of_text_unless_the_configuration_denies_it) {
  json content = metaspace_json(pieces());
  BOOST_TEST(open_json(content).encode("a").front() == 1);
  BOOST_TEST(open({{"tokenizer.json", content},
                   {"tokenizer_config.json", {{"bos_token", "<s>"}, {"add_bos_token", false}}}})
                 .encode("a")
                 .front() != 1);
  content["post_processor"]["single"][0]["SpecialToken"]["id"] = "<unk>";
  check_error(
      [&] {
        open({{"tokenizer.json", content}, {"tokenizer_config.json", llama_config}});
      },
      "'<unk>', which is not '<s>'");
}

BOOST_AUTO_TEST_CASE(metaspace_json_and_sentencepiece_file_give_the_same_tokens) {
  const Tokenizer by_scores =
      open_model(sentencepiece_bytes(pieces()), {{"tokenizer_config.json", llama_config}});
  const Tokenizer by_merges =
      open({{"tokenizer.json", metaspace_json(pieces())}, {"tokenizer_config.json", llama_config}});
  BOOST_TEST(!difference(by_scores, by_merges));
  BOOST_TEST(by_scores.encode("abc a") == (Tokens{1, 260, 266, 259}));
  BOOST_TEST(by_scores.decode(by_scores.encode(" a\xff ")) == " a\xff ");
  std::mt19937 random(4);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (std::uint32_t i = random() % 12; i > 0; --i)
      text += "abc  \n\xc3\xa9"[random() % 8];
    BOOST_TEST_REQUIRE(by_scores.encode(text) == by_merges.encode(text));
    BOOST_TEST_REQUIRE(by_merges.decode(by_merges.encode(text)) == text);
  }
}

BOOST_AUTO_TEST_CASE(where_a_metaspace_puts_spaces) {
  json content = metaspace_json(pieces());
  content["normalizer"] = nullptr;
  content["post_processor"] = nullptr;
  const auto encode = [&](const char* scheme, const char* text) {
    content["pre_tokenizer"] = {
        {"type", "Metaspace"}, {"replacement", mark}, {"prepend_scheme", scheme}, {"split", false}};
    return open_json(content).encode(text, {.parse_special = true});
  };
  BOOST_TEST(encode("always", "a<s>a") == (Tokens{259, 1, 259}));
  BOOST_TEST(encode("first", "a<s>a") == (Tokens{259, 1, 264}));
  BOOST_TEST(encode("never", "a<s>a") == (Tokens{264, 1, 264}));
  BOOST_TEST(encode("first", " a") == (Tokens{259}));
  content["pre_tokenizer"]["split"] = true;
  check_error([&] { open_json(content); }, "Metaspace splits words");
}

/// What SentencePiece 0.1.97 gives.
BOOST_AUTO_TEST_CASE(a_sentencepiece_file_may_want_no_extra_spaces) {
  auto samples = pieces();
  samples.push_back({"<x>", 0, 4});
  const Tokenizer t = open_model(sentencepiece_bytes(samples, proto_field(3, proto_number(4, 1))));
  BOOST_TEST(t.encode("  a   a ", without_bos) == (Tokens{259, 259}));
  BOOST_TEST(t.decode(Tokens{259, 259}) == "a a");
  BOOST_TEST(t.encode("", without_bos).empty());
  BOOST_TEST(t.encode("   ", without_bos).empty());
  // Line breaks and other white space are no spaces.
  BOOST_TEST(t.encode("\n ", without_bos) == (Tokens{263, 3 + '\n'}));
  // Around tokens of the file spaces count, and none comes behind them.
  BOOST_TEST(t.encode("a  <x>  a<x>a ", without_bos) == (Tokens{259, 263, 267, 259, 267, 264}));
  BOOST_TEST(t.encode("<x> ", without_bos) == (Tokens{263, 267}));
  BOOST_TEST(t.least_tokens(1'000'000) == 0U);
}

BOOST_AUTO_TEST_CASE(a_sentencepiece_file_takes_more_tokens_from_the_configuration) {
  json config = llama_config;
  config["added_tokens_decoder"] = {{"267", added_token(0, "<|im_end|>", true)},
                                    {"268", added_token(0, "<x>", false)}};
  const Tokenizer t =
      open_model(sentencepiece_bytes(pieces()), {{"tokenizer_config.json", config}});
  BOOST_TEST(t.vocab_size() == 269U);
  BOOST_TEST(t.is_end_of_text(267));
  BOOST_TEST(t.encode("<x>a") == (Tokens{1, 268, 259}));
  config["added_tokens_decoder"] = {{"x", added_token(0, "<x>", false)}};
  check_error(
      [&] {
        open_model(sentencepiece_bytes(pieces()), {{"tokenizer_config.json", config}});
      },
      "has the key 'x'");
}

/// The public vocabularies, written as the files of a folder.
BOOST_AUTO_TEST_CASE(public_vocabularies_as_folders) {
  if (const auto vectors = public_vectors("llama-spm")) {
    const GgufFile file = GgufFile::open(public_vocabulary("llama-spm"));
    const auto texts = file.require_strings("tokenizer.ggml.tokens");
    const auto scores = file.require_floats("tokenizer.ggml.scores");
    const auto kinds = file.require_ints("tokenizer.ggml.token_type");
    std::vector<SentencePieceSample> samples;
    for (std::size_t i = 0; i < texts.size(); ++i)
      samples.push_back({texts[i], scores[i], static_cast<int>(kinds[i])});
    for (const Tokenizer& t :
         {open_model(sentencepiece_bytes(samples)), open_json(metaspace_json(samples))}) {
      for (const VocabVector& vector : *vectors) {
        BOOST_TEST(t.encode(vector.text, without_bos) == vector.tokens, vector.text);
        BOOST_TEST(t.decode(vector.tokens) == vector.text);
      }
    }
  }
  if (const auto vectors = public_vectors("gpt-2")) {
    const GgufFile file = GgufFile::open(public_vocabulary("gpt-2"));
    Merges merges;
    for (const std::string& line : file.require_strings("tokenizer.ggml.merges"))
      merges.emplace_back(line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1));
    auto texts = file.require_strings("tokenizer.ggml.tokens");
    json content = bpe_json(texts, merges);
    content["added_tokens"] = json::array({added_token(50256, "<|endoftext|>", true)});
    content["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
    const Tokenizer t = open_json(content);
    for (const VocabVector& vector : *vectors)
      BOOST_TEST(t.encode(vector.text, without_bos) == vector.tokens, vector.text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
