/// EAGLE-3 heads as the draft: the text is the model's, wherever the layers lie that they read.

#include <fstream>

#include <boost/test/unit_test.hpp>

#include "tests/support/eagle3_files.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

/// For target.gguf, with random weights.
Eagle3Shape shape_for_target() {
  Eagle3Shape shape;
  shape.hidden_size = shape.target_hidden_size = 64;
  shape.taps = {1, 3, 6};
  return shape;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(eagle_3)

BOOST_AUTO_TEST_CASE(a_head_of_any_kind_of_file_leaves_the_text_as_it_is) {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (const char* name : {"a", "b", "c"})
    nodes.push_back(std::make_unique<NodeProcess>(name, model_folder()));
  const Arguments common{"generate", "--json", "--model",         model_folder() / "target.gguf",
                         "-n",       "60",     "once upon a time"};
  const auto plain = flowspec_program(common + Arguments{"--mode", "ar"}).json();
  for (const Eagle3Dialect dialect :
       {Eagle3Dialect::specforge, Eagle3Dialect::speculators, Eagle3Dialect::gguf}) {
    const TempFolder folder;
    Eagle3Files(dialect, shape_for_target(), 1).write(folder.path());
    const Arguments draft{"--draft", folder.path(), "--controller", "off"};
    for (const Arguments& where : {Arguments{"--stages", "1"}, Arguments{"--stages", "3"},
                                   Arguments{"--stages", "3"} + node_arguments(nodes)}) {
      const auto result = flowspec_program(common + draft + where);
      const auto json = result.json();
      BOOST_TEST(result.exit_code == 0, result.error);
      BOOST_TEST((json.at("tokens") == plain.at("tokens")), name_of(dialect));
      BOOST_TEST(result.complains("the EAGLE-3 head reads what enters layers 1, 3, 6 of 6"),
                 result.error);
      // It had what it reads: without that it would make no guesses.
      const auto& draft_stats = json.at("stats").at("hops").back();
      BOOST_TEST((draft_stats.at("guesses") > 20), draft_stats.dump());
    }
  }
}

BOOST_AUTO_TEST_CASE(verify_passes_with_a_head) {
  const TempFolder folder;
  Eagle3Files(Eagle3Dialect::angelslim, shape_for_target(), 1).write(folder.path());
  const auto result = flowspec_program(
      {"verify", "--model", model_folder() / "target.gguf", "--draft", folder.path(), "--modes",
       "flowspec,chunk-pp,chain-pp", "--stages", "1,3", "-n", "10", "--draws", "100"});
  BOOST_TEST(result.exit_code == 0, result.output);
  BOOST_TEST(result.output.find("PASSED: 6 of 6") != std::string::npos, result.output);
}

BOOST_AUTO_TEST_CASE(a_head_may_be_quantised) {
  const TempFolder folder;
  Eagle3Files(Eagle3Dialect::nvidia, shape_for_target(), 1).write(folder.path());
  const Arguments common{
      "generate",     "--json", "--model",         model_folder() / "target.gguf",
      "-n",           "40",     "--draft",         folder.path(),
      "--controller", "off",    "once upon a time"};
  const auto as_is = flowspec_program(common).json();
  const auto q8 = flowspec_program(common + Arguments{"--draft-type", "q8_0"}).json();
  BOOST_TEST((q8.at("tokens") == as_is.at("tokens")));
  const auto name = q8.at("stats").at("draft").get<std::string>();
  BOOST_TEST(name.find("(q8_0)") != std::string::npos, name);
}

BOOST_AUTO_TEST_CASE(emulated_devices_carry_what_a_head_reads) {
  const TempFolder folder;
  Eagle3Files(Eagle3Dialect::specforge, shape_for_target(), 1).write(folder.path());
  const auto file = folder / "bench.json";
  const auto result = flowspec_program(
      {"bench", "--virtual", "--model", model_folder() / "target.gguf", "--draft", folder.path(),
       "--modes", "flowspec", "--prompt-count", "1", "--max-tokens", "20", "--json", file});
  BOOST_TEST(result.exit_code == 0, result.error);
  std::ifstream in(file);
  const auto run = nlohmann::json::parse(in).at("runs").at(0);
  // With nothing to draft from, the draft's device would have nothing to do.
  BOOST_TEST((run.at("devices").at(0).at("busy") > 0), run.dump());
}

BOOST_AUTO_TEST_CASE(a_head_for_another_model_is_refused_with_the_reason) {
  const auto error_of = [](const Eagle3Shape& shape) {
    const TempFolder folder;
    Eagle3Files(Eagle3Dialect::speculators, shape, 1).write(folder.path());
    const auto result = flowspec_program({"generate", "--model", model_folder() / "target.gguf",
                                          "--draft", folder.path(), "-n", "5", "hello"});
    BOOST_TEST(result.exit_code == 2, result.error);
    return result.error;
  };
  auto shape = shape_for_target();
  shape.taps = {1, 3, 7};
  const auto beyond = error_of(shape);
  BOOST_TEST(beyond.find("taps what enters layer 7, but the model has 6 layers") != beyond.npos,
             beyond);
  shape = shape_for_target();
  shape.target_hidden_size = 32;
  const auto narrow = error_of(shape);
  BOOST_TEST(narrow.find("('target_hidden_size') is 32, the model's is 64") != narrow.npos, narrow);
}

BOOST_AUTO_TEST_CASE(a_head_that_hardly_ever_fits_is_named_with_what_to_check) {
  const TempFolder folder;
  Eagle3Shape shape;
  shape.hidden_size = 32;
  shape.target_hidden_size = 256;
  shape.taps = {2, 6, 9};
  Eagle3Files(Eagle3Dialect::safeailab, shape, 1).write(folder.path());
  const auto error_after = [&](const std::string& tokens) {
    const auto result =
        flowspec_program({"generate", "--model", model_folder() / "slow.gguf", "--draft",
                          folder.path(), "-n", tokens, "--controller", "off", "hello"});
    BOOST_TEST(result.exit_code == 0, result.error);
    return result.error;
  };
  const auto early = error_after("100");
  BOOST_TEST(early.find("is of little use here") != early.npos, early);
  BOOST_TEST(early.find("hardly ever fits this model") == early.npos, early);
  const auto late = error_after("300");
  BOOST_TEST(late.find("this EAGLE-3 head hardly ever fits this model") != late.npos, late);
  for (const char* part : {"layers 2, 6, 9", "chat template", "another fine-tune"})
    BOOST_TEST(late.find(part) != late.npos, late);
}

BOOST_AUTO_TEST_SUITE_END()
