#include "actors/cluster/stage_plan.hpp"

#include <algorithm>
#include <cctype>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/node.hpp"
#include "actors/support/text_error.hpp"
#include "messages/limits.hpp"
#include "models/base/error.hpp"
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

void check_layers(const StageSpec& spec, const OpenModel& model) {
  if (spec.first_layer >= spec.end_layer || spec.end_layer > model.config.layers)
    throw ModelError(fmt::format("{} has {} layers, there are no layers {} to {}",
                                 model.files->path().string(), model.config.layers,
                                 spec.first_layer, spec.end_layer));
  if (!spec.taps.empty() && spec.taps.back() > model.config.layers)
    throw ModelError(fmt::format("{} has {} layers, the draft cannot read what enters layer {}",
                                 model.files->path().string(), model.config.layers,
                                 spec.taps.back()));
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

/// Claims enough memory for any of the candidates.
std::shared_ptr<MemoryLedger::Claim> claim_memory(const Node& node, const StageSpec& spec,
                                                  const std::vector<OpenModel>& candidates) {
  std::uint64_t needed = 0;
  for (const OpenModel& model : candidates)
    needed = std::max(needed,
                      StageModel::needed_bytes(*model.files, model.config,
                                               {spec.first_layer, spec.end_layer}, spec.max_rows));
  try {
    return node.memory().claim(needed);
  } catch (const ModelError& e) {
    throw ModelError(fmt::format("layers {} to {} of {} do not fit: {}", spec.first_layer,
                                 spec.end_layer, candidates.front().files->path().string(),
                                 e.what()));
  }
}

std::size_t most_segment_bytes(const StageSpec& spec, const std::vector<OpenModel>& candidates) {
  std::uint32_t columns = 0;
  for (const OpenModel& model : candidates)
    columns = std::max(columns, model.config.hidden_size);
  return limits::message_bytes(spec.max_rows, columns);
}

/// A token has to be in the vocabulary of whichever candidate is loaded.
std::uint32_t smallest_vocabulary(const std::vector<OpenModel>& candidates) {
  auto size = candidates.front().config.vocab_size;
  for (const OpenModel& model : candidates)
    size = std::min(size, model.config.vocab_size);
  return size;
}

bool same_hash(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

struct Loading {
  std::shared_ptr<Node> node;
  StageSpec spec;
  LinearForm form;
  std::vector<OpenModel> candidates;
  std::shared_ptr<const std::atomic<bool>> given_up;
  std::shared_ptr<MemoryLedger::Claim> memory;

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

  std::unique_ptr<StageModel> run() const {
    const auto& model = choose();
    StageOptions options{{spec.first_layer, spec.end_layer},
                         std::min(spec.threads, node->options().threads),
                         spec.max_rows,
                         spec.kv_type,
                         form,
                         spec.hidden_type};
    auto stage =
        std::make_unique<StageModel>(*model.files, model.config, options,
                                     [this](std::uint64_t, std::uint64_t) { stop_if_unwanted(); });
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
    auto candidates = find_candidates(*node, spec);
    auto vocab_size = smallest_vocabulary(candidates);
    auto most_bytes = most_segment_bytes(spec, candidates);
    auto memory = claim_memory(*node, spec, candidates);
    auto loading = std::make_shared<const Loading>(
        Loading{node, spec, form, std::move(candidates), std::move(given_up), std::move(memory)});
    // The peer that asks for the stage knows which node it is.
    return {vocab_size, most_bytes, [loading] { return error_of([&] { return loading->run(); }); }};
  };
  return error_of(plan, fmt::format("node {}: ", node->options().name));
}

}  // namespace flowspec
