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

#include "actors/pipeline/reserving_draft.hpp"
#include "actors/support/machine.hpp"
#include "actors/support/text_error.hpp"
#include "models/drafts/draft_files.hpp"
#include "models/drafts/draft_output.hpp"
#include "models/drafts/draft_vocabulary.hpp"
#include "models/drafts/eagle3_files.hpp"
#include "models/drafts/eagle_head.hpp"
#include "models/drafts/prompt_lookup_draft.hpp"
#include "models/drafts/small_lm.hpp"
#include "models/formats/hash_cache.hpp"
#include "models/layers/lm_head.hpp"
#include "models/layers/stage_model.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/failure.hpp"
#include "runtime/run/embedded.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

std::shared_ptr<const LanguageModel> open_text_model(const fs::path& path) {
  auto model = open_model(path);
  auto tokenizer = open_tokenizer(path);
  check_vocabulary(model, tokenizer);
  for (const auto& remark : model.files->remarks())
    spdlog::warn("{}", remark);
  for (const auto& warning : tokenizer.warnings())
    spdlog::warn("{}: {}", path.string(), warning);
  return std::make_shared<const LanguageModel>(
      LanguageModel{std::move(model), std::move(tokenizer)});
}

std::unique_ptr<DraftModel> reserving(std::unique_ptr<DraftModel> draft,
                                      const std::optional<MemoryLedger>& memory) {
  return memory ? std::make_unique<ReservingDraft>(std::move(draft), *memory) : std::move(draft);
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
    : head_(std::make_shared<SharedHead>()),
      threads_(spec.threads),
      kv_type_(spec.kv_type),
      hidden_type_(spec.hidden_type) {
  target_ =
      open_text_model(spec.model.empty() ? embedded_file("target.gguf") : fs::path(spec.model));
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
  if (!may_have_weights(draft_name_))
    return;
  if (draft_name_ == "self") {
    draft_ = target_;
    return;
  }
  if (auto kind = draft_kind(draft_name_); kind != DraftKind::model) {
    eagle_ = draft_name_;
    if (kind == DraftKind::eagle3_head)
      check_eagle3();
    else
      EagleHead::check(eagle_, target_->config);
    draft_name_ = eagle_.filename().string();
    return;
  }
  draft_ = open_text_model(draft_name_);
  if (auto problem = difference(target_->tokenizer, draft_->tokenizer))
    throw RuntimeError(fmt::format(
        "the draft {} has another vocabulary than the model {}: {}. A draft has to have the "
        "model's own vocabulary.",
        draft_->files->path().string(), target_->files->path().string(), *problem));
  draft_name_ = draft_->files->path().filename().string();
}

void Engine::set_draft_type(LoadType type) {
  if (type == LoadType::as_is)
    return;
  if (!may_have_weights(draft_name_))
    throw RuntimeError(fmt::format(
        "--draft-type {} is for the weights of a draft, and the draft \"{}\" has none: name an "
        "EAGLE head or a model with --draft, or leave --draft-type out",
        name_of(type), draft_name_));
  if (!draft_has_own_head(type) && draft_bytes(0, type) == draft_bytes(0, LoadType::as_is)) {
    spdlog::warn(
        "--draft-type {} changes nothing: the weights of {} are as small already, or their rows "
        "are no whole blocks of 32",
        name_of(type), draft_name_);
    return;
  }
  draft_type_ = type;
  draft_name_ += fmt::format(" ({})", name_of(type));
}

void Engine::set_draft_vocabulary(const std::string& list) {
  if (list.empty())
    return;
  if (!draft_reads_features() || (eagle3_ && !eagle3_->lm_head))
    throw RuntimeError(fmt::format(
        "--draft-vocabulary is for EAGLE heads that compute with the model's LM head, and the "
        "draft "
        "\"{}\" is none: leave --draft-vocabulary out, or name such a head with --draft",
        draft_name_));
  draft_vocabulary_ = read_token_list(list, target_->config.vocab_size);
  draft_name_ += fmt::format(" ({} tokens)", draft_vocabulary_.size());
}

double Engine::draft_vocabulary_share() const {
  if (draft_vocabulary_.empty())
    return 1;
  return static_cast<double>(draft_vocabulary_.size()) / target_->config.vocab_size;
}

void Engine::check_eagle3() {
  eagle3_ = Eagle3Head::check(eagle_, *target_->files, target_->config);
  // A head that was made for other layers guesses wrong, and nothing else shows it.
  if (const auto& taps = eagle3_->taps; !taps.empty())
    spdlog::warn("{}: the EAGLE-3 head reads what enters layer{} {} of {}", eagle_.string(),
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

unsigned Engine::threads(std::size_t stages) const {
  if (threads_ != 0)
    return threads_;
  // For a small model, waking threads costs more than they save.
  constexpr std::uint64_t small_model = std::uint64_t{32} << 20;
  if (target_->files->file_size() < small_model)
    return 1;
  auto users = static_cast<unsigned>(std::max<std::size_t>(stages, 1)) + (draft_ ? 1 : 0);
  return std::max(1U, usable_cores() / users);
}

StageLoader Engine::stage_loader(LayerRange layers, unsigned threads, std::uint32_t max_rows,
                                 ProgressBar& bar) const {
  return [model = target_,
          options = StageOptions{layers, threads, max_rows, kv_type_, LinearForm::automatic,
                                 hidden_type_},
          update = bar.part()] {
    return load<StageModel>([&] {
      return std::make_unique<StageModel>(*model->files, model->config, options, update);
    });
  };
}

LmHeadLoader Engine::head_loader(unsigned threads, std::uint32_t max_rows, LinearForm form) const {
  return [model = target_, head = head_, threads, max_rows, form] {
    return load<LmHead>(
        [&] { return std::make_unique<LmHead>(head->get(*model, threads, max_rows, form)); });
  };
}

std::string Engine::pair_name() const {
  auto draft = draft_name_;
  if (draft_reads_features())
    draft = file_key(eagle3_ ? open_eagle3(eagle_).files->path() : find_head_weights(eagle_));
  else if (draft_ != nullptr)
    draft = file_key(draft_->files->parts().front());
  return file_key(target_->files->parts().front()) + "+" + draft;
}

std::uint64_t Engine::needed_bytes(const std::vector<LayerRange>& stages, std::uint32_t max_rows,
                                   std::uint32_t draft_rows) const {
  std::uint64_t bytes = LmHead::needed_bytes(*target_->files, target_->config, max_rows);
  for (const LayerRange& layers : stages)
    bytes += StageModel::needed_bytes(*target_->files, target_->config, layers, max_rows);
  return bytes + draft_bytes(draft_rows, draft_type_);
}

std::uint64_t Engine::draft_bytes(std::uint32_t rows, LoadType type) const {
  if (draft_reads_features()) {
    // The EAGLE head counts its logits itself.
    std::uint64_t head = 0;
    if (!draft_vocabulary_.empty())
      head = DraftOutput::needed_bytes(*target_->files, target_->config, draft_vocabulary_.size(),
                                       type);
    else if (draft_has_own_head(type))
      head = LmHead::needed_bytes(*target_->files, target_->config, 0, type);
    return head +
           (eagle3_ ? Eagle3Head::needed_bytes(eagle_, *target_->files, target_->config, rows, type)
                    : EagleHead::needed_bytes(eagle_, rows, type));
  }
  return draft_ == nullptr ? 0 : SmallLm::needed_bytes(*draft_->files, draft_->config, rows, type);
}

bool Engine::draft_has_own_head(LoadType type) const {
  return draft_reads_features() && (!eagle3_ || eagle3_->lm_head) &&
         LmHead::is_changed_by(type, *target_->files, target_->config);
}

DraftLoader Engine::draft_loader(unsigned threads, std::uint32_t max_rows, ProgressBar& bar,
                                 LinearForm form, const std::optional<MemoryLedger>& memory) const {
  if (draft_name_ == "none")
    return [] { return caf::expected<std::unique_ptr<DraftModel>>(nullptr); };
  if (draft_name_ == "lookup")
    return [] { return load<DraftModel>([] { return std::make_unique<PromptLookupDraft>(); }); };
  if (draft_reads_features())
    return [model = target_, head = head_, has_own = draft_has_own_head(draft_type_),
            eagle = eagle_, is_eagle3 = eagle3_.has_value(), tokens = draft_vocabulary_, threads,
            max_rows, form, type = draft_type_, memory] {
      return load<DraftModel>([&] {
        const ModelFiles& files = *model->files;
        const ModelConfig& config = model->config;
        auto output = [&]() -> DraftOutput {
          if (!tokens.empty())
            return {files, config, tokens, threads, max_rows, form, type};
          return has_own ? LmHead(files, config, threads, max_rows, form, type)
                         : head->get(*model, threads, max_rows, form);
        }();
        std::unique_ptr<DraftModel> draft;
        if (is_eagle3)
          draft = std::make_unique<Eagle3Head>(eagle, files, config, std::move(output), threads,
                                               max_rows, type);
        else
          draft = std::make_unique<EagleHead>(eagle, std::move(output), threads, max_rows, type);
        return reserving(std::move(draft), memory);
      });
    };
  // The draft model may be as large as the target, or be the target itself; with the same
  // types it then guesses the target's rounding too.
  return [model = draft_, threads, max_rows, kv_type = kv_type_, hidden_type = hidden_type_,
          vocab_size = target_->config.vocab_size, type = draft_type_, update = bar.part(),
          memory] {
    return load<DraftModel>([&] {
      return reserving(std::make_unique<SmallLm>(*model->files, model->config, threads, max_rows,
                                                 update, kv_type, vocab_size, type, hidden_type),
                       memory);
    });
  };
}

}  // namespace flowspec
