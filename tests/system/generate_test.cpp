/// Text over actors and processes: the same tokens wherever the layers lie.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include <boost/test/unit_test.hpp>

#include "models/formats/gguf.hpp"
#include "tests/support/eagle_files.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec;
using namespace flowspec::test;
namespace fs = std::filesystem;

namespace {

/// The first value of a float32 tensor becomes NaN.
void poison(const fs::path& path, const std::string& name) {
  const auto offset = GgufFile::open(path).find(name)->offset;
  std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream << bytes_of(std::numeric_limits<float>::quiet_NaN());
}

using Json = nlohmann::json;
using Nodes = std::vector<std::unique_ptr<NodeProcess>>;

Nodes start_nodes(std::size_t count, const fs::path& models, const Arguments& more = {}) {
  Nodes nodes;
  for (std::size_t i = 0; i < count; ++i)
    nodes.push_back(std::make_unique<NodeProcess>("node-" + std::to_string(i), models, more));
  return nodes;
}

/// Runs and gives the tokens; fails the test where there is an error.
Json tokens_of(const Arguments& arguments) {
  auto result = flowspec_program(Arguments{"generate", "--json"} + arguments);
  auto json = result.json();
  BOOST_REQUIRE_MESSAGE(result.exit_code == 0, json.dump());
  return json.at("tokens");
}

/// Every way to run that has to give the tokens of plain decoding in one stage.
void check_everywhere(const Arguments& model, const Arguments& draft, std::uint32_t layers,
                      const Nodes& nodes) {
  auto all_nodes = node_arguments(nodes);
  Nodes none;
  const std::vector<Arguments> samplings{
      {}, {"--temperature", "1.1", "--top-k", "40", "--top-p", "0.95", "--seed", "7"}};
  for (const Arguments& sampling : samplings) {
    auto common = model + sampling + Arguments{"once upon a time"};
    auto expected = tokens_of(common + Arguments{"--mode", "ar", "--stages", "1"});
    BOOST_REQUIRE(!expected.empty());
    auto check = [&](const Arguments& arguments) {
      auto tokens = tokens_of(common + arguments);
      std::string shown;
      for (const std::string& argument : arguments)
        shown += " " + argument;
      BOOST_CHECK_MESSAGE(tokens == expected, "OTHER TOKENS with" << shown << ": " << tokens
                                                                  << " instead of " << expected);
    };
    for (const char* mode : {"ar", "flowspec"}) {
      Arguments how{"--mode", mode};
      if (std::string(mode) == "flowspec")
        how = how + draft;
      for (const char* stages : {"1", "2", "3", "5"}) {
        if (std::stoul(stages) > layers)
          continue;
        Arguments in{"--stages", stages};
        check(how + in);
        auto used = std::min<std::size_t>(std::stoul(stages), nodes.size());
        check(how + in +
              Arguments(all_nodes.begin(),
                        all_nodes.begin() + static_cast<std::ptrdiff_t>(2 * used)));
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(random_model_gives_the_same_tokens_everywhere) {
  const auto& folder = model_folder();
  check_everywhere({"--model", (folder / "target.gguf").string(), "-n", "40"},
                   {"--draft", (folder / "draft.gguf").string()}, 6, start_nodes(3, folder));
}

BOOST_AUTO_TEST_CASE(embedded_pair_gives_the_same_tokens_everywhere) {
  check_everywhere({"-n", "60"}, {}, 5, start_nodes(2, source_path("models/embedded")));
}

BOOST_AUTO_TEST_CASE(other_architectures_give_the_same_tokens_everywhere) {
  auto nodes = start_nodes(2, model_folder());
  for (const char* name : {"qwen2.gguf", "qwen3.gguf"}) {
    Arguments common{"--model", (model_folder() / name).string(), "-n", "40", "once upon a time"};
    auto expected = tokens_of(common + Arguments{"--mode", "ar", "--stages", "1"});
    auto over_nodes = common + Arguments{"--stages", "3"} + node_arguments(nodes);
    for (const char* draft : {"lookup", "self"})
      BOOST_CHECK_MESSAGE(tokens_of(over_nodes + Arguments{"--draft", draft}) == expected,
                          "OTHER TOKENS of " << name << " with --draft " << draft);
  }
}

BOOST_AUTO_TEST_CASE(a_split_model_gives_the_tokens_of_the_whole_file_everywhere) {
  TempFolder folder;
  LlamaShape shape;
  shape.layers = 6;
  make_llama(shape, {}, 1).write_parts(folder / "split", "target", 3);
  // Nothing stays in memory that no file has any more.
  auto nodes = start_nodes(3, folder / "split", {"--keep-shards", "0"});
  Arguments prompt{"-n", "40", "once upon a time"};
  auto expected = tokens_of(prompt + Arguments{"--mode", "ar", "--stages", "1", "--model",
                                               (model_folder() / "target.gguf").string()});
  auto first = (folder / "split" / part_name("target", 0, 3)).string();
  auto last = (folder / "split" / part_name("target", 2, 3)).string();
  for (const std::string& model : {first, last, (folder / "split").string()})
    for (const Arguments& where : {Arguments{"--stages", "2"}, node_arguments(nodes)})
      BOOST_CHECK_MESSAGE(tokens_of(prompt + where + Arguments{"--model", model}) == expected,
                          "OTHER TOKENS of " << model);
  // A node whose last part is another one says so.
  auto other = make_llama(shape, {}, 2).part(2, 3);
  other.write(last);
  auto result =
      flowspec_program(Arguments{"generate", "hello", "--model", first} + node_arguments(nodes));
  BOOST_CHECK_MESSAGE(result.exit_code == 0, result.error);
  fs::create_directory(folder / "own");
  make_llama(shape, {}, 1).write_parts(folder / "own", "target", 3);
  auto own = (folder / "own" / part_name("target", 0, 3)).string();
  result = flowspec_program(Arguments{"generate", "hello", "--model", own} + node_arguments(nodes));
  BOOST_CHECK_MESSAGE(result.exit_code == 1 && result.complains("is not the model"), result.error);
}

BOOST_AUTO_TEST_CASE(either_type_of_keys_and_values_gives_its_tokens_everywhere) {
  auto nodes = start_nodes(2, model_folder());
  for (const char* type : {"f16", "f32"}) {
    Arguments common{"--model",
                     (model_folder() / "target.gguf").string(),
                     "-n",
                     "40",
                     "--kv-type",
                     type,
                     "--temperature",
                     "1.1",
                     "once upon a time"};
    auto expected = tokens_of(common + Arguments{"--mode", "ar", "--stages", "1"});
    BOOST_CHECK_MESSAGE(tokens_of(common + Arguments{"--stages", "3", "--draft", "self"} +
                                  node_arguments(nodes)) == expected,
                        "OTHER TOKENS with " << type);
  }
}

BOOST_AUTO_TEST_CASE(texts_end_at_a_sliding_window) {
  Arguments common{"generate", "--json", "--model", (model_folder() / "window.gguf").string(),
                   "-n",       "100",    "hello"};
  auto result = flowspec_program(common);
  auto json = result.json();
  auto length = json.at("prompt_tokens").get<std::size_t>() + json.at("tokens").size();
  BOOST_CHECK_MESSAGE(length == 40 && json.at("finish_reason") == "length", json.dump());
  BOOST_CHECK_MESSAGE(result.complains("last 40 tokens"), result.error);
  auto shorter = flowspec_program(common + Arguments{"--context", "30"});
  BOOST_CHECK_MESSAGE(!shorter.complains("tokens (sliding"), shorter.error);
}

BOOST_AUTO_TEST_CASE(other_drafts_change_nothing) {
  const auto& folder = model_folder();
  Arguments common{"--model", (folder / "target.gguf").string(), "-n", "40", "a b a b a b"};
  auto expected = tokens_of(common + Arguments{"--mode", "ar"});
  for (const char* draft : {"none", "lookup", "self"})
    BOOST_CHECK_MESSAGE(tokens_of(common + Arguments{"--draft", draft}) == expected,
                        "OTHER TOKENS with --draft " << draft);
  for (const char* type : {"as-is", "q8_0", "q4_0"})
    for (const std::string& draft : {std::string("self"), (folder / "draft.gguf").string()})
      BOOST_CHECK_MESSAGE(
          tokens_of(common + Arguments{"--draft", draft, "--draft-type", type}) == expected,
          "OTHER TOKENS with --draft " << draft << " --draft-type " << type);
  Arguments small{"generate", "-n", "4", "--draft-type", "q8_0", "Once"};
  auto embedded = source_path("models/embedded/draft.gguf").string();
  auto result = flowspec_program(small + Arguments{"--draft", embedded});
  BOOST_CHECK_MESSAGE(result.exit_code == 0 && result.complains("changes nothing"), result.error);
  result = flowspec_program(small);
  BOOST_CHECK_MESSAGE(result.exit_code == 0 && !result.complains("changes nothing"), result.error);
  // As --draft, it may stay where only the mode is changed.
  BOOST_CHECK(tokens_of(common + Arguments{"--mode", "ar", "--draft-type", "q8_0"}) == expected);
}

BOOST_AUTO_TEST_CASE(reference_of_another_implementation) {
  auto shared = source_path("../shared/models");
  std::ifstream file(shared / "reference_greedy.json");
  if (!file || !fs::exists(shared / "stories260K.gguf")) {
    BOOST_TEST_MESSAGE("skipped: there is no " << (shared / "stories260K.gguf"));
    return;
  }
  auto nodes = start_nodes(3, shared);
  for (const Json& reference : Json::parse(file)) {
    const auto& expected = reference.at("tokens");
    Arguments common{"--model",
                     (shared / "stories260K.gguf").string(),
                     "--context",
                     "512",
                     "-n",
                     std::to_string(expected.size()),
                     reference.at("prompt").get<std::string>()};
    for (const char* mode : {"ar", "flowspec"})
      for (const char* stages : {"1", "3", "5"}) {
        Arguments how{"--mode", mode, "--stages", stages};
        BOOST_CHECK_MESSAGE(tokens_of(common + how) == expected,
                            "OTHER TOKENS than the reference: " << mode << " " << stages);
      }
    for (const char* stages : {"3", "5"})
      BOOST_CHECK_MESSAGE(
          tokens_of(common + Arguments{"--stages", stages} + node_arguments(nodes)) == expected,
          "OTHER TOKENS than the reference over nodes, stages " << stages);
  }
}

BOOST_AUTO_TEST_CASE(prompt_from_file_and_input_and_the_cluster_file) {
  TempFolder folder;
  write_file(folder / "prompt.txt", "once upon");
  auto nodes = start_nodes(2, model_folder());
  std::string cluster = "{\n  // two nodes\n  \"nodes\": [";
  for (const auto& node : nodes)
    cluster += std::string(node == nodes.front() ? "" : ", ") +
               "{\"host\": \"127.0.0.1\", \"layers\": " + (node == nodes.front() ? "2" : "4") +
               ", \"port\": " + std::to_string(node->port()) + "}";
  write_file(folder / "cluster.json", cluster + "]\n}\n");
  Arguments common{"generate", "--model", (model_folder() / "target.gguf").string(),
                   "--json",   "-n",      "20"};
  auto expected = flowspec_program(common + Arguments{"once upon"}).json().at("text");
  BOOST_CHECK(flowspec_program(common + Arguments{"-"}, "once upon").json().at("text") == expected);
  auto by_file =
      flowspec_program(common + Arguments{"--file", (folder / "prompt.txt").string(), "--cluster",
                                          (folder / "cluster.json").string()})
          .json();
  BOOST_CHECK(by_file.at("text") == expected);
  BOOST_CHECK(by_file.at("stats").at("hops").at(1).at("layers") == (Json{2, 6}));
}

BOOST_AUTO_TEST_CASE(stop_strings_and_the_statistics_line) {
  // The embedded model, whose text has no half characters.
  Arguments common{"generate", "-n", "40", "Once upon a time"};
  auto text = flowspec_program(common).output;
  BOOST_REQUIRE(text.size() > 40);
  auto stop = text.substr(30, 5);
  auto stopped = flowspec_program(common + Arguments{"--stop", stop, "--json"}).json();
  BOOST_CHECK_MESSAGE(stopped.at("finish_reason") == "stop_string", stopped.dump());
  BOOST_CHECK_MESSAGE(stopped.at("text") == text.substr(0, text.find(stop)), stopped.dump());
  auto line = flowspec_program(common).error;
  for (const char* part : {"40 tokens (length)", "prefill", "decode", "accept length", "stage 0"})
    BOOST_CHECK_MESSAGE(line.find(part) != std::string::npos, "no " << part << " in: " << line);
}

BOOST_AUTO_TEST_CASE(a_draft_that_is_of_no_use_is_named) {
  const TempFolder folder;
  // The target's vocabulary, and nothing else of it.
  const LlamaShape shape{.hidden_size = 128, .layers = 1};
  write_llama_gguf(folder / "stranger.gguf", shape, {}, 1);
  write_llama_gguf(folder / "broken.gguf", shape, {}, 1);
  poison(folder / "broken.gguf", "output_norm.weight");
  const auto error_with = [&](const std::string& draft) {
    auto result = flowspec_program({"generate", "--model", model_folder() / "target.gguf", "-n",
                                    "80", "--controller", "off", "--draft", draft, "hello"});
    BOOST_TEST(result.exit_code == 0, result.error);
    return result.error;
  };
  auto useless = error_with(folder / "stranger.gguf");
  BOOST_TEST(useless.find("the draft (stranger.gguf) is of little use here: ") != useless.npos,
             useless);
  auto broken = error_with(folder / "broken.gguf");
  BOOST_TEST(broken.find("the draft (broken.gguf) had a guess for none of ") != broken.npos,
             broken);
  for (const std::string draft : {"self", "lookup"}) {
    auto fine = error_with(draft);
    BOOST_TEST(fine.find("the draft (") == fine.npos, fine);
  }
}

BOOST_AUTO_TEST_CASE(a_model_whose_weights_are_not_finite_ends_the_run) {
  const TempFolder folder;
  std::filesystem::copy_file(model_folder() / "target.gguf", folder / "nan.gguf");
  poison(folder / "nan.gguf", "blk.0.attn_norm.weight");
  NodeProcess node("node", folder.path());
  for (const Arguments& where : {Arguments{}, Arguments{"--node", node.address()}}) {
    auto result = flowspec_program(
        Arguments{"generate", "--json", "--model", folder / "nan.gguf", "hello"} + where);
    BOOST_TEST(result.exit_code == 1);
    BOOST_TEST(result.json().at("finish_reason") == "error");
    BOOST_TEST(result.json().at("tokens").empty());
    BOOST_TEST(result.complains("the verifier: could not sample: the model's logits for position"),
               result.error);
    BOOST_TEST(result.complains("A weight is NaN or infinite"));
  }
}

BOOST_AUTO_TEST_CASE(heads_that_do_not_fit_are_mistakes_of_the_user) {
  const TempFolder folder;
  const auto check = [&](const EagleFiles& files, const std::vector<std::string>& texts) {
    files.write(folder.path());
    auto result = flowspec_program(
        {"generate", "--model", model_folder() / "target.gguf", "--draft", folder.path(), "hello"});
    BOOST_TEST(result.exit_code == (texts.empty() ? 0 : 2), result.error);
    for (const std::string& text : texts)
      BOOST_TEST(result.complains(text), result.error);
  };
  check(EagleFiles({}, 1), {});
  EagleFiles third({}, 1);
  third.config["draft_vocab_size"] = "320";
  check(third, {"the EAGLE-3 head names no layers", "at least 7, but the model has 6 layers"});
  EagleShape wide;
  wide.hidden_size = 128;
  check(EagleFiles(wide, 1), {"hidden size is 128, the model's is 64", "trained for this model"});
  EagleShape foreign;
  foreign.vocab_size = 400;
  check(EagleFiles(foreign, 1), {"vocabulary size is 400, the model's is 320"});
  EagleFiles incomplete({}, 1);
  incomplete.tensors.erase("layers.0.mlp.up_proj.weight");
  check(incomplete, {"layers.0.mlp.up_proj.weight", "missing"});
}

BOOST_AUTO_TEST_CASE(mistakes_are_told_with_exit_code_2) {
  auto target = (model_folder() / "target.gguf").string();
  auto check = [](const Arguments& arguments, const std::string& text) {
    auto result = flowspec_program(Arguments{"generate", "hello"} + arguments);
    BOOST_CHECK_MESSAGE(
        result.exit_code == 2 && result.complains(text),
        "expected \"" << text << "\" and 2, got " << result.exit_code << " and " << result.error);
  };
  check({"--model", "/nowhere/model.gguf"}, "/nowhere/model.gguf");
  check({"--model", target, "--mode", "fast"}, "fast");
  check({"--model", target, "--stages", "7"}, "7 stages for a model of 6 layers");
  check({"--model", target, "--split", "2,3"}, "the split has 5 layers, the model has 6");
  check({"--model", target, "--context", "2"}, "--context");
  check({"--model", target, "--draft", (model_folder() / "slow.gguf").string()}, "vocabulary");
  check({"--model", (model_folder() / "window.gguf").string(), "--context", "41"},
        "--context can be at most 40, not 41");
  check({"--model", model_folder().string()}, "holds 6 models: draft.gguf, ");
  check({"--model", target, "--draft", model_folder().string()}, "holds 6 models: draft.gguf, ");
  check({"--model", source_path("models/embedded/eagle").string()}, "EAGLE head");
  check({"--model", target, "--top-p", "7"}, "top");
  check({"--model", target, "--node", "x:y"}, "\"x:y\" is no address");
  check({"--model", target, "--cluster", "/nowhere.json"}, "/nowhere.json");
  TempFolder folder;
  write_file(folder / "cut.gguf", make_llama({}, {}, 1).bytes().substr(0, 50000));
  check({"--model", (folder / "cut.gguf").string()}, "cut.gguf");
}

BOOST_AUTO_TEST_CASE(a_text_ends_with_any_token_that_the_file_names) {
  TempFolder folder;
  const auto file = folder / "ends.gguf";
  const auto run = [&](const Arguments& how) {
    auto result = flowspec_program(
        Arguments{"generate", "--json", "-n", "30", "--model", file, "once"} + how);
    BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.error);
    return result.json();
  };
  make_llama({}, {}, 1).write(file);
  const auto endless = run({"--mode", "ar"});
  const auto tokens = endless.at("tokens").get<std::vector<std::uint32_t>>();
  BOOST_REQUIRE(tokens.size() > 12);
  const auto end = tokens[12];
  const auto first = static_cast<std::size_t>(std::ranges::find(tokens, end) - tokens.begin());
  for (const std::string key : {"eot", "eom", "eos"}) {
    auto writer = make_llama({.eos_token = key == "eos" ? end : 2}, {}, 1);
    if (key != "eos")
      writer.add_uint("tokenizer.ggml." + key + "_token_id", end);
    writer.write(file);
    for (const Arguments& how : {Arguments{"--mode", "ar"}, Arguments{"--draft", "self"},
                                 Arguments{"--draft", "lookup", "--stages", "2"}}) {
      const auto ended = run(how);
      BOOST_TEST(ended.at("finish_reason") == "stop", ended.dump());
      BOOST_TEST(ended.at("tokens").size() <= first + 1);
      const auto text = ended.at("text").get<std::string>();
      BOOST_TEST(endless.at("text").get<std::string>().starts_with(text));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_prompt_is_gone_on_with_though_the_model_ends_what_it_reads) {
  TempFolder folder;
  const auto file = folder / "ends.gguf";
  auto writer = make_llama({}, {}, 1);
  writer.write(file);
  const Arguments arguments{"-n", "8", "--model", file, "once"};
  const auto tokens = tokens_of(arguments);
  writer.add_bool("tokenizer.ggml.add_eos_token", true);
  writer.write(file);
  BOOST_TEST(tokens_of(arguments) == tokens);
}

BOOST_AUTO_TEST_CASE(an_end_that_is_no_token_is_warned_of) {
  TempFolder folder;
  auto writer = make_llama({}, {}, 1);
  writer.add_uint("tokenizer.ggml.eot_token_id", 5000);
  writer.write(folder / "ends.gguf");
  auto result = flowspec_program({"generate", "-n", "2", "--model", folder / "ends.gguf", "once"});
  BOOST_TEST(result.exit_code == 0);
  BOOST_TEST(result.complains("tokenizer.ggml.eot_token_id is 5000, which is none of"));
}

BOOST_AUTO_TEST_CASE(a_draft_may_have_a_few_tokens_more_or_less_than_its_target) {
  TempFolder folder;
  make_llama({.vocab_size = 380}, {}, 1).write(folder / "more.gguf");
  make_llama({.vocab_size = 305}, {}, 1).write(folder / "less.gguf");
  make_llama({.vocab_size = 500}, {}, 1).write(folder / "many.gguf");
  const auto model = [&](const char* name) { return (folder / name).string(); };
  for (const auto& [target, draft] :
       {std::pair("more.gguf", "less.gguf"), std::pair("less.gguf", "more.gguf")}) {
    const Arguments common{"once",          "-n", "60",     "--model", model(target),
                           "--temperature", "1",  "--seed", "7"};
    const auto plain = tokens_of(common + Arguments{"--mode", "ar"});
    for (const char* stages : {"1", "2"})
      BOOST_TEST(tokens_of(common + Arguments{"--draft", model(draft), "--stages", stages}) ==
                 plain);
  }
  auto refused = flowspec_program(
      {"generate", "once", "--model", model("less.gguf"), "--draft", model("many.gguf")});
  BOOST_TEST(refused.exit_code == 2);
  BOOST_TEST(refused.complains("the first vocabulary has 305 tokens, the second 500"));
}

BOOST_AUTO_TEST_CASE(a_prompt_that_cannot_fit_is_refused_unread) {
  TempFolder folder;
  write_file(folder / "long.txt", std::string(2'000'000, 'a'));
  auto result = flowspec_program({"generate", "--file", folder / "long.txt"});
  BOOST_TEST(result.exit_code == 2);
  BOOST_TEST(result.complains("the prompt has 2000000 bytes, and so"));
}
