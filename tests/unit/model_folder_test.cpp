/// Vocabularies from a model's folder: tokenizer.json, tokenizer.model and what lies beside them.

#include <algorithm>
#include <map>
#include <random>

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include "models/base/error.hpp"
#include "models/formats/gguf.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "models/tokenizer/word_patterns.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/tokenizer_files.hpp"
#include "tests/support/vocab_vectors.hpp"

using namespace flowspec;
using namespace flowspec::test;
using nlohmann::json;

namespace {

using Tokens = std::vector<Token>;
using Merges = std::vector<std::pair<std::string, std::string>>;

const EncodeOptions without_bos{.add_bos = false};
const std::string mark = "\xe2\x96\x81";

/// A vocabulary from a folder with these files.
Tokenizer open(const std::map<std::string, json>& files) {
  const TempFolder folder;
  for (const auto& [name, content] : files) {
    write_json(folder / name, content);
  }
  return Tokenizer::from_folder(folder.path());
}

Tokenizer open_json(const json& content) {
  return open({{"tokenizer.json", content}});
}

Tokenizer open_model(const std::string& bytes, const std::map<std::string, json>& files = {}) {
  const TempFolder folder;
  write_file(folder / "tokenizer.model", bytes);
  for (const auto& [name, content] : files) {
    write_json(folder / name, content);
  }
  return Tokenizer::from_folder(folder.path());
}

template <class Call>
void check_error(const Call& call, const std::string& text) {
  try {
    call();
    BOOST_ERROR("no error; expected: " << text);
  } catch (const ModelError& e) {
    BOOST_CHECK_MESSAGE(std::string(e.what()).find(text) != std::string::npos,
                        "expected \"" << text << "\" in: " << e.what());
    BOOST_CHECK(std::string(e.what()).find("/tokenizer") != std::string::npos);
  }
}

const ByteVocabulary words{
    .merges = {{"l", "l"}, {"h", "e"}, {"he", "ll"}, {"hell", "o"}, {" ", "h"}, {"1", "2"}},
    .more = {"hola"},
    .control = {"<s>", "<|im_end|>"},
    .user_defined = {"<tool>"}};

std::string pattern_of(const char* name) {
  return find_word_rules(name).value().steps.at(0).pattern;
}

/// A LLaMA-2-like vocabulary: <unk>, <s>, </s>, the bytes, then pieces with falling scores.
std::vector<SentencePieceSample> pieces() {
  std::vector<SentencePieceSample> made{{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}};
  for (int byte = 0; byte < 256; ++byte) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "<0x%02X>", byte);
    made.push_back({text.data(), 0, 6});
  }
  float score = -1;
  for (const std::string& text : {mark + "a", mark + "ab", std::string("bc"), mark + mark, mark,
                                  std::string("a"), std::string("b"), std::string("c")}) {
    made.push_back({text, score, 1});
    score -= 1;
  }
  return made;
}

/// The merges that lead to the tokens, best score first, as they are in converted tokenizer.json.
Merges merges_of(const std::vector<SentencePieceSample>& pieces) {
  std::map<std::string, std::size_t> ids;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].type == 1) {
      ids[pieces[i].text] = i;
    }
  }
  std::vector<std::pair<float, std::pair<std::string, std::string>>> scored;
  for (const auto& piece : pieces) {
    for (std::size_t at = 1; piece.type == 1 && at < piece.text.size(); ++at) {
      const auto left = piece.text.substr(0, at);
      const auto right = piece.text.substr(at);
      if (ids.contains(left) && ids.contains(right)) {
        scored.push_back({piece.score, {left, right}});
      }
    }
  }
  std::ranges::stable_sort(scored, [](const auto& a, const auto& b) { return a.first > b.first; });
  Merges merges;
  for (const auto& [score, merge] : scored) {
    merges.push_back(merge);
  }
  return merges;
}

/// As Hugging Face converts LLaMA 2's vocabulary.
json metaspace_json(const std::vector<SentencePieceSample>& pieces) {
  std::vector<std::string> texts;
  json added = json::array();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    texts.push_back(pieces[i].text);
    if (pieces[i].type == 2 || pieces[i].type == 3) {
      added.push_back(added_token(i, pieces[i].text, true));
    }
  }
  json made = bpe_json(texts, merges_of(pieces));
  made["added_tokens"] = added;
  made["model"]["byte_fallback"] = true;
  made["model"]["unk_token"] = "<unk>";
  const json replace{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", mark}};
  made["normalizer"] = {
      {"type", "Sequence"},
      {"normalizers", json::array({{{"type", "Prepend"}, {"prepend", mark}}, replace})}};
  const json bos{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const json text{{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  made["post_processor"] = {{"type", "TemplateProcessing"}, {"single", json::array({bos, text})}};
  return made;
}

const json llama_config{{"bos_token", {{"content", "<s>"}, {"lstrip", false}}},
                        {"eos_token", "</s>"},
                        {"add_bos_token", true}};

}  // namespace

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
      for (std::uint32_t i = random() % 12; i > 0; --i) {
        text += parts[random() % parts.size()];
      }
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
    for (std::uint32_t i = random() % 12; i > 0; --i) {
      text += "abc  \n\xc3\xa9"[random() % 8];
    }
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
  for (int i = 0; i < 1000; ++i) {
    letters += "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8";
  }
  BOOST_TEST(korean.encode(letters).size() == 1000U);
  BOOST_TEST(korean.least_tokens(letters.size()) <= 1000U);
  std::string marks = "a";
  while (marks.size() < 200'000) {
    marks += "\xcc\x81\xcc\xa3";  // in the wrong order: sorting all of them would take hours
  }
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

BOOST_AUTO_TEST_CASE(what_is_not_computed_is_refused_by_name) {
  const json good = byte_level_json(words, pattern_of("gpt-2"));
  const auto refused = [&](const char* pointer, const json& value, const std::string& text) {
    json content = good;
    content[json::json_pointer(pointer)] = value;
    check_error([&] { open_json(content); }, text);
  };
  refused("/model/type", "Unigram", "model.type is 'Unigram'");
  refused("/model/type", "WordPiece", "model.type is 'WordPiece'");
  refused("/model/end_of_word_suffix", "</w>", "end_of_word_suffix");
  refused("/model/dropout", 0.1, "dropout");
  refused("/normalizer", {{"type", "Lowercase"}}, "'Lowercase'");
  refused("/normalizer", {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "b"}},
          "'Replace'");
  refused("/pre_tokenizer", {{"type", "BertPreTokenizer"}}, "'BertPreTokenizer'");
  refused("/pre_tokenizer/pretokenizers/0/behavior", "Removed", "'Removed'");
  refused("/pre_tokenizer/pretokenizers/0/pattern/Regex", "(", "pattern '('");
  refused("/pre_tokenizer/pretokenizers/2", {{"type", "Digits"}}, "'Digits' after ByteLevel");
  refused("/pre_tokenizer", nullptr, "neither ByteLevel nor");
  refused("/post_processor", {{"type", "RobertaProcessing"}}, "'RobertaProcessing'");
}

BOOST_AUTO_TEST_CASE(bad_files_are_refused) {
  const json good = byte_level_json(words, pattern_of("gpt-2"));
  const auto refused = [&](const char* pointer, const json& value, const std::string& text) {
    json content = good;
    content[json::json_pointer(pointer)] = value;
    check_error([&] { open_json(content); }, text);
  };
  refused("/model", 7, "has no object 'model'");
  refused("/model/vocab", json::array(), "model.vocab");
  refused("/model/vocab/!", 4'000'000'000U, "'!' has no id from 0 to");
  refused("/model/vocab/!", -1, "'!' has no id");
  refused("/model/vocab/!", 'a', "have the same id 97");
  refused("/model/merges", json::array({"ab"}), "entry 0 is no pair");
  refused("/model/merges", json::array({json::array({"a", 1})}), "entry 0 is no pair");
  refused("/model/merges", "x", "model.merges");
  refused("/model/ignore_merges", "yes", "ignore_merges is neither true nor false");
  refused("/added_tokens", 1, "'added_tokens' is no list");
  refused("/added_tokens/0/id", 5, "token 5 is");
  refused("/added_tokens/0/id", 9'000'000, "has the id 9000000");
  refused("/added_tokens/0/content", 1, "content is no text");
  refused("/post_processor", {{"type", "TemplateProcessing"}}, "no list 'single'");
  refused("/pre_tokenizer/pretokenizers", 1, "pre_tokenizer.pretokenizers is no list");
  check_error(
      [&] {
        open({{"tokenizer.json", good}, {"tokenizer_config.json", json::array()}});
      },
      "is not a JSON object");
  check_error(
      [&] {
        open({{"tokenizer.json", good}, {"tokenizer_config.json", {{"bos_token", 1}}}});
      },
      "bos_token is neither text nor an object");
  const TempFolder empty;
  BOOST_CHECK_THROW(Tokenizer::from_folder(empty.path()), ModelError);
  BOOST_CHECK_THROW(Tokenizer::from_folder(empty / "nothing"), ModelError);
}

/// Reading them may not take more stack than there is.
BOOST_AUTO_TEST_CASE(whatever_is_no_file_is_refused_by_name) {
  const json good = byte_level_json(words, pattern_of("gpt-2"));
  for (const char* name : {"tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                           "special_tokens_map.json", "generation_config.json", "config.json"}) {
    const TempFolder folder;
    const auto path = folder / name;
    if (std::string(name) != "tokenizer.json" && std::string(name) != "tokenizer.model") {
      write_json(folder / "tokenizer.json", good);
    }
    const auto refused = [&](const std::string& text) {
      try {
        Tokenizer::from_folder(folder.path());
        BOOST_ERROR(name << ": no error; expected: " << text);
      } catch (const ModelError& error) {
        BOOST_TEST(std::string(error.what()).find(path.string() + ": " + text) == 0U, error.what());
      }
      std::filesystem::remove(path);
    };
    std::filesystem::create_symlink("/dev/zero", path);
    refused("is not a regular file");
    BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    refused("is not a regular file");
    std::filesystem::create_directory(path);
    refused("is not a regular file");
    std::filesystem::create_symlink("nothing", path);
    refused("is a link to nothing, which is not there");
    write_file(path, "x");
    std::filesystem::resize_file(path, (std::size_t{64} << 20) + 1);
    refused("has 67108865 bytes, expected at most 67108864");
  }
}

BOOST_AUTO_TEST_CASE(files_nested_without_end_are_refused) {
  constexpr std::size_t depth = 200'000;
  const std::string nest = std::string(depth, '[') + std::string(depth, ']');
  const auto refused = [](const char* name, const std::string& content) {
    const TempFolder folder;
    write_json(folder / "tokenizer.json", byte_level_json(words, pattern_of("gpt-2")));
    write_file(folder / name, content);
    BOOST_CHECK_EXCEPTION(
        Tokenizer::from_folder(folder.path()), ModelError, [&](const ModelError& error) {
          const std::string text = error.what();
          return text.starts_with((folder / name).string()) && text.find("nested") != text.npos;
        });
  };
  refused("generation_config.json", "{\"eos_token_id\": " + nest + "}");
  refused("tokenizer_config.json", "{\"bos_token\": " + nest + "}");
  refused("tokenizer.json",
          R"({"model": {"type": "BPE", "vocab": {}, "merges": []}, "normalizer": {"type": )" +
              ("\"x\", \"steps\": " + nest) + "}}");
}

/// Every value of a sound file replaced by something else: an error or a sound vocabulary.
BOOST_AUTO_TEST_CASE(any_value_may_be_of_another_type) {
  for (const json& good : {byte_level_json({.merges = {{"a", "b"}}, .control = {"<s>"}}, "a+"),
                           metaspace_json(pieces())}) {
    const json flat = good.flatten();
    for (const auto& [pointer, value] : flat.items()) {
      if (pointer.starts_with("/model/vocab/") && pointer != "/model/vocab/a") {
        continue;
      }
      for (const json& other : {json(), json(-1), json(1e300), json("x"), json::array({json()}),
                                json::object({{"type", "x"}})}) {
        json content = good;
        content[json::json_pointer(pointer)] = other;
        try {
          const Tokenizer t = open_json(content);
          t.decode(t.encode("ab \xff<s>", {.parse_special = true}));
        } catch (const ModelError&) {
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(sentencepiece_files_that_are_not_computed_or_damaged) {
  const auto refused = [](const std::string& more, const std::string& text) {
    check_error([&] { open_model(sentencepiece_bytes(pieces(), more)); }, text);
  };
  refused(proto_field(2, proto_number(3, 1)), "model_type is 1 (Unigram)");
  refused(proto_field(3, proto_field(2, "map")), "precompiled_charsmap");
  refused(proto_field(2, proto_number(24, 1)), "prefix of words");
  refused(proto_field(1, proto_number(3, 9)), "unknown type 9");
  refused(std::string("\x0b", 1), "wire type 3");
  refused(std::string(11, '\xff'), "more than 64 bits");
  check_error([] { open_model("GGUF"); }, "no SentencePiece file");
  check_error([] { open_model(proto_field(2, "")); }, "has 0 tokens");
  const std::string good = sentencepiece_bytes({{"<unk>", 0, 2}, {"<0x0A>", 0, 6}, {"a", -1, 1}});
  for (std::size_t size = 1; size < good.size(); ++size) {
    std::string changed = good;
    changed[size] = static_cast<char>(changed[size] ^ 0x80);
    for (const std::string& bytes : {good.substr(0, size), changed}) {
      try {
        const Tokenizer t = open_model(bytes);
        t.decode(t.encode("a \n\xff"));
      } catch (const ModelError&) {
      }
    }
  }
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
    for (std::size_t i = 0; i < texts.size(); ++i) {
      samples.push_back({texts[i], scores[i], static_cast<int>(kinds[i])});
    }
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
    for (const std::string& line : file.require_strings("tokenizer.ggml.merges")) {
      merges.emplace_back(line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1));
    }
    auto texts = file.require_strings("tokenizer.ggml.tokens");
    json content = bpe_json(texts, merges);
    content["added_tokens"] = json::array({added_token(50256, "<|endoftext|>", true)});
    content["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
    const Tokenizer t = open_json(content);
    for (const VocabVector& vector : *vectors) {
      BOOST_TEST(t.encode(vector.text, without_bos) == vector.tokens, vector.text);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
