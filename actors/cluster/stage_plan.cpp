#include "actors/cluster/stage_plan.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <exception>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/agreement.hpp"
#include "actors/cluster/error_of.hpp"
#include "actors/cluster/model_choice.hpp"
#include "actors/cluster/node.hpp"
#include "actors/cluster/shard_store.hpp"
#include "messages/limits.hpp"
#include "models/base/error.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/shard.hpp"
#include "models/open_model.hpp"

namespace flowspec {

namespace {

void check_taps(const StageSpec& spec, const ModelConfig& config, const std::string& model) {
  if (!spec.taps.empty() && spec.taps.back() > config.layers)
    throw ModelError(fmt::format("{} has {} layers, the draft cannot read what enters layer {}",
                                 model, config.layers, spec.taps.back()));
}

void check_layers(const StageSpec& spec, const OpenModel& model) {
  const auto path = model.files->path().string();
  if (spec.first_layer >= spec.end_layer || spec.end_layer > model.config.layers)
    throw ModelError(fmt::format("{} has {} layers, there are no layers {} to {}", path,
                                 model.config.layers, spec.first_layer, spec.end_layer));
  check_taps(spec, model.config, path);
}

/// `claim`, with what does not fit in the text of its error.
template <class Claim>
auto claimed(const StageSpec& spec, const Claim& claim) {
  try {
    return claim();
  } catch (const ModelError& e) {
    throw ModelError(fmt::format("layers {} to {} of {} do not fit: {}", spec.first_layer,
                                 spec.end_layer, spec.model_file, e.what()));
  }
}

/// Enough for the weights of any of the candidates.
std::uint64_t most_weight_bytes(const StageSpec& spec, const std::vector<OpenModel>& candidates) {
  std::uint64_t needed = 0;
  for (const OpenModel& model : candidates)
    needed = std::max(needed, Shard::needed_bytes(*model.files, model.config,
                                                  {spec.first_layer, spec.end_layer}));
  return needed;
}

/// What depends on the configuration, for whichever candidate is loaded.
struct Bounds {
  std::uint32_t vocab_size = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t columns = 0;
  std::uint64_t scratch_bytes = 0;

  void include(const StageSpec& spec, const ModelConfig& config) {
    // A token has to be in the vocabulary of each.
    vocab_size = std::min(vocab_size, config.vocab_size);
    columns = std::max(columns, config.hidden_size);
    scratch_bytes = std::max(scratch_bytes, CpuStageModel::scratch_bytes(config, spec.max_rows));
  }
};

ShardKey key_of(const Node& node, const StageSpec& spec, LinearForm form) {
  auto hash = spec.model_hash;
  std::ranges::transform(hash, hash.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return {hash,
          {spec.first_layer, spec.end_layer},
          form,
          form == LinearForm::packed ? 0 : node.threads(spec.threads)};
}

struct Loading {
  std::shared_ptr<Node> node;
  StageSpec spec;
  LinearForm form;
  /// Empty if the weights are in memory.
  std::vector<OpenModel> candidates;
  std::shared_ptr<const std::atomic<bool>> given_up;
  std::shared_ptr<ShardStore::Share> share;
  std::shared_ptr<MemoryLedger::Claim> scratch;

  void stop_if_unwanted() const {
    if (*given_up || node->closed())
      throw ModelError("stopped loading");
  }

  std::shared_ptr<const Shard> load() const {
    const auto& model =
        choose_model(node->library(), candidates, spec.model_hash, [this] { stop_if_unwanted(); });
    const auto start = std::chrono::steady_clock::now();
    auto shard = std::make_shared<const Shard>(
        *model.files, model.config,
        ShardOptions{{spec.first_layer, spec.end_layer}, node->threads(spec.threads), form},
        [this](std::uint64_t, std::uint64_t) { stop_if_unwanted(); });
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    spdlog::info("stage {}: its weights are loaded, in {:.2f} s", spec.stage, time.count());
    return shard;
  }

  std::unique_ptr<StageModel> run() const {
    bool has_loaded = false;
    auto shard = share->get(
        [&] {
          has_loaded = true;
          return load();
        },
        [this] { stop_if_unwanted(); });
    if (!has_loaded)
      spdlog::info("stage {}: its weights are in memory already", spec.stage);
    StageOptions options{{spec.first_layer, spec.end_layer},
                         node->threads(spec.threads),
                         spec.max_rows,
                         spec.kv_type,
                         form,
                         spec.hidden_type};
    auto stage = std::make_unique<CpuStageModel>(std::move(shard), options);
    for (const std::string& kernel : stage->unexpected_kernels())
      spdlog::warn("slow, or not known to be exact: {}", kernel);
    return stage;
  }
};

}  // namespace

caf::expected<StagePlan> plan_stage(const std::shared_ptr<Node>& node, const StageSpec& spec,
                                    std::shared_ptr<const std::atomic<bool>> given_up) {
  auto plan = [&]() -> StagePlan {
    auto form = check_agreement(*node, spec.protocol, spec.numerics, spec.hidden_type);
    const auto key = key_of(*node, spec, form);
    std::vector<OpenModel> candidates;
    Bounds bounds;
    auto share = node->shards().find(key);
    if (share) {
      const auto& config = share->loaded()->config();
      check_taps(spec, config, spec.model_file);
      bounds.include(spec, config);
    } else {
      candidates = find_models(node->library(), spec.model_file,
                               [&](const OpenModel& model) { check_layers(spec, model); });
      for (const OpenModel& model : candidates)
        bounds.include(spec, model.config);
      const auto bytes = most_weight_bytes(spec, candidates);
      share = claimed(spec, [&] { return node->shards().share(key, bytes); });
    }
    auto scratch = claimed(spec, [&] { return node->memory().claim(bounds.scratch_bytes); });
    auto loading = std::make_shared<const Loading>(Loading{node, spec, form, std::move(candidates),
                                                           std::move(given_up), std::move(share),
                                                           std::move(scratch)});
    // The peer that asks for the stage knows which node it is.
    return {bounds.vocab_size, limits::message_bytes(spec.max_rows, bounds.columns),
            [loading] { return error_of([&] { return loading->run(); }); }};
  };
  return error_of(plan, fmt::format("node {}: ", node->options().name));
}

}  // namespace flowspec
