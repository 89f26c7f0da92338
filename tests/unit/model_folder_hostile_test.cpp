/// Vocabularies from a model's folder: files that are damaged, malicious or not computed, which give
/// a ModelError that names the file or a sound vocabulary.

#include <filesystem>

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include "models/base/error.hpp"
#include "tests/support/folder_vocabularies.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(model_folder)

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
    if (std::string(name) != "tokenizer.json" && std::string(name) != "tokenizer.model")
      write_json(folder / "tokenizer.json", good);
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
      if (pointer.starts_with("/model/vocab/") && pointer != "/model/vocab/a")
        continue;
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

BOOST_AUTO_TEST_SUITE_END()
