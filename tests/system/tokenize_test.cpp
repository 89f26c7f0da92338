/// The command `flowspec tokenize`.

#include <boost/test/unit_test.hpp>

#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

using Json = nlohmann::json;

/// Runs and gives the output; fails the test where there is an error.
std::string tokenize(const Arguments& arguments, const std::string& input = {}) {
  auto result = flowspec_program(Arguments{"tokenize"} + arguments, input);
  BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  return result.output;
}

/// Letters, and "ab".
constexpr const char* small_tokenizer = R"({
  "added_tokens": [{"id": 4, "content": "<s>", "special": true}],
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3}, "merges": ["a b"]}
})";

}  // namespace

BOOST_AUTO_TEST_SUITE(tokenize_command)

BOOST_AUTO_TEST_CASE(a_folder_with_a_tokenizer) {
  TempFolder folder;
  write_file(folder / "tokenizer.json", small_tokenizer);
  write_file(folder / "tokenizer_config.json", R"({"bos_token": "<s>", "add_bos_token": true})");
  const Arguments model{"--model", folder.path().string()};
  BOOST_TEST(tokenize(model + Arguments{"ab b"}) ==
             "       4  <s>\n       2  \"ab\"\n       3  \" \"\n       1  \"b\"\n"
             "4 tokens for 4 bytes\n");
  BOOST_TEST(tokenize(model + Arguments{"--ids", "ab b"}) == "4 2 3 1\n");
  BOOST_TEST(tokenize(model + Arguments{"--ids", "--no-bos"}, "ab") == "2\n");
  BOOST_TEST(tokenize(model + Arguments{"--ids", "--no-bos", "--special", "a<s>"}) == "0 4\n");
  const auto json = Json::parse(tokenize(model + Arguments{"--json", "ab"}));
  BOOST_TEST(json.at("ids") == Json::parse("[4, 2]"));
  BOOST_TEST(json.at("tokens").at(0) ==
             Json::parse(R"({"id": 4, "token": "<s>", "text": "", "bytes": ""})"));
  BOOST_TEST(json.at("tokens").at(1) ==
             Json::parse(R"({"id": 2, "token": "ab", "text": "ab", "bytes": "6162"})"));
  BOOST_TEST(tokenize(model + Arguments{"--decode", "4", "2,3", "[1]"}) == "ab b\n");
  const auto wrong = flowspec_program(Arguments{"tokenize", "--decode", "2", "5"} + model);
  BOOST_TEST(wrong.exit_code == 2);
  BOOST_TEST(wrong.complains("'5' is no token of the model: give numbers from 0 to 4"));
}

BOOST_AUTO_TEST_CASE(any_bytes_of_a_file_come_back) {
  TempFolder folder;
  std::string bytes = "Once upon a time\n\t\"\xc3\xa9\" ";
  for (int byte = 1; byte < 256; ++byte)
    bytes += static_cast<char>(byte);
  write_file(folder / "text", bytes);
  const auto ids = tokenize({"--ids", "--file", (folder / "text").string()});
  BOOST_TEST(tokenize({"--decode", "-"}, ids) == bytes + "\n");
  BOOST_TEST(Json::parse(tokenize({"--json"}, bytes)).at("ids").size() > 100U);
  BOOST_TEST(tokenize({}, bytes).find("\\xff") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(models_that_cannot_be_read) {
  TempFolder empty;
  for (const std::string& model : {std::string("/nowhere"), empty.path().string()}) {
    const auto result = flowspec_program({"tokenize", "--model", model, "text"});
    BOOST_TEST(result.exit_code == 2);
    BOOST_TEST(result.complains(model));
  }
  BOOST_TEST(flowspec_program({"tokenize", "--file", "/nowhere"}).complains("/nowhere"));
}

BOOST_AUTO_TEST_CASE(the_most_frequent_tokens_of_a_text_make_a_draft_vocabulary) {
  TempFolder folder;
  write_file(folder / "tokenizer.json", small_tokenizer);
  write_file(folder / "tokenizer_config.json",
             R"({"bos_token": "<s>", "add_bos_token": true, "eos_token": "<s>"})");
  write_file(folder / "text.txt", "bb ab b");
  const Arguments count{"--model", folder.path().string(), "--file", folder / "text.txt"};
  BOOST_TEST(tokenize(count + Arguments{"--most-frequent", "3"}) ==
             "# 3 tokens\n4 # <s>\n1 # \"b\"\n3 # \" \"\n");
  // Of the others the text has only one.
  BOOST_TEST(tokenize(count + Arguments{"--most-frequent", "9"}) ==
             "# 4 tokens\n4 # <s>\n1 # \"b\"\n3 # \" \"\n2 # \"ab\"\n");
}

BOOST_AUTO_TEST_SUITE_END()
