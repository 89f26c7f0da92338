#include "actors/stage_plan.hpp"

#include <algorithm>
#include <stdexcept>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/machine.hpp"
#include "actors/node.hpp"
#include "actors/text_error.hpp"
#include "models/error.hpp"
#include "models/layers/stage_model.hpp"
#include "models/numerics.hpp"
#include "models/open_model.hpp"

namespace flowspec {

namespace {

void check_agreement(const StageSpec& spec) {
  if (spec.protocol != protocol_version)
    throw ModelError(fmt::format("speaks protocol version {}, the coordinator speaks {}",
                                 protocol_version, spec.protocol));
  if (auto own = numerics_id(); spec.numerics != own)
    throw ModelError(
        fmt::format("computes with numerics {}, the coordinator with {}: the text would depend on "
                    "where the layers lie",
                    own, spec.numerics));
}

void check_fit(const StageSpec& spec, const OpenModel& model) {
  auto path = model.files->path().string();
  if (spec.first_layer >= spec.end_layer || spec.end_layer > model.config.layers)
    throw ModelError(fmt::format("{} has {} layers, there are no layers {} to {}", path,
                                 model.config.layers, spec.first_layer, spec.end_layer));
  auto needed =
      StageModel::stored_bytes(*model.files, model.config, {spec.first_layer, spec.end_layer});
  auto memory = machine_memory();
  if (memory.free != 0 && needed > memory.free)
    throw ModelError(
        fmt::format("layers {} to {} of {} do not fit: they need {} MiB of memory, {} MiB are free",
                    spec.first_layer, spec.end_layer, path, needed >> 20, memory.free >> 20));
}

struct Loading {
  std::shared_ptr<Node> node;
  StageSpec spec;
  OpenModel model;
  std::shared_ptr<const std::atomic<bool>> given_up;

  std::unique_ptr<StageModel> run() const {
    auto stop_if_unwanted = [this](std::uint64_t, std::uint64_t) {
      if (*given_up || node->closed())
        throw ModelError("stopped loading");
    };
    auto hash = node->library().hash(*model.files, stop_if_unwanted);
    if (!std::ranges::equal(hash, spec.model_hash,
                            [](char a, char b) { return std::tolower(a) == std::tolower(b); }))
      throw ModelError(
          fmt::format("{} is not the model that the coordinator has: its hash is {}, not {}",
                      model.files->path().string(), hash, spec.model_hash));
    StageOptions options{{spec.first_layer, spec.end_layer},
                         std::min(spec.threads, node->options().threads),
                         spec.max_rows,
                         spec.kv_type};
    auto stage =
        std::make_unique<StageModel>(*model.files, model.config, options, stop_if_unwanted);
    for (const std::string& kernel : stage->unexpected_kernels())
      spdlog::warn("slow, or not known to be exact: {}", kernel);
    return stage;
  }
};

/// Runs `work`; what it throws becomes an error that names the node.
template <class Work>
auto guarded(const Node& node, const Work& work) -> caf::expected<decltype(work())> {
  try {
    return work();
  } catch (const std::exception& e) {
    return text_error(fmt::format("node {}: {}", node.options().name, e.what()));
  }
}

}  // namespace

caf::expected<StagePlan> plan_stage(const std::shared_ptr<Node>& node, const StageSpec& spec,
                                    std::shared_ptr<const std::atomic<bool>> given_up) {
  return guarded(*node, [&]() -> StagePlan {
    check_agreement(spec);
    auto model = open_model(node->library().find(spec.model_file));
    check_fit(spec, model);
    auto vocab_size = model.config.vocab_size;
    auto loading =
        std::make_shared<const Loading>(Loading{node, spec, std::move(model), std::move(given_up)});
    return {vocab_size,
            [loading] { return guarded(*loading->node, [&] { return loading->run(); }); }};
  });
}

}  // namespace flowspec
