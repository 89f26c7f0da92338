// Loading stages from files, and the small-LM draft.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "models/base/aligned_floats.hpp"
#include "models/config/config.hpp"
#include "models/drafts/small_lm.hpp"
#include "models/formats/gguf.hpp"
#include "models/formats/hf_folder.hpp"
#include "models/kv/host_kv_cache.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"
#include "models/open_model.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/tree_run.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

BOOST_AUTO_TEST_CASE(unfit_tensors_are_named) {
  const TempFolder folder;
  const std::filesystem::path path = folder / "model.gguf";
  write_llama_gguf(path, {}, {}, 1);
  const GgufFile file = GgufFile::open(path);
  const ModelConfig config = read_config(file);
  const auto load = [&](const ModelConfig& c, LayerRange range) {
    return [&file, c, range] { const CpuStageModel model(file, c, {range}); };
  };
  ModelConfig wrong = config;
  wrong.ffn_size += 1;
  check_error(load(wrong, {0, 2}), {path.string(), "blk.0.ffn_gate.weight", "96", "97"});
  wrong = config;
  wrong.vocab_size += 1;
  check_error(load(wrong, {0, 2}), {path.string(), "token_embd.weight"});
  check_error([&] { const LmHead head(file, wrong, 1, 8); }, {path.string(), "output.weight"});
  wrong = config;
  wrong.layers = 3;
  check_error(load(wrong, {2, 3}), {path.string(), "blk.2.attn_norm.weight", "missing"});
  check_error(load(config, {1, 3}), {path.string(), "1 to 3", "2"});
  check_error(load(config, {0, 0}), {path.string(), "0 to 0"});
  check_error(load(config, {2, 1}), {path.string(), "2 to 1"});
}

BOOST_AUTO_TEST_CASE(a_stage_without_layers_passes_hidden_states_on) {
  const TempFolder folder;
  const std::filesystem::path path = folder / "model.gguf";
  write_llama_gguf(path, {}, {}, 1);
  const GgufFile file = GgufFile::open(path);
  CpuStageModel stage(file, read_config(file), {{1, 1}});
  const auto cache = stage.make_cache(4);
  const std::vector<Slot> tail{0};
  const std::vector<RowContext> rows{{cache.get(), 0, 0, {}, tail}};
  std::vector<float> hidden(stage.hidden_size());
  std::iota(hidden.begin(), hidden.end(), -3.0F);
  std::vector<float> out(hidden.size());
  stage.forward(hidden, rows, out);
  BOOST_TEST(out == hidden, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tensors_that_nobody_reads_are_refused) {
  const auto check = [](const std::string& architecture, const std::string& tensor,
                        std::uint32_t size) {
    const TempFolder folder;
    GgufWriter writer = make_llama({.architecture = architecture}, {}, 1);
    writer.add_tensor(tensor, TensorType::f32, {size}, std::vector<float>(size));
    writer.write(folder / "model.gguf");
    check_error([&] { open_model(folder / "model.gguf"); },
                {"'" + tensor + "'", "not supported", "'" + architecture + "'"});
  };
  for (const std::string tensor :
       {"blk.1.attn_k_norm.weight", "blk.0.attn_q.scale", "blk.0.ffn_up.input_scale",
        "blk.0.attn_norm_2.weight", "blk.1.post_attention_norm.weight", "blk.1.attn_sinks.weight",
        "blk.0.ffn_gate_inp.weight", "blk.0.attn_qkv.weight", "blk.0.attn_norm.bias",
        "output_norm.bias", "position_embd.weight", "token_embd_norm.weight", "output.bias",
        "blk.2.attn_q.weight", "blk.1.attn_output.bias", "anything"})
    check("llama", tensor, 64);
  check("qwen2", "output.bias", 320);
  check("qwen3", "blk.1.attn_v.bias", 32);

  // Frequencies of RoPE follow from the configuration.
  const TempFolder folder;
  write_llama_gguf(folder / "model.gguf", {}, {}, 1);
  HfWriter writer(GgufFile::open(folder / "model.gguf"));
  const HfWriter::Tensor one{TensorType::f32, {1}, std::string(4, '\0')};
  writer.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = one;
  writer.write(folder / "hf", 2);
  open_model(folder / "hf");
  for (const std::string tensor :
       {"lm_head.bias", "model.norm.bias", "model.layers.0.self_attn.q_proj.weight_scale",
        "model.layers.0.post_feedforward_layernorm.weight", "model.layers.1.mlp.gate.weight",
        "model.layers.0.self_attn.q_proj.lora_A.weight", "model.layers.2.input_layernorm.weight",
        "model.layers.0.self_attn.q_proj.bias", "model.layers.0.mlp.up_proj.bias"}) {
    HfWriter more = writer;
    more.tensors[tensor] = one;
    for (const std::size_t shards : {1U, 2U}) {
      more.write(folder / (tensor + std::to_string(shards)), shards);
      check_error([&] { open_model(folder / (tensor + std::to_string(shards))); },
                  {"'" + tensor + "'", "not supported"});
    }
  }
}

BOOST_AUTO_TEST_CASE(fewer_layers_than_the_file_has_are_refused) {
  const TempFolder folder;
  write_llama_gguf(folder / "model.gguf", {}, {}, 1);
  HfWriter writer(GgufFile::open(folder / "model.gguf"));
  writer.config["num_hidden_layers"] = "1";
  writer.write(folder / "hf");
  check_error([&] { open_model(folder / "hf"); }, {"model.layers.1.", "with 1 layers"});
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_told_when_a_model_is_opened) {
  const TempFolder folder;
  write_llama_gguf(folder / "model.gguf", {}, {}, 1);
  HfWriter writer(GgufFile::open(folder / "model.gguf"));
  writer.tensors.erase("model.layers.1.mlp.up_proj.weight");
  writer.write(folder / "hf");
  check_error([&] { open_model(folder / "hf"); }, {"model.layers.1.mlp.up_proj.weight", "missing"});
  GgufWriter other = make_llama({.layers = 1}, {}, 1);
  other.add_raw_tensor("other.weight", 41, {1}, std::string(32, ' '));
  other.write(folder / "other.gguf");
  check_error([&] { GgufFile::open(folder / "other.gguf").require("other.weight", {1}); },
              {"is stored as type 41, supported are"});
}

BOOST_AUTO_TEST_CASE(biases_and_norms_of_an_architecture_have_to_be_there) {
  const auto check = [](const std::string& architecture, const std::string& tensor) {
    const TempFolder folder;
    write_llama_gguf(folder / "model.gguf", {}, {}, 1);
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    ModelConfig config = read_config(file);
    config.qkv_bias = architecture == "qwen2";
    config.qk_norm = architecture == "qwen3";
    check_error([&] { const CpuStageModel model(file, config, {{1, 2}}); }, {tensor, "missing"});
  };
  check("qwen2", "'blk.1.attn_q.bias' of shape [64]");
  check("qwen3", "'blk.1.attn_q_norm.weight' of shape [16]");
}

BOOST_AUTO_TEST_CASE(progress_counts_the_bytes_of_the_stage) {
  const TempFolder folder;
  LlamaShape shape;
  shape.layers = 4;
  write_llama_gguf(folder / "model.gguf", shape, {}, 1);
  const GgufFile file = GgufFile::open(folder / "model.gguf");
  std::uint64_t expected = 0;
  for (const TensorInfo& tensor : file.tensors())
    if (tensor.name.starts_with("blk.1.") || tensor.name.starts_with("blk.2."))
      expected += tensor.data.size();
  std::vector<std::uint64_t> steps;
  const CpuStageModel model(file, read_config(file), {{1, 3}},
                            [&](std::uint64_t done, std::uint64_t total) {
                              BOOST_TEST(total == expected);
                              steps.push_back(done);
                            });
  BOOST_TEST(steps.size() >= 2U);
  BOOST_TEST(std::is_sorted(steps.begin(), steps.end()));
  BOOST_TEST(steps.back() == expected);
  const auto bytes = [&file](LayerRange range) {
    return CpuStageModel::stored_bytes(file, read_config(file), range);
  };
  BOOST_TEST(bytes({1, 3}) == expected);
  BOOST_TEST(bytes({0, 3}) - bytes({1, 3}) - bytes({3, 4}) ==
             file.find("token_embd.weight")->data.size());
}

/// The whole pages of a tensor may not be read while this lives: whoever does so crashes.
class Locked {
 public:
  explicit Locked(const TensorInfo& tensor) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto from = reinterpret_cast<std::uintptr_t>(tensor.data.data());
    const std::uintptr_t begin = (from + page - 1) / page * page;
    begin_ = reinterpret_cast<void*>(begin);
    size_ = (from + tensor.data.size()) / page * page - begin;
    BOOST_TEST_REQUIRE(::mprotect(begin_, size_, PROT_NONE) == 0);
  }
  ~Locked() { ::mprotect(begin_, size_, PROT_READ); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  void* begin_;
  std::size_t size_;
};

/// How many of the whole pages in [begin, end) this process has in memory; nothing if the system
/// does not tell.
std::optional<std::size_t> resident_pages(std::uintptr_t begin, std::uintptr_t end) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t first = (begin + page - 1) / page;
  std::vector<std::uint64_t> entries(end / page - first);
  const int map = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (map < 0)
    return std::nullopt;
  const std::size_t size = entries.size() * sizeof(std::uint64_t);
  const ssize_t got = ::pread(map, entries.data(), size, static_cast<off_t>(first * 8));
  ::close(map);
  if (got != static_cast<ssize_t>(size))
    return std::nullopt;
  return static_cast<std::size_t>(
      std::ranges::count_if(entries, [](std::uint64_t entry) { return (entry >> 63) != 0; }));
}

/// The same of a tensor, without the pages at its ends.
std::optional<std::size_t> resident_pages(const TensorInfo& tensor) {
  // The system maps up to 2 MiB around a page that is read.
  constexpr std::size_t margin = std::size_t{2} << 20;
  const auto begin = reinterpret_cast<std::uintptr_t>(tensor.data.data());
  return resident_pages(begin + margin, begin + tensor.data.size() - margin);
}

/// Loads layer 1 of 3 while nobody may read the others.
void check_pages(const ModelFiles& files, const ModelConfig& config,
                 LoadType type = LoadType::as_is) {
  const Locked before(*files.find("blk.0.ffn_up.weight"));
  const Locked after(*files.find("blk.2.ffn_up.weight"));
  const CpuStageModel model(files, config, {.layers = {1, 2}, .load_type = type});
  const auto left = resident_pages(*files.find("blk.1.ffn_up.weight"));
  if (!left) {
    BOOST_TEST_MESSAGE("skipped: the system does not tell which pages are in memory");
    return;
  }
  BOOST_TEST(*left == 0U,
             "weights lie in memory twice: " << *left << " pages of the file are left");
}

BOOST_AUTO_TEST_CASE(what_happens_to_the_file_later_changes_nothing) {
  const TempFolder folder;
  write_llama_gguf(folder / "model.gguf", {}, {}, 1);
  std::mt19937 random(2);
  const std::vector<TestTree> trees{random_tree(random, 320, 10, 0)};
  const auto run = [&trees](std::vector<CpuStageModel>& stages) {
    return run_plan(stages, trees, plain_plan(trees, 64));
  };
  std::vector<CpuStageModel> stages;
  {
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    stages.emplace_back(file, read_config(file), StageOptions{{0, 2}});
  }
  const Hidden before = run(stages);
  // In place: the same file, cut to nothing.
  std::filesystem::resize_file(folder / "model.gguf", 1);
  BOOST_TEST((run(stages) == before));
}

BOOST_AUTO_TEST_CASE(a_file_that_changes_while_it_is_read_is_told) {
  const TempFolder folder;
  const std::filesystem::path path = folder / "model.gguf";
  write_llama_gguf(path, {}, {}, 1);
  const GgufFile file = GgufFile::open(path);
  const ModelConfig config = read_config(file);
  const auto change = [&path](std::uint64_t, std::uint64_t) {
    std::fstream(path, std::ios::in | std::ios::out | std::ios::binary) << "GGUF";
    std::filesystem::last_write_time(
        path, std::filesystem::file_time_type::clock::now() + std::chrono::seconds(2));
  };
  check_error(
      [&] {
        const CpuStageModel model(file, config, {{0, 2}}, change);
      },
      {path.string(), "was changed while it was read"});
  check_error([&] { const LmHead head(file, config, 1, 8); }, {"was changed while it was read"});
  // Another file under its name.
  write_llama_gguf(path, {}, {}, 1);
  const GgufFile second = GgufFile::open(path);
  write_llama_gguf(path, {}, {}, 1);
  check_error(
      [&] {
        const CpuStageModel model(second, config, {{0, 2}});
      },
      {"was changed while it was read"});
}

BOOST_AUTO_TEST_CASE(huge_pages_take_no_memory_behind_the_end) {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  constexpr std::size_t count = (huge_page + huge_page / 8) / sizeof(float);
  const AlignedFloats memory = allocate_floats(count, true);
  std::fill_n(memory.get(), count, 1.0F);
  // Up to the next huge page, less what the allocator writes there.
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.get());
  const auto left = resident_pages(begin + count * sizeof(float), begin + 2 * huge_page - 4096);
  if (!left) {
    BOOST_TEST_MESSAGE("skipped: the system does not tell which pages are in memory");
    return;
  }
  BOOST_TEST(*left == 0U);
}

BOOST_AUTO_TEST_CASE(five_bit_integers_need_bytes_and_other_types_what_they_take_in_the_file) {
  const auto needed = [](TensorType type) {
    const TempFolder folder;
    LlamaShape shape;
    shape.hidden_size = 256;
    shape.ffn_size = 512;
    write_llama_gguf(folder / "model.gguf", shape, {type, type, type}, 1);
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    const ModelConfig config = read_config(file);
    const auto all = CpuStageModel::needed_bytes(file, config, {0, 2}, 8);
    const auto stored = CpuStageModel::stored_bytes(file, config, {1, 2});
    const auto scratch = all - CpuStageModel::needed_bytes(file, config, {0, 2}, 0);
    const auto layer = CpuStageModel::needed_bytes(file, config, {1, 2}, 0);
    BOOST_TEST(all == CpuStageModel::needed_bytes(file, config, {0, 1}, 0) + layer + scratch);
    BOOST_TEST(LmHead::needed_bytes(file, config, 8) > file.find("output.weight")->data.size());
    return std::pair(static_cast<double>(layer) / static_cast<double>(stored), layer);
  };
  BOOST_TEST(needed(TensorType::q5_0).first > 1.5);
  BOOST_TEST(needed(TensorType::q5_1).first > 1.45);
  // Their panels are the same.
  BOOST_TEST(needed(TensorType::q5_0).second == needed(TensorType::q8_0).second);
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0,
                                TensorType::q4_0, TensorType::q4_1, TensorType::q6_k}) {
    BOOST_TEST(needed(type).first >= 1);
    BOOST_TEST(needed(type).first < 1.01);
  }
}

BOOST_AUTO_TEST_CASE(a_stage_reads_only_its_own_layers_and_keeps_them_once) {
  const TempFolder folder;
  LlamaShape shape;
  shape.hidden_size = 256;
  shape.layers = 3;
  shape.ffn_size = 6144;
  write_llama_gguf(folder / "model.gguf", shape, {}, 1);
  const GgufFile file = GgufFile::open(folder / "model.gguf");
  check_pages(file, read_config(file));
  check_pages(file, read_config(file), LoadType::q8_0);
  const HfWriter writer(file);
  for (const std::size_t shards : {1U, 3U}) {
    const std::string name = std::to_string(shards);
    writer.write(folder / name, shards);
    const HfFolder files = HfFolder::open(folder / name);
    check_pages(files, read_config(files));
  }
}

BOOST_AUTO_TEST_CASE(caches_take_what_they_say) {
  const TempFolder folder;
  write_llama_gguf(folder / "model.gguf", {}, {}, 1);
  const GgufFile file = GgufFile::open(folder / "model.gguf");
  const CpuStageModel model(file, read_config(file), {{0, 2}});
  const auto cache = model.make_cache(100);
  BOOST_TEST(cache->slots() == 100U);
  BOOST_TEST(cache->layers() == 2U);
  BOOST_TEST(cache->bytes() == model.cache_bytes(100));
  BOOST_TEST(cache->bytes() == 2U * 2 * 100 * 2 * 16 * sizeof(float));
  const CpuStageModel halves(file, read_config(file), {.layers = {0, 2}, .kv_type = KvType::f16});
  BOOST_TEST(halves.make_cache(100)->bytes() == cache->bytes() / 2);
  BOOST_TEST(halves.cache_bytes(100) == cache->bytes() / 2);
  BOOST_CHECK_THROW(HostKvCache(1U << 31, 1U << 16, 1U << 16, 1U << 31), std::bad_alloc);
}

BOOST_AUTO_TEST_CASE(a_small_lm_may_have_other_numbers_of_tokens_than_its_target) {
  const TempFolder folder;
  write_llama_gguf(folder / "model.gguf", {}, {}, 1);
  const GgufFile file = GgufFile::open(folder / "model.gguf");
  const ModelConfig config = read_config(file);
  const auto candidates = [&](std::uint32_t target_vocab_size, Token token) {
    SmallLm draft(file, config, 1, 4, {}, KvType::f32, target_vocab_size);
    const auto cache = draft.make_cache(1);
    const std::vector<Slot> slots{0};
    const DraftRow row{token, {cache.get(), 0, 0, {}, slots}, {}, {}};
    std::vector<Candidate> found(config.vocab_size);
    draft.forward({&row, 1}, {}, config.vocab_size, found, {});
    return found;
  };
  const auto count = [](const std::vector<Candidate>& found) {
    return std::ranges::count_if(found, [](const Candidate& c) { return c.token >= 0; });
  };
  // A smaller target: tokens behind its last one are not proposed.
  for (const Candidate& candidate : candidates(310, 5))
    BOOST_TEST(candidate.token < 310);
  BOOST_TEST(count(candidates(310, 5)) == 310);
  BOOST_TEST(count(candidates(0, 5)) == config.vocab_size);
  // A larger one: its further tokens are read as some other.
  const auto behind = candidates(1000, static_cast<Token>(config.vocab_size) + 90);
  const auto first = candidates(1000, 0);
  BOOST_TEST(count(behind) == config.vocab_size);
  for (std::size_t i = 0; i < behind.size(); ++i)
    BOOST_TEST(behind[i].token == first[i].token);
}

BOOST_AUTO_TEST_CASE(small_lm_proposes_the_likeliest_tokens) {
  const TempFolder folder;
  write_llama_gguf(folder / "model.gguf", {}, {}, 1);
  const GgufFile file = GgufFile::open(folder / "model.gguf");
  const ModelConfig config = read_config(file);
  std::vector<CpuStageModel> stages;
  stages.emplace_back(file, config, StageOptions{{0, config.layers}});
  LmHead head(file, config, 1, 64);
  SmallLm draft(file, config, 1, 4);
  BOOST_TEST(draft.feature_size() == 0U);
  BOOST_TEST(draft.max_rows() == 4U);

  std::mt19937 random(2);
  const std::vector<TestTree> trees{random_tree(random, config.vocab_size, 10, 0)};
  const Hidden hidden = run_plan(stages, trees, plain_plan(trees, 64));
  const auto cache = draft.make_cache(10);
  std::vector<Slot> slots(10);
  std::iota(slots.begin(), slots.end(), Slot{0});
  std::vector<DraftRow> rows;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::span<const Slot> path(slots.data(), i + 1);
    rows.push_back({trees[0].tokens[i],
                    {cache.get(), static_cast<Position>(i), slots[i], path.first(i), path.last(1)},
                    {},
                    {}});
  }
  // The first rows only fill the cache; the others ask for more than the vocabulary has.
  const std::size_t top_k = config.vocab_size + 2;
  draft.forward(std::span(rows).first(3), {}, 0, {}, {});
  std::vector<Candidate> candidates(7 * top_k);
  draft.forward(std::span(rows).subspan(3), {}, static_cast<std::uint32_t>(top_k), candidates, {});
  for (std::size_t i = 0; i < 7; ++i) {
    std::vector<float> row = hidden[0][i + 3];
    std::vector<float> logits(config.vocab_size);
    head.features(row, 1, row);
    head.logits(row, 1, logits);
    std::vector<Candidate> expected(config.vocab_size);
    best_candidates(logits, expected.size(), {}, expected);
    expected.resize(top_k, Candidate{-1, 0});
    const auto begin = candidates.begin() + static_cast<std::ptrdiff_t>(i * top_k);
    BOOST_TEST(std::equal(expected.begin(), expected.end(), begin));
  }
}

}  // namespace
