/// `flowspec verify` passes where all is well, and says what differs where it is not.

#include <fstream>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include "models/numerics.hpp"
#include "runtime/cluster/system_config.hpp"
#include "runtime/verify/verification.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;
namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

Json read_json(const fs::path& path) {
  std::ifstream file(path);
  return Json::parse(file);
}

flowspec::VerifyOptions small_options() {
  flowspec::VerifyOptions options;
  options.model = (model_folder() / "target.gguf").string();
  options.drafts = {"lookup"};
  options.modes = {"flowspec"};
  options.stages = {2};
  options.max_tokens = 12;
  options.draws = 100;
  options.quiet = true;
  return options;
}

/// Verifies the model of the options against plain decoding of another.
flowspec::VerifyReport verify_against(const flowspec::VerifyOptions& options,
                                      const fs::path& reference) {
  flowspec::Verification verification(options);
  flowspec::RunSpec other;
  other.model = reference.string();
  other.draft = "none";
  flowspec::Engine engine(other);
  flowspec::SystemConfig config;
  caf::actor_system system(config);
  return verification.run(system, engine.target(), [](const auto&, const auto&) {});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(verify)

BOOST_AUTO_TEST_CASE(all_modes_drafts_and_splits_of_a_small_model_pass) {
  TempFolder folder;
  auto target = (model_folder() / "target.gguf").string();
  auto json_file = (folder / "verify.json").string();
  auto result = flowspec_program({"verify", "--model", target, "--draft",
                                  (model_folder() / "draft.gguf").string(), "--draft", "lookup",
                                  "-n", "12", "--draws", "100", "--json", json_file});
  BOOST_CHECK_MESSAGE(result.exit_code == 0, result.output << result.error);
  auto json = read_json(json_file);
  BOOST_CHECK(json.at("passed") == true);
  // 1, 2 and 4 stages of 6 layers; ar once and six modes with two drafts each.
  BOOST_CHECK(json.at("runs").size() == 39);
  for (const Json& run : json.at("runs"))
    BOOST_CHECK_MESSAGE(run.at("greedy").at("tokens") > 12 && run.at("sampled").at("tokens") > 12,
                        run.dump());
  const auto& fit = json.at("goodness_of_fit").at(0);
  BOOST_CHECK_MESSAGE(fit.at("mode") == "flowspec" && fit.at("p_value") > 0.001, fit.dump());
  for (const char* part : {"pipedec", "DIFFER", "lookup", "PASSED: 39 of 39", "p = "})
    BOOST_CHECK_MESSAGE(result.output.find(part) != std::string::npos, result.output);
}

BOOST_AUTO_TEST_CASE(the_same_over_nodes) {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (const char* name : {"a", "b"})
    nodes.push_back(std::make_unique<NodeProcess>(name, model_folder()));
  auto result = flowspec_program(
      Arguments{"verify", "--model", (model_folder() / "target.gguf").string(), "--draft", "lookup",
                "--modes", "ar,flowspec", "--stages", "1,2,3", "-n", "8", "--draws", "60"} +
      node_arguments(nodes));
  BOOST_CHECK_MESSAGE(result.exit_code == 0, result.output << result.error);
  BOOST_CHECK_MESSAGE(result.output.find("PASSED: 6 of 6") != std::string::npos, result.output);
}

BOOST_AUTO_TEST_CASE(hidden_states_of_16_bits_give_one_text_in_all_modes_and_splits) {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (const char* name : {"a", "b"})
    nodes.push_back(std::make_unique<NodeProcess>(name, model_folder()));
  TempFolder folder;
  auto json_file = (folder / "verify.json").string();
  auto model = (model_folder() / "target.gguf").string();
  auto draft = (model_folder() / "draft.gguf").string();
  for (const std::string type : {"f16", "bf16"}) {
    Arguments what{"verify", "--model", model, "--draft",       draft, "--stages", "1,2,4",  "-n",
                   "8",      "--draws", "60",  "--hidden-type", type,  "--json",   json_file};
    for (const auto& where : {Arguments{}, node_arguments(nodes)}) {
      auto result = flowspec_program(what + where);
      BOOST_CHECK_MESSAGE(result.exit_code == 0, result.output << result.error);
      // ar and six modes that speculate.
      BOOST_CHECK_MESSAGE(result.output.find("PASSED: 21 of 21") != std::string::npos,
                          result.output);
      auto numerics = read_json(json_file).at("numerics").get<std::string>();
      BOOST_CHECK_MESSAGE(numerics.find("/" + type) != std::string::npos, numerics);
    }
  }
}

// Where the CPU has AVX-512, only the first node multiplies the model's F32 matrices with oneDNN.
BOOST_AUTO_TEST_CASE(nodes_of_different_cpus_agree_on_what_all_can_compute_with) {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  nodes.push_back(std::make_unique<NodeProcess>("a", model_folder()));
  nodes.push_back(std::make_unique<NodeProcess>("b", model_folder(), Arguments{"--own-kernels"}));
  TempFolder folder;
  auto json_file = (folder / "verify.json").string();
  auto result =
      flowspec_program(Arguments{"verify", "--model", (model_folder() / "target.gguf").string(),
                                 "--draft", "lookup", "--modes", "ar,flowspec", "--stages", "1,2",
                                 "-n", "8", "--draws", "60", "--json", json_file} +
                       node_arguments(nodes));
  BOOST_CHECK_MESSAGE(result.exit_code == 0, result.output << result.error);
  BOOST_CHECK_MESSAGE(result.output.find("PASSED: 4 of 4") != std::string::npos, result.output);
  auto numerics = read_json(json_file).at("numerics").get<std::string>();
  BOOST_CHECK_MESSAGE(numerics == flowspec::own_numerics(numerics), numerics);
}

// Where the CPU has AVX512-BF16 or AMX, only the first node multiplies the model's BF16 matrices with oneDNN.
BOOST_AUTO_TEST_CASE(a_bf16_model_over_nodes_is_one_text_or_refused) {
  TempFolder folder;
  LlamaShape shape;
  shape.layers = 4;
  constexpr auto bf16 = flowspec::TensorType::bf16;
  write_llama_gguf(folder / "bf16.gguf", shape, {bf16, bf16, bf16}, 5);
  auto json_file = (folder / "verify.json").string();
  auto verify = [&](const Arguments& more) {
    return flowspec_program(Arguments{"verify", "--model", (folder / "bf16.gguf").string(),
                                      "--draft", "lookup", "--modes", "ar,flowspec", "--stages",
                                      "1,2", "-n", "8", "--draws", "60", "--json", json_file} +
                            more);
  };
  auto check_passed = [&](const Arguments& more) {
    auto result = verify(more);
    BOOST_CHECK_MESSAGE(result.exit_code == 0, result.output << result.error);
    BOOST_CHECK_MESSAGE(result.output.find("PASSED: 4 of 4") != std::string::npos, result.output);
    return read_json(json_file).at("numerics").get<std::string>();
  };
  auto check_refused = [&](const Arguments& more, const std::string& reason) {
    auto result = verify(more);
    BOOST_CHECK(result.exit_code != 0);
    auto all = result.output + result.error;
    BOOST_CHECK_MESSAGE(all.find(reason) != std::string::npos, all);
  };
  const bool has_family = flowspec::has_bf16_family(flowspec::numerics_id());
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  nodes.push_back(std::make_unique<NodeProcess>("a", folder.path()));
  nodes.push_back(std::make_unique<NodeProcess>("b", folder.path()));
  for (const auto& where : {Arguments{}, node_arguments(nodes)}) {
    BOOST_TEST(flowspec::has_bf16_family(check_passed(where)) == has_family);
    BOOST_TEST(!flowspec::has_bf16_family(check_passed(where + Arguments{"--numerics", "exact"})));
    if (has_family)
      BOOST_TEST(flowspec::has_bf16_family(check_passed(where + Arguments{"--numerics", "bf16"})));
    else
      check_refused(where + Arguments{"--numerics", "bf16"}, "--numerics bf16 cannot be");
  }
  nodes.pop_back();
  nodes.push_back(std::make_unique<NodeProcess>("c", folder.path(), Arguments{"--own-kernels"}));
  BOOST_TEST(!flowspec::has_bf16_family(check_passed(node_arguments(nodes))));
  check_refused(node_arguments(nodes) + Arguments{"--numerics", "bf16"},
                "--numerics bf16 cannot be");
}

BOOST_AUTO_TEST_CASE(penalties_are_computed_along_each_rows_own_path_in_all_modes) {
  TempFolder folder;
  auto json_file = (folder / "verify.json").string();
  auto result =
      flowspec_program({"verify", "--stages", "1,3", "-n", "16", "--draws", "150",
                        "--repetition-penalty", "1.2", "--frequency-penalty", "0.3",
                        "--presence-penalty", "0.2", "--logit-bias", "13=-2", "--json", json_file});
  BOOST_CHECK_MESSAGE(result.exit_code == 0, result.output << result.error);
  auto json = read_json(json_file);
  BOOST_CHECK(json.at("passed") == true);
  BOOST_CHECK(json.at("sampling").at("logit_bias").at(0).at("token") == 13);
  const auto& fit = json.at("goodness_of_fit").at(0);
  BOOST_CHECK_MESSAGE(fit.at("p_value") > 0.001 && fit.at("degrees_of_freedom") > 5, fit.dump());
}

BOOST_AUTO_TEST_CASE(another_text_and_another_distribution_are_found) {
  TempFolder folder;
  flowspec::test::LlamaShape shape;
  shape.layers = 6;
  write_llama_gguf(folder / "other.gguf", shape, {}, 99);
  auto options = small_options();
  auto right = verify_against(options, options.model);
  BOOST_CHECK(right.passed());
  BOOST_CHECK(right.runs.at(0).greedy.differences == 0);

  auto wrong = verify_against(options, folder / "other.gguf");
  BOOST_CHECK(!wrong.passed());
  const auto& run = wrong.runs.at(0);
  BOOST_CHECK(run.error.empty());
  BOOST_CHECK(run.greedy.differences > 0 && run.sampled.differences > 0);
  BOOST_REQUIRE(run.greedy.first && run.greedy.first->prompt == 0);
  BOOST_CHECK(run.greedy.first->position >= 4);
  BOOST_CHECK(wrong.fits.at(0).test.p_value < flowspec::least_p_value);
}

BOOST_AUTO_TEST_CASE(a_run_that_fails_is_told_and_the_exit_code_is_1) {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  TempFolder empty;
  nodes.push_back(std::make_unique<NodeProcess>("empty", empty.path()));
  auto result =
      flowspec_program(Arguments{"verify", "--model", (model_folder() / "target.gguf").string(),
                                 "--draft", "lookup", "--modes", "ar", "--stages", "1", "-q"} +
                       node_arguments(nodes));
  BOOST_CHECK(result.exit_code == 1);
  BOOST_CHECK_MESSAGE(result.output.find("target.gguf") != std::string::npos, result.output);
}

BOOST_AUTO_TEST_CASE(mistakes_of_verify_are_told_with_exit_code_2) {
  auto target = (model_folder() / "target.gguf").string();
  auto check = [&](const Arguments& arguments, const std::string& text) {
    auto result = flowspec_program(Arguments{"verify", "--model", target} + arguments);
    BOOST_CHECK_MESSAGE(
        result.exit_code == 2 && result.complains(text),
        "expected \"" << text << "\" and 2, got " << result.exit_code << " and " << result.error);
  };
  check({"--stages", "7"}, "--stages asks for 7 stages, but the model has 6 layers");
  check({"--draft", (model_folder() / "slow.gguf").string()}, "vocabulary");
  check({"--prompts", "/nowhere.txt"}, "/nowhere.txt");
  check({"--json", "/nowhere/v.json"}, "--json");
  check({"-n", "100000"}, "--max-tokens");
  check({"--logit-bias", "100000000=1"}, "token 100000000 is for no token of the model");
}

BOOST_AUTO_TEST_SUITE_END()
