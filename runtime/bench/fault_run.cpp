#include "runtime/bench/fault_run.hpp"

#include <algorithm>
#include <chrono>
#include <span>

#include <fmt/format.h>

#include "runtime/bench/setup.hpp"
#include "runtime/bench/virtual_world.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

double seconds(EmulationSpan span) {
  return std::chrono::duration<double>(span).count();
}

EmulationSpan span_of(double seconds) {
  return std::chrono::round<EmulationSpan>(std::chrono::duration<double>(seconds));
}

/// One text, disturbed.
class FaultedRun {
 public:
  FaultedRun(const Engine& engine, const BenchCase& what, const DeviceProfile& profile,
             const BenchExtras& extras, FaultWay way)
      : what_(what),
        way_(way),
        world_(engine, what, profile,
               {.devices = extras.devices,
                .spares = static_cast<std::uint32_t>(what.faults.size()),
                .recovers = way != FaultWay::full_read,
                .keeps_output = way == FaultWay::replay}) {}

  /// The answer. @param first_token  how long it takes to come.
  std::vector<Token> run(Request request, EmulationSpan first_token, const std::string& name) {
    begin_ = world_.now() + first_token;
    for (const BenchFault& fault : what_.faults)
      world_.at(begin_ + fault.after, [this, stage = fault.stage] {
        losses_.push_back({world_.now(), world_.recording().text_tokens()});
        world_.lose(stage);
      });
    std::vector<Token> text;
    for (;;) {
      auto start = world_.now();
      auto report = world_.run(request, name);
      end_ = start + std::chrono::microseconds(report.prefill_us + report.decode_us);
      recoveries_ += report.recoveries;
      text.insert(text.end(), report.tokens.begin(), report.tokens.end());
      if (report.finish != Finish::failed)
        return text;
      if (way_ != FaultWay::full_read || restarts_++ == what_.faults.size())
        throw RuntimeError(ErrorCode::internal, fmt::format("{}: {}", name, report.error));
      request.prompt.insert(request.prompt.end(), report.tokens.begin(), report.tokens.end());
      request.max_tokens -= static_cast<std::uint32_t>(report.tokens.size());
      world_.make_again();
    }
  }

  double decode_s() const { return seconds(end_ - begin_); }
  bool was_disturbed() const { return recoveries_ + restarts_ > 0; }

  /// Those that overlap are one.
  std::vector<DecodeWindow> pauses() const {
    std::vector<DecodeWindow> list;
    EmulationTime until;
    for (const Loss& loss : losses_) {
      auto from = std::max(loss.at, until);
      until = std::max(until, world_.recording().grown_beyond(loss.text_tokens).value_or(end_));
      if (until > from)
        list.push_back({from, until});
    }
    return list;
  }

  double stage_seconds(std::span<const DecodeWindow> windows) const {
    return world_.recording().stage_seconds(windows);
  }

 private:
  struct Loss {
    EmulationTime at;
    /// That had been accepted, the prompt included.
    Position text_tokens;
  };

  const BenchCase& what_;
  FaultWay way_;
  /// Of the undisturbed answer's first token.
  EmulationTime begin_;
  EmulationTime end_;
  std::vector<Loss> losses_;
  std::uint32_t recoveries_ = 0;
  std::size_t restarts_ = 0;
  VirtualWorld world_;
};

}  // namespace

void check_faults(const BenchCase& what, const DeviceProfile& profile) {
  auto stages = what.stages != 0 ? what.stages : profile.stages;
  for (const BenchFault& fault : what.faults) {
    auto text = text_of({&fault, 1});
    if (fault.stage >= stages)
      throw RuntimeError(fmt::format("--fault {}: with {} there are {} stages, stage0 to stage{}",
                                     text, what.profile, stages, stages - 1));
    bool has_draft = (profile.draft_place == DraftPlace::first_stage && fault.stage == 0) ||
                     (profile.draft_place == DraftPlace::last_stage && fault.stage + 1 == stages);
    if (has_draft)
      throw RuntimeError(
          fmt::format("--fault {}: with {} draft and verifier are on this stage's device, and end "
                      "the run with it: name another stage",
                      text, what.profile));
  }
}

void run_faults(const Engine& engine, const DeviceProfile& profile,
                const std::vector<BenchPrompt>& prompts,
                const std::vector<std::vector<Token>>& texts, const BenchExtras& extras,
                BenchRun& run) {
  const BenchCase& what = run.what;
  double longest = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const PromptRun& undisturbed = run.prompts[i];
    longest = std::max(longest, undisturbed.decode_s);
    if (span_of(undisturbed.decode_s) <= what.faults.back().after)
      continue;
    for (FaultWay way : fault_ways) {
      auto name =
          fmt::format("prompt {} with {} and {}", i + 1, text_of(what.faults), name_of(way));
      FaultedRun faulted(engine, what, profile, extras, way);
      auto text = faulted.run(request_of(engine, what, prompts[i], i),
                              span_of(undisturbed.prefill_s), name);
      check_same_text(text, texts[i], name, "the undisturbed one");
      if (!faulted.was_disturbed())
        throw RuntimeError(ErrorCode::internal, name + ": the loss was not noticed");
      auto pauses = faulted.pauses();
      FaultedText result{.way = way, .tokens = static_cast<std::uint32_t>(text.size())};
      for (const DecodeWindow& pause : pauses)
        result.pause_s += seconds(pause.end - pause.start);
      result.stages_s = faulted.stage_seconds(pauses);
      result.decode_s = faulted.decode_s();
      result.undisturbed_s = undisturbed.decode_s;
      run.faulted.push_back(result);
    }
  }
  if (run.faulted.empty())
    throw RuntimeError(
        ErrorCode::does_not_fit,
        fmt::format("--fault {} was never reached: the longest answer took {:.1f} s "
                    "after its first token; lose a device earlier, or let --max-tokens "
                    "allow for longer answers",
                    text_of(what.faults), longest));
}

}  // namespace flowspec
