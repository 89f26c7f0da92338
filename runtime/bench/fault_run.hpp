#pragma once

#include <vector>

#include "messages/types.hpp"
#include "runtime/bench/prompts.hpp"
#include "runtime/bench/runner.hpp"
#include "runtime/cluster/profile.hpp"
#include "runtime/run/engine.hpp"

namespace flowspec {

/// Refuses faults of stages that there are not, or that share the draft's device, whose loss is the end of
/// any run. Throws RuntimeError.
void check_faults(const BenchCase& what, const DeviceProfile& profile);

/// Generates the texts again, disturbed by the case's faults, and adds to `run.faulted`.
/// @param run    has the undisturbed run's prompts.
/// @param texts  the undisturbed answers.
/// Throws RuntimeError if an answer differs from the undisturbed one, or if no text lasts until the last fault.
void run_faults(const Engine& engine, const DeviceProfile& profile,
                const std::vector<BenchPrompt>& prompts,
                const std::vector<std::vector<Token>>& texts, const BenchExtras& extras,
                BenchRun& run);

}  // namespace flowspec
