/// A machine without any model file writes text with a model that only nodes have.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include "models/formats/gguf.hpp"
#include "tests/support/eagle3_files.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;
namespace fs = std::filesystem;

namespace {

const fs::path embedded = source_path("models/embedded");

/// Two nodes, which find models in one folder.
struct Nodes {
  Nodes() {
    model_folder();  // sets the folders of the nodes' user
    for (const char* name : {"a", "b"})
      nodes.push_back(std::make_unique<NodeProcess>(name, folder.path()));
  }

  Arguments words() const { return node_arguments(nodes) + Arguments{"--stages", "2"}; }

  TempFolder folder;
  std::vector<std::unique_ptr<NodeProcess>> nodes;
};

/// Another user, who has nothing yet.
struct Asker {
  Result run(const Arguments& arguments, const std::string& input = {}) const {
    const std::string before = std::getenv("XDG_CACHE_HOME");
    ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
    auto result = flowspec_program(arguments, input);
    ::setenv("XDG_CACHE_HOME", before.c_str(), 1);
    return result;
  }

  nlohmann::json tokens(const Arguments& arguments) const {
    auto result = run(Arguments{"generate", "--json", "-n", "40", "once upon a time"} + arguments);
    BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.output << result.error);
    return result.json().at("tokens");
  }

  /// Size, and bytes on the disk, of all that is kept of models.
  std::pair<std::uint64_t, std::uint64_t> kept() const {
    std::pair<std::uint64_t, std::uint64_t> bytes;
    for (const auto& entry : fs::recursive_directory_iterator(cache / "flowspec/cards")) {
      struct stat status {};
      if (entry.is_regular_file() && ::stat(entry.path().c_str(), &status) == 0) {
        bytes.first += static_cast<std::uint64_t>(status.st_size);
        bytes.second += static_cast<std::uint64_t>(status.st_blocks) * 512;
      }
    }
    return bytes;
  }

  TempFolder cache;
};

Arguments local(const fs::path& model) {
  return {"--model", model.string(), "--mode", "ar", "--stages", "1"};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(borrowed_models)

BOOST_AUTO_TEST_CASE(without_weights_the_text_is_the_same) {
  const Nodes nodes;
  fs::copy_file(model_folder() / "target.gguf", nodes.folder / "there.gguf");
  fs::copy(model_folder() / "target-hf", nodes.folder / "there-hf", fs::copy_options::recursive);
  make_llama({}, {}, 5).write_parts(nodes.folder.path(), "parts", 3);
  const Asker asker;
  for (const char* name : {"there.gguf", "parts-00001-of-00003.gguf"})
    BOOST_TEST(asker.tokens(nodes.words() + Arguments{"--model", name}) ==
                   Asker().tokens(local(nodes.folder / name)),
               name);
  // HfWriter writes no tokenizer, and without one there is no text.
  const auto no_tokenizer =
      asker.run(Arguments{"generate", "once", "--model", "there-hf"} + nodes.words());
  BOOST_TEST(no_tokenizer.exit_code == 2);
  BOOST_TEST(no_tokenizer.complains("tokenizer"), no_tokenizer.error);
}

BOOST_AUTO_TEST_CASE(weights_stay_where_they_are) {
  const Nodes nodes;
  LlamaShape large;
  large.ffn_size = 4096;
  large.layers = 4;
  write_llama_gguf(nodes.folder / "large.gguf", large, {}, 1);
  const Asker asker;
  asker.tokens(nodes.words() + Arguments{"--model", "large.gguf"});
  const auto [size, on_disk] = asker.kept();
  BOOST_TEST(size == fs::file_size(nodes.folder / "large.gguf"));
  BOOST_TEST(on_disk < size / 10);
}

BOOST_AUTO_TEST_CASE(the_second_run_reads_nothing) {
  const Nodes nodes;
  fs::copy_file(model_folder() / "target.gguf", nodes.folder / "there.gguf");
  const Asker asker;
  const auto words =
      Arguments{"generate", "-v", "-n", "3", "once", "--model", "there.gguf"} + nodes.words();
  const auto first = asker.run(words);
  BOOST_TEST(first.complains(" 0 kept from before"), first.error);
  const auto second = asker.run(words);
  BOOST_TEST(second.complains(": 0 bytes read"), second.error);
  BOOST_TEST(second.exit_code == 0);
}

BOOST_AUTO_TEST_CASE(the_draft_may_be_on_nodes_only_too) {
  const Nodes nodes;
  for (const char* name : {"story.gguf", "target.gguf"})
    fs::copy_file(embedded / "target.gguf", nodes.folder / name);
  fs::copy_file(embedded / "draft.gguf", nodes.folder / "story-draft.gguf");
  fs::copy(embedded / "eagle", nodes.folder / "story-eagle");
  const auto plain = Asker().tokens(local(embedded / "target.gguf"));
  const Asker asker;
  for (const char* draft : {"story-eagle", "story-draft.gguf", "self"}) {
    const auto result =
        asker.run(Arguments{"generate", "--json", "-n", "40", "once upon a time", "--controller",
                            "off", "--model", "story.gguf", "--draft", draft} +
                  nodes.words());
    BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.error);
    BOOST_TEST(result.json().at("tokens") == plain, draft);
    const auto stats = result.json().at("stats").at("hops").back();
    BOOST_TEST((stats.at("right_guesses") > 5), stats.dump());
  }
  // The model is here, and only the draft is not.
  BOOST_TEST(asker.tokens(nodes.words() + Arguments{"--draft", "story-eagle"}) == plain);
}

BOOST_AUTO_TEST_CASE(a_head_whose_vocabulary_lies_among_its_weights_can_be_borrowed) {
  const Nodes nodes;
  fs::copy_file(model_folder() / "target.gguf", nodes.folder / "there.gguf");
  const auto plain = Asker().tokens(local(model_folder() / "target.gguf"));
  Eagle3Shape shape;
  shape.hidden_size = shape.target_hidden_size = 64;
  shape.taps = {1, 3, 6};
  for (const auto dialect : {Eagle3Dialect::speculators, Eagle3Dialect::gguf}) {
    const auto name = name_of(dialect) + "-head";
    fs::create_directory(nodes.folder / name);
    Eagle3Files(dialect, shape, 1).write(nodes.folder / name);
    if (dialect == Eagle3Dialect::gguf)
      fs::rename(nodes.folder / name / "head.gguf", nodes.folder / "three.gguf");
    BOOST_TEST(
        Asker().tokens(nodes.words() +
                       Arguments{"--model", "there.gguf", "--controller", "off", "--draft",
                                 dialect == Eagle3Dialect::gguf ? "three.gguf" : name}) == plain,
        name);
  }
}

BOOST_AUTO_TEST_CASE(where_no_node_has_it_every_answer_is_told) {
  const Nodes nodes;
  const auto result =
      Asker().run(Arguments{"generate", "once", "--model", "nowhere.gguf"} + nodes.words());
  BOOST_TEST(result.exit_code == 2);
  BOOST_TEST(result.complains("no file or folder nowhere.gguf here, and no node gives it"));
  for (const auto& node : nodes.nodes)
    BOOST_TEST(result.complains(node->address() + ": node "), result.error);
  BOOST_TEST(result.complains("has no model nowhere.gguf in its model folders"), result.error);
  // A path is never asked for.
  const auto path =
      Asker().run(Arguments{"generate", "once", "--model", "some/nowhere.gguf"} + nodes.words());
  BOOST_TEST(path.exit_code == 2);
  BOOST_TEST(!path.complains("model folders"), path.error);
}

BOOST_AUTO_TEST_CASE(another_model_of_the_same_name_is_refused_by_its_hash) {
  const TempFolder first;
  const TempFolder second;
  write_llama_gguf(first / "same.gguf", {}, {}, 1);
  write_llama_gguf(second / "same.gguf", {}, {}, 2);
  model_folder();
  NodeProcess a("a", first.path());
  NodeProcess b("b", second.path());
  const auto result = Asker().run({"generate", "once", "--model", "same.gguf", "--node",
                                   a.address(), "--node", b.address(), "--stages", "2"});
  BOOST_TEST(result.exit_code == 1);
  BOOST_TEST(result.complains("is not the model that the coordinator has"), result.error);
  // Each alone has its own.
  for (auto* node : {&a, &b})
    BOOST_TEST(Asker().tokens({"--model", "same.gguf", "--node", node->address()}) ==
               Asker().tokens(local((node == &a ? first : second) / "same.gguf")));
}

BOOST_AUTO_TEST_CASE(chat_and_plan_need_no_weights) {
  const Nodes nodes;
  fs::copy_file(model_folder() / "target.gguf", nodes.folder / "there.gguf");
  const Asker asker;
  const auto said = asker.run(
      Arguments{"chat", "--json", "-n", "5", "--chat-template", "plain", "--model", "there.gguf"} +
          nodes.words(),
      "once\nupon\n");
  BOOST_TEST(said.exit_code == 0, said.error);
  BOOST_TEST(std::ranges::count(said.output, '\n') == 2, said.output);
  const auto plan =
      asker.run(Arguments{"plan", "--json", "--model", "there.gguf"} + node_arguments(nodes.nodes));
  BOOST_TEST(plan.exit_code == 0, plan.error);
  BOOST_TEST(plan.json().at("stages").back().at("layers").at(1) == 6);
}

BOOST_AUTO_TEST_CASE(nothing_computes_with_weights_that_are_not_here) {
  const Nodes nodes;
  fs::copy_file(model_folder() / "target.gguf", nodes.folder / "there.gguf");
  const Asker asker;
  const Arguments words{"generate", "-n", "3", "once", "--model"};
  for (const char* place : {"verifier=here", "draft=here"}) {
    const auto result = asker.run(
        words + Arguments{"there.gguf", "--draft", "self", "--place", place} + nodes.words());
    BOOST_TEST(result.exit_code == 2);
    BOOST_TEST(result.complains("needs weights that are not on this machine"), result.error);
  }
  // What is kept of it is no model for this machine, nor one that a node of it offers.
  for (const auto& entry : fs::recursive_directory_iterator(asker.cache / "flowspec/cards"))
    if (entry.path().filename() == "there.gguf") {
      const auto result = asker.run(words + Arguments{entry.path().string()});
      BOOST_TEST(result.exit_code == 2);
      BOOST_TEST(result.complains("has no weights"), result.error);
    }
}

BOOST_AUTO_TEST_SUITE_END()
