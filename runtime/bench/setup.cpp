#include "runtime/bench/setup.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "actors/policy/ablations.hpp"
#include "actors/policy/modes/modes.hpp"
#include "messages/limits.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

std::optional<DeviceProfile> profile_of(const BenchCase& what) {
  if (what.profile.empty())
    return std::nullopt;
  auto profile = read_profile(what.profile);
  profile.hidden_type = what.hidden_type.value_or(profile.hidden_type);
  return profile;
}

RunSpec spec_of(const BenchCase& what, const std::optional<DeviceProfile>& profile) {
  RunSpec spec;
  spec.mode = what.mode;
  spec.model = what.model;
  spec.draft = what.draft;
  spec.draft_type = what.draft_type;
  spec.draft_vocabulary = what.draft_vocabulary;
  spec.kv_type = what.kv_type;
  spec.numerics = what.numerics;
  spec.hidden_type = profile ? profile->hidden_type : what.hidden_type.value_or(HiddenType::f32);
  spec.shows_progress = false;
  if (what.stages != 0)
    spec.stages = what.stages;
  else if (profile)
    spec.stages = profile->stages;
  // What is written behind so long a prompt need not make sense.
  if (what.load.long_prompt != 0)
    spec.context = what.load.long_prompt + what.max_tokens;
  return spec;
}

DraftPolicy policy_of(const BenchCase& what, std::uint32_t stages) {
  auto policy = mode_policy(what.mode, stages);
  if (!policy)
    throw RuntimeError(fmt::format("there is no mode \"{}\"; there are {}", what.mode,
                                   fmt::join(mode_names(), ", ")));
  if (!what.controller)
    policy->adaptive = false;
  policy->coupled = policy->calibrated = what.coupled;
  if (what.ablation.empty())
    return *policy;
  if (what.mode != "flowspec")
    throw RuntimeError(fmt::format(
        "only of the mode flowspec something can be switched off, not of \"{}\"", what.mode));
  auto ablated = without(what.ablation, *policy, stages);
  if (!ablated)
    throw RuntimeError(fmt::format("flowspec has no mechanism \"{}\" to switch off; there are {}",
                                   what.ablation, fmt::join(ablation_names(), ", ")));
  return *ablated;
}

namespace {

/// The part of the large model that a stage takes the time of: that of the real model which it has,
/// if every stage has a part.
double share_of(const std::vector<StagePlace>& places, std::size_t stage,
                std::uint32_t real_layers) {
  if (places.size() > real_layers)
    return 1.0 / static_cast<double>(places.size());
  const LayerRange layers = places[stage].layers;
  return static_cast<double>(layers.end - layers.first) / real_layers;
}

}  // namespace

EmulationConfig emulation_of(const DeviceProfile& profile, const BenchCase& what,
                             const std::vector<StagePlace>& places, std::uint32_t layers,
                             EmulationRecorder* recorder, double vocabulary) {
  EmulationConfig config;
  auto lead = std::chrono::duration<double, std::milli>(profile.ready_lead_ms);
  for (std::size_t stage = 0; stage < places.size(); ++stage)
    config.stages.push_back(
        {profile.stage(profile.stage_layers(stage, places.size(), share_of(places, stage, layers))),
         profile.link(what.link_mbps),
         static_cast<std::uint64_t>(std::chrono::round<EmulationSpan>(lead).count())});
  config.first_link = profile.first_link(what.link_mbps);
  config.control_link = profile.link(what.link_mbps);
  config.draft = profile.draft(what.draft_type, vocabulary);
  config.head = profile.head();
  if (profile.draft_place == DraftPlace::first_stage)
    config.draft_on_stage = 0;
  else if (profile.draft_place == DraftPlace::last_stage)
    config.draft_on_stage = static_cast<std::uint32_t>(places.size() - 1);
  config.recorder = recorder;
  return config;
}

Request request_of(const Engine& engine, const BenchCase& what, const BenchPrompt& prompt,
                   std::size_t index) {
  const Tokenizer& tokenizer = engine.target().tokenizer;
  Request request;
  request.prompt = tokenizer.encode(prompt.text, {.add_eos = false});
  auto size = request.prompt.size();
  if (size == 0 || size >= engine.context() || size >= limits::tokens)
    throw RuntimeError(
        fmt::format("prompt {} has {} tokens; it needs one at least, and fewer than "
                    "the context of {}",
                    index + 1, size, engine.context()));
  auto room = static_cast<std::uint32_t>(engine.context() - size);
  request.max_tokens = std::min(what.max_tokens, room);
  // A different seed for every prompt, or all prompts would use the same random numbers.
  request.sampling = {.temperature = what.temperature, .seed = what.seed + index};
  request.tokenizer = std::make_shared<const Tokenizer>(tokenizer);
  return request;
}

void check_same_text(const std::vector<Token>& text, const std::vector<Token>& expected,
                     const std::string& name, const std::string& other) {
  if (text == expected)
    return;
  auto [here, there] = std::ranges::mismatch(text, expected);
  throw RuntimeError(ErrorCode::internal,
                     fmt::format("{} is another text than {}, from token {} on", name, other,
                                 here - text.begin() + 1));
}

DecodeWindow add_report(const Report& report, EmulationTime start, std::size_t index,
                        BenchRun& run) {
  if (report.finish == Finish::failed)
    throw RuntimeError(ErrorCode::internal, fmt::format("prompt {}: {}", index + 1, report.error));
  PromptRun prompt;
  prompt.prompt_tokens = report.prompt_tokens;
  prompt.tokens = static_cast<std::uint32_t>(report.tokens.size());
  prompt.verifications = static_cast<std::uint32_t>(report.verifications);
  prompt.prefill_s = static_cast<double>(report.prefill_us) * 1e-6;
  prompt.decode_s = static_cast<double>(report.decode_us) * 1e-6;
  run.prompts.push_back(prompt);
  run.seconds += prompt.decode_s;
  start += std::chrono::microseconds(report.prefill_us);
  return {start, start + std::chrono::microseconds(report.decode_us)};
}

}  // namespace flowspec
