#include "actors/cluster/part_plan.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/cluster/agreement.hpp"
#include "actors/cluster/error_of.hpp"
#include "actors/cluster/model_choice.hpp"
#include "actors/cluster/node.hpp"
#include "actors/policy/modes/modes.hpp"
#include "actors/policy/user_draft_memory.hpp"
#include "actors/support/text_error.hpp"
#include "messages/limits.hpp"
#include "models/base/error.hpp"
#include "models/draft_source.hpp"

namespace flowspec {

namespace {

using Claim = std::shared_ptr<MemoryLedger::Claim>;

std::string of(const Node& node) {
  return fmt::format("node {}: ", node.options().name);
}

Claim claim(const Node& node, std::uint64_t bytes, const std::string& what) {
  try {
    return node.memory().claim(bytes);
  } catch (const ModelError& e) {
    throw ModelError(fmt::format("{} does not fit: {}", what, e.what()));
  }
}

/// The target of a verifier or draft, and who wants it.
struct Target {
  std::shared_ptr<Node> node;
  PartSpec spec;
  LinearForm form = LinearForm::automatic;
  std::shared_ptr<const std::atomic<bool>> given_up;
  std::vector<OpenModel> candidates{};

  Target(std::shared_ptr<Node> of, PartSpec wanted,
         std::shared_ptr<const std::atomic<bool>> unwanted)
      : node(std::move(of)), spec(std::move(wanted)), given_up(std::move(unwanted)) {
    form = check_agreement(*node, spec.protocol, spec.numerics, spec.hidden_type);
    candidates = find_models(node->library(), spec.model_file, [](const OpenModel&) {});
  }

  void stop_if_unwanted() const {
    if (*given_up || node->closed())
      throw ModelError("stopped loading");
  }

  const OpenModel& choose() const {
    return choose_model(
        node->library(), candidates, spec.model_hash, [this] { stop_if_unwanted(); });
  }

  std::uint64_t most_head_bytes(std::uint32_t rows) const {
    std::uint64_t bytes = 0;
    for (const OpenModel& model : candidates)
      bytes = std::max(bytes, LmHead::needed_bytes(*model.files, model.config, rows));
    return bytes;
  }

  std::uint32_t most_columns() const {
    std::uint32_t columns = 0;
    for (const OpenModel& model : candidates)
      columns = std::max(columns, model.config.hidden_size);
    return columns;
  }

  /// Shared by all that compute with it on the node.
  std::shared_ptr<const LmHead> head(const OpenModel& model) const {
    return node->heads().get(
        {spec.model_hash, form},
        [&] {
          return LmHead(*model.files, model.config, node->threads(spec.threads), spec.max_rows,
                        form);
        });
  }
};

/// What a verifier keeps as long as it lives.
struct VerifierLoading : Target {
  using Target::Target;
  Claim memory{};
  std::shared_ptr<const LmHead> shared{};

  std::unique_ptr<LmHead> load() {
    shared = head(choose());
    return std::make_unique<LmHead>(shared->share(node->threads(spec.threads), spec.max_rows));
  }
};

struct DraftLoading : Target {
  using Target::Target;
  /// By the place of the target among the candidates.
  std::vector<DraftSource> sources{};
  Claim memory{};
  std::shared_ptr<const LmHead> shared{};

  /// Those that fit a target; if there are none, throws the error of the first.
  void find() {
    std::exception_ptr first;
    for (const OpenModel& candidate : candidates)
      for (const auto& path : paths()) {
        try {
          sources.push_back(open(path, std::make_shared<const OpenModel>(candidate)));
        } catch (const ModelError&) {
          if (!first)
            first = std::current_exception();
        }
      }
    if (sources.empty())
      std::rethrow_exception(first);
  }

  std::uint64_t most_bytes() const {
    std::uint64_t bytes = 0;
    for (const DraftSource& source : sources) {
      bool shares =
          source.reads_features() && source.vocabulary.empty() && !source.has_own_head(source.type);
      bytes = std::max(bytes, source.needed_bytes(spec.max_rows, source.type) +
                                  (shares ? most_head_bytes(0) : 0));
    }
    return bytes;
  }

  std::unique_ptr<DraftModel> load() {
    const auto& source = choose_source();
    DraftSource::Loading loading;
    loading.threads = node->threads(spec.threads);
    loading.max_rows = spec.max_rows;
    loading.form = form;
    loading.shared_head = [&] {
      shared = head(*source.target);
      return shared->share(loading.threads, loading.max_rows);
    };
    loading.progress = [this](std::uint64_t, std::uint64_t) { stop_if_unwanted(); };
    return source.load(loading);
  }

 private:
  bool is_file() const {
    return spec.draft != "none" && spec.draft != "lookup" && spec.draft != "self";
  }

  std::vector<std::filesystem::path> paths() const {
    return is_file() ? node->library().find(spec.draft)
                     : std::vector<std::filesystem::path>{std::filesystem::path{}};
  }

  DraftSource open(const std::filesystem::path& path,
                   std::shared_ptr<const OpenModel> target) const {
    DraftSource source;
    if (is_file()) {
      source = open_draft(path, target);
    } else if (spec.draft == "lookup") {
      source.kind = DraftSource::Kind::lookup;
    } else if (spec.draft == "self") {
      source.kind = DraftSource::Kind::model;
      source.model = target;
    }
    source.target = std::move(target);
    source.type = spec.draft_type;
    source.vocabulary = spec.draft_vocabulary;
    source.kv_type = spec.kv_type;
    source.hidden_type = spec.hidden_type;
    for (Token token : source.vocabulary)
      if (static_cast<std::uint32_t>(token) >= source.target->config.vocab_size)
        throw ModelError(fmt::format("the draft's vocabulary has token {}, the model's {} tokens",
                                     token, source.target->config.vocab_size));
    return source;
  }

  /// The one with the coordinator's hashes.
  const DraftSource& choose_source() const {
    const OpenModel& target = choose();
    std::vector<std::string> others;
    for (const DraftSource& source : sources) {
      if (source.target->files->path() != target.files->path())
        continue;
      auto hash = source.hash(user_hash_cache());
      stop_if_unwanted();
      if (is_same_hash(hash, spec.draft_hash))
        return source;
      others.push_back(
          fmt::format("{} is not the draft that the coordinator has: its hash is {}, not {}",
                      source.weights().string(), hash, spec.draft_hash));
    }
    throw ModelError(others.empty() ? fmt::format("no draft {} fits the model {}", spec.draft,
                                                  target.files->path().string())
                                    : fmt::format("{}", fmt::join(others, "; ")));
  }
};

}  // namespace

caf::expected<DraftPolicy> policy_of(const Node& node, const PartSpec& spec) {
  auto policy = mode_policy(spec.mode, spec.stages);
  if (!policy)
    return text_error(ErrorCode::does_not_fit,
                      of(node) + fmt::format("knows no mode \"{}\"", spec.mode));
  policy->adaptive = spec.adaptive;
  policy->coupled = policy->coupled && spec.coupled;
  policy->calibrated = policy->calibrated && spec.coupled;
  policy->lookup = policy->lookup && spec.lookup;
  return *policy;
}

caf::expected<VerifierPlan> plan_verifier(const std::shared_ptr<Node>& node, const PartSpec& spec,
                                          std::shared_ptr<const std::atomic<bool>> given_up) {
  auto plan = [&]() -> VerifierPlan {
    auto loading = std::make_shared<VerifierLoading>(node, spec, std::move(given_up));
    loading->memory = claim(*node, loading->most_head_bytes(spec.max_rows),
                            fmt::format("the LM head of {}", spec.model_file));
    return {[loading] { return error_of([&] { return loading->load(); }); },
            limits::message_bytes(spec.max_rows, loading->most_columns())};
  };
  return error_of(plan, of(*node));
}

caf::expected<DraftPlan> plan_draft(const std::shared_ptr<Node>& node, const PartSpec& spec,
                                    std::shared_ptr<const std::atomic<bool>> given_up) {
  auto policy = policy_of(*node, spec);
  if (!policy)
    return policy.error();
  auto plan = [&]() -> DraftPlan {
    auto loading = std::make_shared<DraftLoading>(node, spec, std::move(given_up));
    loading->find();
    loading->memory = claim(*node, loading->most_bytes(), fmt::format("the draft {}", spec.draft));
    std::size_t taps = 1;
    for (const DraftSource& source : loading->sources)
      taps = std::max(taps, source.taps().size());
    DraftMemory memory;
    if (!spec.memory_pair.empty())
      memory = user_draft_memory(spec.memory_pair, spec.memory_place);
    return {*policy, [loading] { return error_of([&] { return loading->load(); }); },
            std::move(memory),
            taps * limits::message_bytes(policy->segment_rows, loading->most_columns())};
  };
  return error_of(plan, of(*node));
}

}  // namespace flowspec
