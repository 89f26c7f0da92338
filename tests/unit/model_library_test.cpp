/// The models of a node: files and folders by name, hashed once.

#include "actors/cluster/model_library.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include "actors/cluster/node.hpp"
#include "actors/cluster/stage_plan.hpp"
#include "actors/support/text_error.hpp"
#include "models/base/error.hpp"
#include "models/formats/file_hash.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/numerics.hpp"
#include "models/open_model.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// A GGUF file and a folder, some levels deep.
struct Models {
  Models() {
    std::filesystem::create_directories(folder / "a/b");
    write_llama_gguf(folder / "a/b/small.gguf", {}, {}, 1);
    HfWriter(GgufFile::open(folder / "a/b/small.gguf")).write(folder / "a/b/small-hf", 2);
  }

  TempFolder folder;
};

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The only model of that name.
std::filesystem::path only(const ModelLibrary& library, const std::string& name) {
  const auto found = library.find(name);
  BOOST_REQUIRE(found.size() == 1U);
  return found.front();
}

bool says(const ModelError& error, const std::string& words) {
  BOOST_TEST_MESSAGE(error.what());
  return std::string(error.what()).find(words) != std::string::npos;
}

/// The hidden states of some tokens, each behind the one before.
std::vector<float> hidden_of(StageModel& stage) {
  const std::vector<Token> tokens{5, 9, 2, 7, 7, 300, 1, 40};
  std::vector<Slot> slots(tokens.size());
  std::iota(slots.begin(), slots.end(), Slot{0});
  const auto cache = stage.make_cache(static_cast<std::uint32_t>(slots.size()));
  std::vector<RowContext> rows;
  for (std::size_t i = 0; i < slots.size(); ++i)
    rows.push_back(
        {cache.get(), slots[i], static_cast<Position>(i), {}, std::span(slots).first(i + 1)});
  std::vector<float> hidden(tokens.size() * stage.hidden_size());
  stage.forward_tokens(tokens, rows, hidden);
  return hidden;
}

/// Two models of one name, below the folder of a node.
struct Revisions {
  Revisions() {
    for (const auto& [name, seed] : {std::pair("old", 1U), std::pair("new", 2U)}) {
      std::filesystem::create_directories(folder / name);
      write_llama_gguf(file(name), {}, {}, seed);
    }
  }

  std::filesystem::path file(const std::string& name) const { return folder / (name + "/m.gguf"); }

  std::shared_ptr<Node> node(std::chrono::minutes keep = std::chrono::minutes(10)) const {
    NodeOptions options;
    options.models = {folder.path()};
    options.keep_shards = keep;
    return std::make_shared<Node>(options);
  }

  StageSpec spec(const std::string& name) const {
    StageSpec spec;
    spec.end_layer = 2;
    spec.model_file = "m.gguf";
    spec.model_hash = hash_file(file(name));
    spec.numerics = numerics_id();
    return spec;
  }

  caf::expected<std::unique_ptr<StageModel>> stage(const std::shared_ptr<Node>& node,
                                                   const std::string& name) const {
    const auto plan = plan_stage(node, spec(name), std::make_shared<std::atomic<bool>>(false));
    BOOST_REQUIRE(plan.engaged());
    return plan->load();
  }

  std::vector<float> hidden(const std::string& name) const {
    const GgufFile opened = GgufFile::open(file(name));
    CpuStageModel stage(opened, read_config(opened), {.layers = {0, 2}});
    return hidden_of(stage);
  }

  TempFolder folder;
};

bool says_where(const ModelError& error) {
  const std::string text = error.what();
  BOOST_TEST_MESSAGE(text);
  return text.find("has no model ") != std::string::npos &&
         text.find("flowspec-test-") != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(files_and_folders_are_found_by_name) {
  const Models models;
  const ModelLibrary library({models.folder.path()});
  BOOST_TEST(only(library, "small.gguf") == models.folder / "a/b/small.gguf");
  BOOST_TEST(only(library, "small-hf") == models.folder / "a/b/small-hf");
  const ModelLibrary near({models.folder / "a/b"});
  BOOST_TEST(only(near, "small-hf") == models.folder / "a/b/small-hf");
}

BOOST_AUTO_TEST_CASE(the_folder_of_a_node_may_be_the_model) {
  const Models models;
  for (const std::string suffix : {"", "/"}) {
    const ModelLibrary library({(models.folder / "a/b/small-hf").string() + suffix});
    BOOST_TEST(open_model(only(library, "small-hf")).config.layers == 2U);
  }
}

BOOST_AUTO_TEST_CASE(folders_without_a_model_are_not_found) {
  const Models models;
  const ModelLibrary library({models.folder.path()});
  BOOST_CHECK_EXCEPTION(library.find("b"), ModelError, says_where);
  BOOST_CHECK_EXCEPTION(library.find("other.gguf"), ModelError, says_where);
}

BOOST_AUTO_TEST_CASE(hashes_follow_changes) {
  const Models models;
  HashCache cache;
  const ModelLibrary library({models.folder.path()}, cache);
  for (const std::string name : {"small.gguf", "small-hf"}) {
    const OpenModel model = open_model(only(library, name));
    int calls = 0;
    const auto count = [&](std::uint64_t, std::uint64_t) { ++calls; };
    const std::string hash = library.hash(*model.files, count);
    BOOST_TEST(hash == hash_model(*model.files));
    BOOST_TEST(calls > 0);
    // What has not changed is not read again.
    calls = 0;
    BOOST_TEST(library.hash(*model.files, count) == hash);
    BOOST_TEST(calls == 0);
  }
  const auto config = models.folder / "a/b/small-hf/config.json";
  const OpenModel model = open_model(only(library, "small-hf"));
  const std::string before = library.hash(*model.files);
  write_file(config, text_of(config) + " ");
  BOOST_TEST(library.hash(*open_model(only(library, "small-hf")).files) != before);
}

BOOST_AUTO_TEST_CASE(all_models_of_a_name_are_found) {
  const Models models;
  std::filesystem::create_directories(models.folder / "c");
  write_llama_gguf(models.folder / "c/small.gguf", {}, {}, 2);
  // A link to one of them is no other.
  std::filesystem::create_directories(models.folder / "d");
  std::filesystem::create_symlink(models.folder / "c/small.gguf", models.folder / "d/small.gguf");
  const ModelLibrary library({models.folder / "a", models.folder / "c", models.folder / "d"});
  BOOST_TEST(library.find("small.gguf").size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_cache_of_downloads_is_searched) {
  const TempFolder hub;
  const auto repository = hub / "models--a--b";
  for (const std::string name : {"blobs", "refs", "snapshots/r1", "snapshots/r2", "snapshots/r3"})
    std::filesystem::create_directories(repository / name);
  write_llama_gguf(repository / "blobs/one", {}, {}, 1);
  write_llama_gguf(repository / "blobs/two", {}, {}, 2);
  write_file(repository / "blobs/three.incomplete", "");
  write_file(repository / "refs/main", "r2");
  const auto link = [&](const std::string& blob, const std::string& revision) {
    std::filesystem::create_symlink("../../blobs/" + blob,
                                    repository / ("snapshots/" + revision) / "m.gguf");
  };
  link("one", "r1");
  link("two", "r2");
  link("three", "r3");  // leads nowhere yet
  const ModelLibrary library({hub.path()});
  BOOST_TEST(library.find("m.gguf").size() == 2U);
  for (const auto& path : library.find("m.gguf"))
    BOOST_TEST(open_model(path).config.layers > 0U);
  // The folder alone: nothing but the dangling link.
  const ModelLibrary incomplete({repository / "snapshots/r3"});
  BOOST_CHECK_THROW(incomplete.find("m.gguf"), ModelError);
}

BOOST_AUTO_TEST_CASE(links_in_circles_end) {
  const Models models;
  std::filesystem::create_directory_symlink(models.folder.path(), models.folder / "a/round");
  std::filesystem::create_symlink("self", models.folder / "self");
  const ModelLibrary library({models.folder.path()});
  BOOST_TEST(only(library, "small.gguf") == models.folder / "a/b/small.gguf");
  BOOST_CHECK_EXCEPTION(library.find("self"), ModelError, says_where);
}

BOOST_AUTO_TEST_CASE(names_do_not_lead_out_of_the_folders) {
  const Models models;
  const ModelLibrary library({models.folder / "a"});
  write_file(models.folder / "outside", "x");
  for (const std::string name : {"../outside", "b/small.gguf", "..", ".", ""})
    BOOST_CHECK_THROW(library.find(name), ModelError);
}

BOOST_AUTO_TEST_CASE(what_was_not_searched_is_told) {
  const TempFolder folder;
  const ModelLibrary gone({folder / "gone"});
  BOOST_CHECK_EXCEPTION(gone.find("m"), ModelError, [](const ModelError& e) {
    return says(e, "Not searched: ") && says(e, "No such file");
  });
  std::filesystem::create_directory(folder / "many");
  for (int i = 0; i <= 50000; ++i)
    write_file(folder / ("many/" + std::to_string(i)), "");
  const ModelLibrary many({folder.path()});
  BOOST_CHECK_EXCEPTION(many.find("m"), ModelError,
                        [](const ModelError& e) { return says(e, "50000 files"); });
  // What lies in the folder itself is found all the same.
  std::string last;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "many"))
    last = entry.path().filename().string();
  BOOST_TEST(only(ModelLibrary({folder / "many"}), last) == folder / ("many/" + last));
}

BOOST_AUTO_TEST_CASE(of_two_revisions_of_a_name_the_one_with_the_right_hash_is_used) {
  const Revisions models;
  const auto node = models.node();
  for (const std::string folder : {"old", "new"}) {
    auto stage = models.stage(node, folder);
    BOOST_REQUIRE(stage.engaged());
    BOOST_TEST((hidden_of(**stage) == models.hidden(folder)), folder);
  }
  auto spec = models.spec("old");
  spec.model_hash = hash_bytes("another");
  const auto plan = plan_stage(node, spec, std::make_shared<std::atomic<bool>>(false));
  BOOST_REQUIRE(plan.engaged());
  const auto stage = plan->load();
  BOOST_REQUIRE(!stage.engaged());
  const auto why = error_text(stage.error());
  for (const std::string folder : {"old/m.gguf", "new/m.gguf", "is not the model"})
    BOOST_TEST(why.find(folder) != why.npos, why);
}

BOOST_AUTO_TEST_CASE(a_later_stage_neither_reads_nor_hashes_the_model_again) {
  const Revisions models;
  const auto node = models.node();
  const auto spec = models.spec("old");
  const auto hidden = models.hidden("old");
  BOOST_REQUIRE(models.stage(node, "old").engaged());
  BOOST_TEST(node->shards().unused().shards == 1U);
  std::filesystem::remove_all(models.folder / "old");
  // Nothing of it is there but what is in memory. Hashes are no secret: any case will do.
  for (const bool upper : {false, true}) {
    auto again = spec;
    if (upper)
      std::ranges::transform(again.model_hash, again.model_hash.begin(),
                             [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const auto plan = plan_stage(node, again, std::make_shared<std::atomic<bool>>(false));
    BOOST_REQUIRE(plan.engaged());
    BOOST_TEST(plan->vocab_size == 320U);
    const auto stage = plan->load();
    BOOST_REQUIRE(stage.engaged());
    BOOST_TEST((hidden_of(**stage) == hidden));
  }
  auto taps = spec;
  taps.taps = {100};
  BOOST_TEST(!plan_stage(node, taps, std::make_shared<std::atomic<bool>>(false)).engaged());
}

BOOST_AUTO_TEST_CASE(a_stage_claims_its_weights_once_for_all_and_its_scratch_memory_for_itself) {
  const Revisions models;
  const auto node = models.node();
  BOOST_TEST(node->memory().promised() == 0U);
  std::uint64_t weights = 0;
  {
    // The loader stands for the stage, which keeps it.
    const auto given_up = std::make_shared<std::atomic<bool>>(false);
    const auto first = plan_stage(node, models.spec("old"), given_up);
    const auto of_one = node->memory().promised();
    const auto second = plan_stage(node, models.spec("old"), given_up);
    BOOST_REQUIRE((first.engaged() && second.engaged()));
    const auto scratch = node->memory().promised() - of_one;
    BOOST_TEST(scratch > 0U);
    BOOST_TEST(scratch < of_one);
    weights = of_one - scratch;
    BOOST_REQUIRE(first->load().engaged());
    BOOST_REQUIRE(second->load().engaged());
    BOOST_TEST(node->shards().unused().shards == 0U);
  }
  // What is kept is counted still.
  BOOST_TEST(node->memory().promised() == weights);
  BOOST_TEST(node->shards().unused().bytes == weights);
}

BOOST_AUTO_TEST_CASE(a_node_that_keeps_nothing_reads_again) {
  const Revisions models;
  const auto node = models.node(std::chrono::minutes(0));
  const auto spec = models.spec("old");
  BOOST_REQUIRE(models.stage(node, "old").engaged());
  BOOST_TEST(node->memory().promised() == 0U);
  std::filesystem::remove_all(models.folder / "old");
  std::filesystem::remove_all(models.folder / "new");
  BOOST_TEST(!plan_stage(node, spec, std::make_shared<std::atomic<bool>>(false)).engaged());
}

// Where the CPU has AVX-512 the two differ.
BOOST_AUTO_TEST_CASE(a_stage_multiplies_as_the_run_has_agreed) {
  const TempFolder folder;
  constexpr TensorType f32 = TensorType::f32;
  // Sums are long enough to be divided.
  const LlamaShape shape{.hidden_size = 512, .layers = 1, .heads = 8, .ffn_size = 2048};
  write_llama_gguf(folder / "m.gguf", shape, {f32, f32, f32}, 3);
  const GgufFile file = GgufFile::open(folder / "m.gguf");
  const ModelConfig config = read_config(file);
  NodeOptions options;
  options.models = {folder.path()};
  const auto node = std::make_shared<Node>(options);
  StageSpec spec;
  spec.end_layer = config.layers;
  spec.model_file = "m.gguf";
  spec.model_hash = hash_file(folder / "m.gguf");
  for (const auto& [numerics, form] :
       {std::pair(own_numerics(node->numerics()), LinearForm::packed),
        std::pair(node->numerics(), LinearForm::automatic)}) {
    spec.numerics = numerics;
    const auto plan = plan_stage(node, spec, std::make_shared<std::atomic<bool>>(false));
    BOOST_REQUIRE(plan.engaged());
    const auto stage = plan->load();
    BOOST_REQUIRE(stage.engaged());
    CpuStageModel expected(file, config,
                           {{0, config.layers}, 1, spec.max_rows, spec.kv_type, form});
    BOOST_TEST((hidden_of(**stage) == hidden_of(expected)), numerics);
  }
  // The id says how hidden states are rounded; both have to say the same.
  spec.hidden_type = HiddenType::bf16;
  const auto given_up = std::make_shared<std::atomic<bool>>(false);
  BOOST_TEST(!plan_stage(node, spec, given_up).engaged());
  spec.numerics = with_hidden_type(node->numerics(), spec.hidden_type);
  const auto plan = plan_stage(node, spec, given_up);
  BOOST_REQUIRE(plan.engaged());
  const auto stage = plan->load();
  BOOST_REQUIRE(stage.engaged());
  StageOptions options_there{.layers = {0, config.layers}, .max_rows = spec.max_rows};
  options_there.hidden_type = HiddenType::bf16;
  CpuStageModel expected(file, config, options_there);
  BOOST_TEST((hidden_of(**stage) == hidden_of(expected)));
}
