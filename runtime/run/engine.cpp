#include "runtime/run/engine.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <vector>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "actors/support/machine.hpp"
#include "actors/support/text_error.hpp"
#include "models/base/cores.hpp"
#include "models/base/error.hpp"
#include "models/drafts/draft_files.hpp"
#include "models/drafts/draft_vocabulary.hpp"
#include "models/formats/hash_cache.hpp"
#include "models/formats/user_cache.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"
#include "models/numerics.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/failure.hpp"
#include "runtime/run/embedded.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

std::shared_ptr<const LanguageModel> open_text_model(const fs::path& path, bool has_weights) {
  auto model = open_model(path);
  auto tokenizer = open_tokenizer(path);
  check_vocabulary(model, tokenizer);
  if (has_weights)  // remarks may be about them
    for (const auto& remark : model.files->remarks())
      spdlog::warn("{}", remark);
  for (const auto& warning : tokenizer.warnings())
    spdlog::warn("{}: {}", path.string(), warning);
  return std::make_shared<const LanguageModel>(
      LanguageModel{std::move(model), std::move(tokenizer)});
}

/// Names a file's content: its hash if that is known or soon found, else its identity.
std::string file_key(const fs::path& file) {
  constexpr std::uint64_t soon_hashed = std::uint64_t{64} << 20;
  auto identity = FileIdentity::of(file);
  if (!identity)
    return "none";
  if (auto hash = user_hash_cache().find(*identity))
    return *hash;
  try {
    if (identity->size <= soon_hashed)
      return user_hash_cache().get(file).hash;
  } catch (const std::exception&) {  // whoever reads the model will tell
  }
  return fmt::format("{}-{}-{}-{}", identity->device, identity->inode, identity->size,
                     identity->changed_ns);
}

void fail_without_weights(const OpenModel& model, const std::string& known_hash) {
  if (!known_hash.empty())
    throw ModelError(model.files->path().filename().string() +
                     ": the weights of this model are not on this machine");
}

/// Runs `make` on the calling actor's thread; an exception becomes an error.
template <class T, class Make>
caf::expected<std::unique_ptr<T>> load(const Make& make) {
  try {
    return std::unique_ptr<T>(make());
  } catch (const std::exception&) {
    return text_error(ErrorCode::internal, current_failure().text);
  }
}

}  // namespace

/// The target's LM head: the first caller loads it.
struct Engine::SharedHead {
  std::mutex mutex;
  std::map<LinearForm, LmHead> heads;

  LmHead get(const LanguageModel& model, unsigned threads, std::uint32_t max_rows,
             LinearForm form) {
    std::lock_guard lock(mutex);
    auto head = heads.try_emplace(form, *model.files, model.config, threads, max_rows, form).first;
    return head->second.share(threads, max_rows);
  }
};

Engine::Engine(const RunSpec& spec)
    : known_hash_(spec.model_hash),
      head_(std::make_shared<SharedHead>()),
      threads_(spec.threads),
      kv_type_(spec.kv_type),
      hidden_type_(spec.hidden_type),
      numerics_choice_(spec.numerics) {
  cores::set_budget(threads_ != 0 ? threads_ : usable_cores());
  if (known_hash_.empty())
    check_weights(spec.model);
  target_ =
      open_text_model(spec.model.empty() ? embedded_file("target.gguf") : fs::path(spec.model),
                      known_hash_.empty());
  numerics_ = with_hidden_type(numerics_id(*target_->files, target_->config, numerics_choice_),
                               hidden_type_);
  set_context(spec.context);
  open_draft(spec);
  if (spec.mode == "ar")
    return;
  set_draft_vocabulary(spec.draft_vocabulary);
  set_draft_type(spec.draft_type);
}

void Engine::open_draft(const RunSpec& spec) {
  const bool is_embedded = spec.model.empty();
  draft_name_ = spec.draft;
  if (spec.mode == "ar")
    draft_name_ = "none";
  else if (draft_name_.empty())
    draft_name_ =
        is_embedded ? embedded_file("eagle/config.json").parent_path().string() : "lookup";
  draft_.target = target_;
  draft_.kv_type = kv_type_;
  draft_.hidden_type = hidden_type_;
  if (draft_name_ == "lookup")
    draft_.kind = DraftSource::Kind::lookup;
  if (!may_have_weights(draft_name_))
    return;
  if (draft_name_ == "self") {
    draft_.kind = DraftSource::Kind::model;
    draft_.model = target_;
    draft_.known_hash = known_hash_;
    return;
  }
  draft_.known_hash = spec.draft_hash;
  if (draft_.known_hash.empty())
    check_weights(draft_name_);
  if (draft_kind(draft_name_) != DraftKind::model) {
    auto head = flowspec::open_draft(draft_name_, target_);
    draft_.kind = head.kind;
    draft_.head = head.head;
    draft_.eagle3 = head.eagle3;
    check_eagle3();
    draft_name_ = draft_.head.filename().string();
    return;
  }
  auto model = open_text_model(draft_name_, draft_.known_hash.empty());
  if (auto problem = difference(target_->tokenizer, model->tokenizer))
    throw RuntimeError(fmt::format(
        "the draft {} has another vocabulary than the model {}: {}. A draft has to have the "
        "model's own vocabulary.",
        model->files->path().string(), target_->files->path().string(), *problem));
  draft_.kind = DraftSource::Kind::model;
  draft_.model = model;
  draft_name_ = model->files->path().filename().string();
}

/// Holes in place of weights would be computed with as zeros.
void Engine::check_weights(const std::string& path) const {
  if (!path.empty() && is_in_cards_folder(path))
    throw RuntimeError(fmt::format(
        "{}: this is what was kept of a node's model, and has no weights. Give the model's name, "
        "{}, and the nodes that have it",
        path, fs::path(path).filename().string()));
}

bool Engine::has_weights_for(Part part) const {
  bool has_target = known_hash_.empty();
  if (part == Part::pruner)
    return true;
  if (part == Part::verifier)
    return has_target;
  // An EAGLE head computes with the target's LM head, or with its embeddings.
  return draft_.known_hash.empty() && (has_target || !draft_.reads_features());
}

void Engine::set_draft_type(LoadType type) {
  if (type == LoadType::as_is)
    return;
  if (!may_have_weights(draft_name_))
    throw RuntimeError(fmt::format(
        "--draft-type {} is for the weights of a draft, and the draft \"{}\" has none: name an "
        "EAGLE head or a model with --draft, or leave --draft-type out",
        name_of(type), draft_name_));
  if (!draft_.has_own_head(type) &&
      draft_.needed_bytes(0, type) == draft_.needed_bytes(0, LoadType::as_is)) {
    spdlog::warn(
        "--draft-type {} changes nothing: the weights of {} are as small already, or their rows "
        "are no whole blocks of 32",
        name_of(type), draft_name_);
    return;
  }
  draft_.type = type;
  draft_name_ += fmt::format(" ({})", name_of(type));
}

void Engine::set_draft_vocabulary(const std::string& list) {
  if (list.empty())
    return;
  if (!draft_reads_features() || (draft_.eagle3 && !draft_.eagle3->lm_head))
    throw RuntimeError(fmt::format(
        "--draft-vocabulary is for EAGLE heads that compute with the model's LM head, and the "
        "draft "
        "\"{}\" is none: leave --draft-vocabulary out, or name such a head with --draft",
        draft_name_));
  draft_.vocabulary = read_token_list(list, target_->config.vocab_size);
  draft_name_ += fmt::format(" ({} tokens)", draft_.vocabulary.size());
}

double Engine::draft_vocabulary_share() const {
  if (draft_.vocabulary.empty())
    return 1;
  return static_cast<double>(draft_.vocabulary.size()) / target_->config.vocab_size;
}

/// A head that was made for other layers guesses wrong, and nothing else shows it.
void Engine::check_eagle3() const {
  if (const auto taps = draft_.taps(); !taps.empty())
    spdlog::warn("{}: the EAGLE-3 head reads what enters layer{} {} of {}", draft_.head.string(),
                 taps.size() == 1 ? "" : "s", fmt::join(taps, ", "), target_->config.layers);
}

void Engine::set_context(std::uint32_t wanted) {
  const ModelConfig& config = target_->config;
  context_ = wanted != 0 ? wanted : config.context_length;
  if (config.attention_window == 0 || context_ <= config.attention_window)
    return;
  if (wanted != 0)
    throw RuntimeError(fmt::format(
        "the model {} attends to the last {} tokens (sliding window), and longer texts "
        "are not supported with it: --context can be at most {}, not {}",
        target_->files->path().string(), config.attention_window, config.attention_window, wanted));
  context_ = config.attention_window;
  spdlog::warn("{} attends to the last {} tokens (sliding window): texts end there", config.name,
               config.attention_window);
}

unsigned Engine::threads() const {
  if (threads_ != 0)
    return threads_;
  // For a small model, waking threads costs more than they save.
  constexpr std::uint64_t small_model = std::uint64_t{32} << 20;
  return target_->files->file_size() < small_model ? 1 : usable_cores();
}

LinearForm Engine::linear_form() const {
  return form_of_numerics(numerics_, numerics_).value();
}

StageLoader Engine::stage_loader(LayerRange layers, unsigned threads, std::uint32_t max_rows,
                                 ProgressBar& bar, LinearForm form) const {
  return [model = target_, known_hash = known_hash_,
          options = StageOptions{layers, threads, max_rows, kv_type_, form, hidden_type_},
          update = bar.part()] {
    return load<StageModel>([&] {
      fail_without_weights(*model, known_hash);
      return std::make_unique<CpuStageModel>(*model->files, model->config, options, update);
    });
  };
}

LmHeadLoader Engine::head_loader(unsigned threads, std::uint32_t max_rows, LinearForm form) const {
  return [model = target_, known_hash = known_hash_, head = head_, threads, max_rows, form] {
    return load<LmHead>([&] {
      fail_without_weights(*model, known_hash);
      return std::make_unique<LmHead>(head->get(*model, threads, max_rows, form));
    });
  };
}

std::string Engine::draft_file() const {
  switch (draft_.kind) {
    case DraftSource::Kind::none:
      return "none";
    case DraftSource::Kind::lookup:
      return "lookup";
    case DraftSource::Kind::model:
      return draft_.model == target_ ? "self" : draft_.model->files->path().filename().string();
    default:
      return draft_.head.filename().string();
  }
}

std::string Engine::pair_name() const {
  auto draft = draft_name_;
  if (may_have_weights(draft_name_))
    draft = draft_.known_hash.empty() ? file_key(draft_.weights()) : draft_.known_hash;
  return (known_hash_.empty() ? file_key(target_->files->parts().front()) : known_hash_) + "+" +
         draft;
}

std::uint64_t Engine::needed_bytes(const std::vector<LayerRange>& stages, std::uint32_t max_rows,
                                   std::uint32_t draft_rows, bool has_head, bool has_draft) const {
  std::uint64_t bytes = 0;
  // A head that shares the target's output loads it, too.
  bool shares = has_draft && draft_reads_features() && draft_.vocabulary.empty() &&
                !draft_.has_own_head(draft_.type);
  if (has_head || shares)
    bytes += LmHead::needed_bytes(*target_->files, target_->config, has_head ? max_rows : 0);
  for (const LayerRange& layers : stages)
    bytes += CpuStageModel::needed_bytes(*target_->files, target_->config, layers, max_rows);
  return bytes + (has_draft ? draft_.needed_bytes(draft_rows, draft_.type) : 0);
}

DraftLoader Engine::draft_loader(unsigned threads, std::uint32_t max_rows, ProgressBar& bar,
                                 LinearForm form) const {
  // The draft model may be as large as the target, or be the target itself.
  auto progress = draft_.kind == DraftSource::Kind::model ? bar.part() : LoadProgress{};
  return [source = draft_, model = target_, known_hash = known_hash_, head = head_, threads,
          max_rows, form, progress] {
    return load<DraftModel>([&] {
      auto shared = [&] {
        fail_without_weights(*model, known_hash);
        return head->get(*model, threads, max_rows, form);
      };
      return source.load({threads, max_rows, form, shared, progress});
    });
  };
}

}  // namespace flowspec
