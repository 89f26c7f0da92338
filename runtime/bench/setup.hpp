#pragma once
/// What the benchmark's two runners have in common: the case becomes options, a policy, devices and
/// sessions.

#include <cstddef>
#include <optional>
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

/// The case's profile, if it has one. Throws RuntimeError.
std::optional<DeviceProfile> profile_of(const BenchCase& what);

/// What computes the case, and where. The stages are the case's, else the profile's.
RunSpec spec_of(const BenchCase& what, const std::optional<DeviceProfile>& profile);

/// The mode's policy without the ablation. Throws RuntimeError.
DraftPolicy policy_of(const BenchCase& what, std::uint32_t stages);

/// Devices and links for stages at these places of a model of `layers` layers: a stage has the same
/// share of the emulated model.
EmulationConfig emulation_of(const DeviceProfile& profile, const BenchCase& what,
                             const std::vector<StagePlace>& places, std::uint32_t layers,
                             EmulationRecorder* recorder);

/// What one prompt asks for; limits and client are left to the caller. Throws RuntimeError where
/// the prompt leaves no room.
Request request_of(const Engine& engine, const BenchCase& what, const BenchPrompt& prompt,
                   std::size_t index);

/// Puts the figures of a session that began at `start` into the run; gives its decode window.
/// Throws RuntimeError where the session failed.
DecodeWindow add_report(const Report& report, EmulationTime start, std::size_t index,
                        BenchRun& run);

}  // namespace flowspec
