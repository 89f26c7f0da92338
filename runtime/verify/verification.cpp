#include "runtime/verify/verification.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/policy/modes/modes.hpp"
#include "messages/limits.hpp"
#include "models/drafts/draft_files.hpp"
#include "runtime/bench/prompts.hpp"
#include "runtime/console/error.hpp"
#include "runtime/run/embedded.hpp"
#include "runtime/run/sampling_options.hpp"

namespace flowspec {

namespace {

/// Number of prompts if the user names no file.
constexpr std::uint32_t usual_prompts = 3;

/// Length in tokens of each text of the goodness-of-fit test, and number of prompts that are
/// continued.
constexpr std::uint32_t fit_tokens = 3;
constexpr std::size_t fit_prompts = 2;

/// For models other than the embedded one.
const std::vector<BenchPrompt> built_in_prompts{
    {"Once upon a time"}, {"The most important thing is"}, {"1, 2, 3, 4, 5, 6,"}};

std::vector<std::string> default_drafts(const std::string& model) {
  if (!model.empty())
    return {"lookup", "self"};
  return {embedded_file("eagle/config.json").parent_path().string(),
          embedded_file("draft.gguf").string()};
}

bool is_head(const std::string& draft) {
  return may_have_weights(draft) && draft != "self" && draft_kind(draft) != DraftKind::model;
}

}  // namespace

Verification::~Verification() = default;

Verification::Verification(const VerifyOptions& options)
    : options_(options),
      cluster_(named_cluster(options.cluster_file, options.nodes, {}, options.place)) {
  if (options_.drafts.empty())
    options_.drafts = default_drafts(options_.model);
  if (options_.modes.empty())
    options_.modes.assign(mode_names().begin(), mode_names().end());
  if (options_.draft_type != LoadType::as_is &&
      std::ranges::none_of(options_.drafts, may_have_weights))
    throw RuntimeError(
        "--draft-type is for drafts with weights: add an EAGLE head or a model to "
        "--draft, or leave --draft-type out");
  if (!options_.draft_vocabulary.empty() && std::ranges::none_of(options_.drafts, is_head))
    throw RuntimeError(
        "--draft-vocabulary is for EAGLE heads: add one to --draft, or leave --draft-vocabulary "
        "out");
  auto drafts = options_.drafts;
  drafts.emplace_back("none");  // what plain decoding in a pipeline uses, and the reference
  for (const std::string& draft : drafts) {
    RunSpec how;
    how.model = options_.model;
    how.draft = draft;
    if (may_have_weights(draft))
      how.draft_type = options_.draft_type;
    if (is_head(draft))
      how.draft_vocabulary = options_.draft_vocabulary;
    how.threads = options_.threads;
    how.kv_type = options_.kv_type;
    how.hidden_type = options_.hidden_type;
    how.numerics = options_.numerics;
    engines_.emplace(draft, std::make_unique<const Engine>(how));
  }
  auto stages = verify_stages(options_, model().config.layers, cluster_.nodes.size());
  cases_ = plan_verify(options_.modes, options_.drafts, stages);
  check(options_.sampling, model().config.vocab_size);
  read_prompts();
}

const LanguageModel& Verification::model() const {
  return engine("none").target();
}

void Verification::read_prompts() {
  std::vector<BenchPrompt> prompts;
  bool is_own = !options_.prompts_file.empty();
  if (is_own)
    prompts = flowspec::read_prompts(options_.prompts_file);
  else if (options_.model.empty())
    prompts = flowspec::read_prompts(embedded_file("heldout.jsonl"));
  else
    prompts = built_in_prompts;
  auto wanted = options_.prompt_count != 0 ? std::optional(options_.prompt_count) : std::nullopt;
  auto usual = is_own ? static_cast<std::uint32_t>(prompts.size()) : usual_prompts;
  prompts = take_prompts(std::move(prompts), is_own ? options_.prompts_file : "the default", wanted,
                         usual);
  auto context = std::min<std::size_t>(engine("none").context(), limits::tokens);
  for (const BenchPrompt& prompt : prompts) {
    prompt_texts_.push_back(prompt.text);
    prompts_.push_back(model().tokenizer.encode(prompt.text, {.add_eos = false}));
    auto size = prompts_.back().size();
    if (size == 0 || size + options_.max_tokens > context)
      throw RuntimeError(
          fmt::format("prompt {} has {} tokens; it needs one at least, and with {} of the answer "
                      "(--max-tokens) at most the model's context of {}",
                      prompts_.size(), size, options_.max_tokens, context));
  }
}

RunSpec Verification::run_spec(const VerifyCase& what) const {
  RunSpec spec;
  spec.model = options_.model;
  spec.draft = what.draft;
  spec.mode = what.mode;
  spec.stages = what.stages;
  spec.controller = options_.controller;
  spec.coupled = options_.coupled;
  spec.threads = options_.threads;
  spec.kv_type = options_.kv_type;
  spec.hidden_type = options_.hidden_type;
  spec.numerics = options_.numerics;
  spec.load_limit = options_.load_limit;
  spec.shows_progress = !options_.quiet;
  spec.cluster = cluster_;
  // Every node needs a stage: with fewer stages, only the first nodes are used.
  if (what.stages < cluster_.nodes.size()) {
    auto rest = spec.cluster.nodes.begin() + what.stages;
    // Other parts may be there.
    spec.cluster.spares.insert(spec.cluster.spares.end(), rest, spec.cluster.nodes.end());
    spec.cluster.nodes.erase(rest, spec.cluster.nodes.end());
    spec.cluster.layers.clear();
  }
  return spec;
}

std::vector<Question> Verification::questions(bool sampled) const {
  std::vector<Question> questions;
  for (const auto& prompt : prompts_) {
    auto sampling = options_.sampling;
    if (!sampled)
      sampling.temperature = 0;
    sampling.seed += questions.size();
    questions.push_back({prompt, options_.max_tokens, sampling});
  }
  return questions;
}

/// Computes the expected texts.
void Verification::expect(PlainDecoder& plain) {
  for (bool sampled : {false, true}) {
    auto& texts = sampled ? sampled_ : greedy_;
    texts.clear();
    for (const Question& question : questions(sampled))
      texts.push_back(plain.decode(question.prompt, question.max_tokens, question.sampling));
  }
}

VerifyRun Verification::compare(Answers& answers, const VerifyCase& what) const {
  VerifyRun run{.what = what};
  for (bool sampled : {false, true}) {
    auto got = answers.get(questions(sampled));
    for (std::size_t i = 0; i < got.size(); ++i) {
      (sampled ? run.sampled : run.greedy)
          .add(i, static_cast<Position>(prompts_[i].size()), (sampled ? sampled_ : greedy_)[i],
               got[i].tokens);
      run.verifications += got[i].verifications;
    }
  }
  return run;
}

/// The texts come from the pipeline, the probabilities from the model's own logits.
VerifyFit Verification::fit(Answers& answers, const VerifyCase& what, PlainDecoder& plain) const {
  VerifyFit fit{.what = what};
  fit.tokens = std::min(fit_tokens, options_.max_tokens);
  auto seed = options_.sampling.seed;
  for (; fit.prompts < std::min(prompts_.size(), fit_prompts); ++fit.prompts) {
    const auto& prompt = prompts_[fit.prompts];
    std::vector<Question> questions;
    for (std::uint32_t i = 0; i < options_.draws; ++i) {
      questions.push_back({prompt, fit.tokens, options_.sampling});
      questions.back().sampling.seed = seed++;
    }
    std::vector<std::vector<Token>> texts;
    for (Answer& answer : answers.get(questions)) {
      texts.push_back(std::move(answer.tokens));
      fit.verifications += answer.verifications;
    }
    fit.texts += texts.size();
    auto next = [&](std::span<const Token> tokens) {
      auto text = prompt;
      text.insert(text.end(), tokens.begin(), tokens.end());
      return token_probabilities(plain.logits_after(text), options_.sampling, prompt, tokens);
    };
    auto test = chi_square(count_outcomes(texts, fit.tokens, next, [this](Token token) {
      return model().tokenizer.is_end_of_text(token);
    }));
    // The prompts' samples are independent, so the statistics add up.
    fit.test.statistic += test.statistic;
    fit.test.degrees_of_freedom += test.degrees_of_freedom;
  }
  fit.test.p_value = chi_square_tail(fit.test.statistic, fit.test.degrees_of_freedom);
  return fit;
}

/// One case is enough: the others write the same texts, or `compare` reports a difference.
VerifyCase Verification::fit_case() const {
  auto better = [](const VerifyCase& a, const VerifyCase& b) {
    auto worth = [](const VerifyCase& c) {
      return (c.mode == "flowspec" ? 2 : 0) + (c.stages > 1 ? 1 : 0);
    };
    return worth(a) < worth(b);
  };
  return *std::max_element(cases_.begin(), cases_.end(), better);
}

VerifyReport Verification::run(caf::actor_system& system, const LanguageModel& reference,
                               const Listener& listener) {
  auto start = std::chrono::steady_clock::now();
  VerifyReport report;
  report.model = model().files->path().filename().string();
  report.numerics = engine("none").numerics();
  report.sampling = options_.sampling;
  report.prompts = prompt_texts_;

  std::size_t longest = 0;
  for (const auto& prompt : prompts_)
    longest = std::max(longest, prompt.size());
  std::optional<PlainDecoder> plain;
  auto form = engine("none").linear_form();
  // Plain decoding has to compute in the same form as the run's machines, which only a run with
  // nodes finds out.
  auto refer_to = [&](LinearForm wanted) {
    if (plain && form == wanted)
      return;
    form = wanted;
    plain.emplace(reference, engine("none").threads(),
                  static_cast<std::uint32_t>(longest) + options_.max_tokens, options_.kv_type, form,
                  options_.hidden_type);
    expect(*plain);
  };
  if (cluster_.nodes.empty())
    refer_to(form);
  auto fitted = fit_case();
  for (const VerifyCase& what : cases_) {
    auto how = run_spec(what);
    auto shown = what;
    shown.draft = engine(what.draft).draft_name();
    // When a case fails, what was done before is reported first.
    VerifyRun done{.what = shown};
    VerifyFit fit{.what = shown};
    bool fits = options_.draws > 0 && what == fitted;
    try {
      Run pipeline(system, engine(what.draft), how);
      refer_to(pipeline.linear_form());
      report.numerics = pipeline.numerics();
      Answers answers(system, pipeline, model().tokenizer, options_.progress_limit);
      done = compare(answers, shown);
      if (fits)
        fit = this->fit(answers, shown, *plain);
    } catch (const RuntimeError& e) {
      if (exit_code(e.code()) == ExitCode::usage)
        throw;
      done.error = fit.error = e.what();
    }
    report.runs.push_back(done);
    if (fits)
      report.fits.push_back(fit);
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    listener(done, report);
  }
  return report;
}

}  // namespace flowspec
