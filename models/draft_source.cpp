#include "models/draft_source.hpp"

#include "models/base/error.hpp"
#include "models/drafts/draft_files.hpp"
#include "models/drafts/draft_output.hpp"
#include "models/drafts/eagle3_files.hpp"
#include "models/drafts/eagle_head.hpp"
#include "models/drafts/prompt_lookup_draft.hpp"
#include "models/drafts/small_lm.hpp"
#include "models/model_hash.hpp"

namespace flowspec {

namespace fs = std::filesystem;

DraftSource open_draft(const fs::path& path, std::shared_ptr<const OpenModel> target) {
  DraftSource source;
  source.target = std::move(target);
  switch (draft_kind(path)) {
    case DraftKind::eagle3_head:
      source.kind = DraftSource::Kind::eagle3_head;
      source.head = path;
      source.eagle3 = Eagle3Head::check(path, *source.target->files, source.target->config);
      break;
    case DraftKind::eagle_head:
      source.kind = DraftSource::Kind::eagle_head;
      source.head = path;
      EagleHead::check(path, source.target->config);
      break;
    case DraftKind::model:
      source.kind = DraftSource::Kind::model;
      source.model = std::make_shared<const OpenModel>(open_model(path));
      break;
  }
  return source;
}

bool DraftSource::has_own_head(LoadType as) const {
  return reads_features() && (!eagle3 || eagle3->lm_head) &&
         LmHead::is_changed_by(as, *target->files, target->config);
}

std::uint64_t DraftSource::needed_bytes(std::uint32_t max_rows, LoadType as) const {
  if (reads_features()) {
    // The EAGLE head counts its logits itself.
    std::uint64_t output = 0;
    if (!vocabulary.empty())
      output = DraftOutput::needed_bytes(*target->files, target->config, vocabulary.size(), as);
    else if (has_own_head(as))
      output = LmHead::needed_bytes(*target->files, target->config, 0, as);
    return output +
           (eagle3 ? Eagle3Head::needed_bytes(head, *target->files, target->config, max_rows, as)
                   : EagleHead::needed_bytes(head, max_rows, as));
  }
  return model == nullptr ? 0 : SmallLm::needed_bytes(*model->files, model->config, max_rows, as);
}

fs::path DraftSource::weights() const {
  switch (kind) {
    case Kind::eagle3_head:
      return open_eagle3(head).files->path();
    case Kind::eagle_head:
      return find_head_weights(head);
    case Kind::model:
      return model->files->parts().front();
    default:
      return {};
  }
}

std::string DraftSource::hash(HashCache& cache) const {
  if (!known_hash.empty())
    return known_hash;
  if (kind == Kind::model)
    return hash_model(*model->files, cache);
  return reads_features() ? cache.get(weights()).hash : std::string{};
}

std::unique_ptr<DraftModel> DraftSource::load(const Loading& loading) const {
  const auto threads = loading.threads;
  const auto max_rows = loading.max_rows;
  const auto form = loading.form;
  if (kind == Kind::none)
    return nullptr;
  if (kind == Kind::lookup)
    return std::make_unique<PromptLookupDraft>();
  if (!known_hash.empty())
    throw ModelError(weights().filename().string() +
                     ": the weights of this draft are not on this machine");
  if (kind == Kind::model)
    return std::make_unique<SmallLm>(*model->files, model->config, threads, max_rows,
                                     loading.progress, kv_type, target->config.vocab_size, type,
                                     hidden_type);
  const ModelFiles& files = *target->files;
  const ModelConfig& config = target->config;
  auto output = [&]() -> DraftOutput {
    if (!vocabulary.empty())
      return {files, config, vocabulary, threads, max_rows, form, type};
    return has_own_head(type) ? LmHead(files, config, threads, max_rows, form, type)
                              : loading.shared_head();
  }();
  if (kind == Kind::eagle3_head)
    return std::make_unique<Eagle3Head>(head, files, config, std::move(output), threads, max_rows,
                                        type);
  return std::make_unique<EagleHead>(head, std::move(output), threads, max_rows, type);
}

}  // namespace flowspec
