#pragma once
/// What the two runners have in common: turns the case into options, a policy, devices and
/// sessions.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "actors/emulation/emulation.hpp"
#include "actors/pipeline/session.hpp"
#include "actors/policy/policy.hpp"
#include "runtime/bench/bench_run.hpp"
#include "runtime/bench/prompts.hpp"
#include "runtime/bench/recording.hpp"
#include "runtime/cluster/placement.hpp"
#include "runtime/cluster/profile.hpp"
#include "runtime/run/engine.hpp"
#include "runtime/run/run_spec.hpp"

namespace flowspec {

/// The case's profile, if it has one, with the case's type of hidden states. Throws RuntimeError.
std::optional<DeviceProfile> profile_of(const BenchCase& what);

/// The models, and where they compute. The number of stages is the case's, else the profile's.
RunSpec spec_of(const BenchCase& what, const std::optional<DeviceProfile>& profile);

/// The mode's policy with the ablation applied. Throws RuntimeError.
DraftPolicy policy_of(const BenchCase& what, std::uint32_t stages);

/// Devices and links for stages at these places of a model of `layers` layers: a stage gets the
/// share of the emulated model that it has of the real one.
/// @param vocabulary  the part of the vocabulary that the draft computes logits for.
EmulationConfig emulation_of(const DeviceProfile& profile, const BenchCase& what,
                             const std::vector<StagePlace>& places, std::uint32_t layers,
                             EmulationRecorder* recorder, double vocabulary = 1);

/// The request for one prompt, without limits and client, which the caller sets. Throws
/// RuntimeError if the prompt leaves no room for an answer.
Request request_of(const Engine& engine, const BenchCase& what, const BenchPrompt& prompt,
                   std::size_t index);

/// Throws RuntimeError if the two differ; `name` says whose text it is, `other` which one it should be.
void check_same_text(const std::vector<Token>& text, const std::vector<Token>& expected,
                     const std::string& name, const std::string& other);

/// Adds the figures of a session that began at `start` to the run; returns its decode window.
/// Throws RuntimeError if the session failed.
DecodeWindow add_report(const Report& report, EmulationTime start, std::size_t index,
                        BenchRun& run);

}  // namespace flowspec
