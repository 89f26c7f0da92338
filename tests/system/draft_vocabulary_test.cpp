/// Drafts that guess a part of the vocabulary: a list is counted from a text, and no text changes.

#include <boost/test/unit_test.hpp>

#include "tests/support/eagle3_files.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

const Arguments embedded{"generate", "--json",          "-n", "60", "--controller",
                         "off",      "Once upon a time"};

}  // namespace

BOOST_AUTO_TEST_SUITE(draft_vocabulary)

BOOST_AUTO_TEST_CASE(a_list_that_tokenize_counts_leaves_the_text_as_it_is) {
  const auto plain = flowspec_program(embedded + Arguments{"--mode", "ar"}).json();
  const TempFolder folder;
  // Of the text itself: all that there is to guess.
  const auto all =
      flowspec_program({"tokenize", "--most-frequent", "500"}, plain.at("text").get<std::string>());
  BOOST_TEST(all.exit_code == 0, all.error);
  write_file(folder / "all.txt", all.output);
  write_file(folder / "few.txt", "2\n13\n");
  const auto run = [&](const std::string& list, const Arguments& more) {
    const auto json =
        flowspec_program(embedded + Arguments{"--draft-vocabulary", folder / list} + more).json();
    BOOST_TEST((json.at("tokens") == plain.at("tokens")), list);
    return json.at("stats");
  };
  const auto stats = run("all.txt", {});
  BOOST_TEST(stats.at("draft").get<std::string>().find("eagle (") == 0U);
  BOOST_TEST((stats.at("hops").back().at("right_guesses") > 20), stats.dump());
  run("all.txt", {"--draft-type", "q4_0", "--stages", "3"});
  const auto few = run("few.txt", {});
  BOOST_TEST(few.at("draft") == "eagle (2 tokens)");
  BOOST_TEST((few.at("hops").back().at("right_guesses") < 5), few.dump());
  // As --draft-type, it may stay where only the mode is changed.
  run("few.txt", {"--mode", "ar"});
}

BOOST_AUTO_TEST_CASE(mistakes_are_told_with_exit_code_2) {
  const TempFolder folder;
  write_file(folder / "list.txt", "1\n2048\n");
  const auto list = folder / "list.txt";
  const auto check = [&](const Arguments& arguments, const std::string& text) {
    const auto result = flowspec_program(arguments);
    BOOST_TEST(result.exit_code == 2, result.error);
    BOOST_TEST(result.complains(text), result.error);
  };
  const Arguments common{"generate", "-n", "5", "hello", "--draft-vocabulary", list};
  check(common, "line 2 has '2048', which is none of the model's 2048 tokens");
  check(common + Arguments{"--draft", "lookup"}, "the draft \"lookup\" is none");
  check(common + Arguments{"--draft", "self"}, "the draft \"self\" is none");
  check({"generate", "-n", "5", "hello", "--draft-vocabulary", folder / "none.txt"}, "none.txt");
  check({"verify", "--draft", "lookup", "--draft-vocabulary", list}, "--draft-vocabulary is for");
  const TempFolder head;
  Eagle3Shape shape;
  shape.hidden_size = shape.target_hidden_size = 64;
  shape.taps = {1, 3, 6};
  Eagle3Files(Eagle3Dialect::specforge, shape, 1).write(head.path());
  write_file(list, "1\n");
  check(common + Arguments{"--model", model_folder() / "target.gguf", "--draft", head.path()},
        "compute with the model's LM head");
}

BOOST_AUTO_TEST_CASE(an_eagle_3_head_without_an_output_matrix_takes_a_list_too) {
  const TempFolder folder;
  Eagle3Shape shape;
  shape.hidden_size = shape.target_hidden_size = 64;
  shape.taps = {1, 3, 6};
  shape.draft_vocab_size = shape.vocab_size;
  shape.own_output = false;
  Eagle3Files(Eagle3Dialect::speculators, shape, 1).write(folder.path());
  std::string list;
  for (int token = 0; token < 320; token += 2)
    list += std::to_string(token) + "\n";
  write_file(folder / "list.txt", list);
  const auto result =
      flowspec_program({"verify", "--model", model_folder() / "target.gguf", "--draft",
                        folder.path(), "--draft-vocabulary", folder / "list.txt", "--modes",
                        "flowspec", "--stages", "2", "-n", "10", "--draws", "100"});
  BOOST_TEST(result.exit_code == 0, result.output << result.error);
  BOOST_TEST(result.output.find("(160 tokens)") != std::string::npos, result.output);
}

BOOST_AUTO_TEST_SUITE_END()
