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

#include "actors/cluster/node.hpp"
#include "actors/cluster/shard_store.hpp"
#include "actors/support/text_error.hpp"
#include "messages/limits.hpp"
#include "models/base/error.hpp"
#include "models/layers/shard.hpp"
#include "models/layers/stage_model.hpp"
#include "models/model_hash.hpp"
#include "models/numerics.hpp"
#include "models/open_model.hpp"

namespace flowspec {

namespace {

/// Checks protocol and numerics; returns how the stage multiplies.
LinearForm check_agreement(const Node& node, const StageSpec& spec) {
  if (spec.protocol != protocol_version)
    throw ModelError(fmt::format("speaks protocol version {}, the coordinator speaks {}",
                                 protocol_version, spec.protocol));
  auto own = with_hidden_type(node.numerics(), spec.hidden_type);
  auto form = form_of_numerics(spec.numerics, own);
  if (!form)
    throw ModelError(
        fmt::format("computes with numerics {}, the coordinator with {}: the text would depend on "
                    "where the layers lie",
                    own, spec.numerics));
  return *form;
}

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

/// The models with that name that the stage could be made from. If there are none, throws the error
/// of the first.
std::vector<OpenModel> find_candidates(const Node& node, const StageSpec& spec) {
  std::vector<OpenModel> candidates;
  std::exception_ptr first;
  for (const auto& path : node.library().find(spec.model_file)) {
    try {
      auto model = open_model(path);
      check_layers(spec, model);
      candidates.push_back(std::move(model));
    } catch (const ModelError&) {
      if (!first)
        first = std::current_exception();
    }
  }
  if (candidates.empty())
    std::rethrow_exception(first);
  return candidates;
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
    scratch_bytes = std::max(scratch_bytes, StageModel::scratch_bytes(config, spec.max_rows));
  }
};

bool same_hash(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

unsigned threads_of(const Node& node, const StageSpec& spec) {
  return std::max(std::min(spec.threads, node.options().threads), 1U);
}

ShardKey key_of(const Node& node, const StageSpec& spec, LinearForm form) {
  auto hash = spec.model_hash;
  std::ranges::transform(hash, hash.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return {hash,
          {spec.first_layer, spec.end_layer},
          form,
          form == LinearForm::packed ? 0 : threads_of(node, spec)};
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

  /// The candidate with the coordinator's hash.
  const OpenModel& choose() const {
    std::vector<std::string> others;
    for (const OpenModel& model : candidates) {
      try {
        auto hash = node->library().hash(
            *model.files, [this](std::uint64_t, std::uint64_t) { stop_if_unwanted(); });
        if (same_hash(hash, spec.model_hash))
          return model;
        others.push_back(
            fmt::format("{} is not the model that the coordinator has: its hash is {}, not {}",
                        model.files->path().string(), hash, spec.model_hash));
      } catch (const ModelError& e) {
        stop_if_unwanted();
        others.emplace_back(e.what());
      }
    }
    throw ModelError(fmt::format("{}", fmt::join(others, "; ")));
  }

  std::shared_ptr<const Shard> load() const {
    const auto& model = choose();
    const auto start = std::chrono::steady_clock::now();
    auto shard = std::make_shared<const Shard>(
        *model.files, model.config,
        ShardOptions{{spec.first_layer, spec.end_layer}, threads_of(*node, spec), form},
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
                         threads_of(*node, spec),
                         spec.max_rows,
                         spec.kv_type,
                         form,
                         spec.hidden_type};
    auto stage = std::make_unique<StageModel>(std::move(shard), options);
    for (const std::string& kernel : stage->unexpected_kernels())
      spdlog::warn("slow, or not known to be exact: {}", kernel);
    return stage;
  }
};

/// Runs `work`; an exception becomes an error.
template <class Work>
auto error_of(const Work& work, const std::string& prefix = {}) -> caf::expected<decltype(work())> {
  try {
    return work();
  } catch (const std::exception& e) {
    return text_error(ErrorCode::does_not_fit, prefix + e.what());
  }
}

}  // namespace

caf::expected<StagePlan> plan_stage(const std::shared_ptr<Node>& node, const StageSpec& spec,
                                    std::shared_ptr<const std::atomic<bool>> given_up) {
  auto plan = [&]() -> StagePlan {
    auto form = check_agreement(*node, spec);
    const auto key = key_of(*node, spec, form);
    std::vector<OpenModel> candidates;
    Bounds bounds;
    auto share = node->shards().find(key);
    if (share) {
      const auto& config = share->loaded()->config();
      check_taps(spec, config, spec.model_file);
      bounds.include(spec, config);
    } else {
      candidates = find_candidates(*node, spec);
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
