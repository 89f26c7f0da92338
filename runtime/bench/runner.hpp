#pragma once
/// Runs a benchmark case: in virtual time on emulated devices, or in real time on emulated devices,
/// on this machine or on a cluster.

#include <functional>
#include <string>
#include <vector>

#include "runtime/bench/bench_run.hpp"
#include "runtime/bench/prompts.hpp"
#include "runtime/cluster/network_options.hpp"

namespace flowspec {

struct EmulationConfig;

/// Optional results of a run beside its figures.
struct BenchExtras {
  std::vector<TraceEvent>* trace = nullptr;
  /// The tokens of every prompt's answer.
  std::vector<std::vector<Token>>* texts = nullptr;
  /// Changes the emulated devices of a run in virtual time; empty: they are as the profile says.
  std::function<void(EmulationConfig&)> devices = {};
};

/// One session per prompt, one after another, in one pipeline. Everything runs on the calling
/// thread and is exactly repeatable; several threads may run cases at the same time. Throws
/// RuntimeError and ModelError; also if the case has no profile.
BenchRun run_virtual(const BenchCase& what, const std::vector<BenchPrompt>& prompts,
                     const BenchExtras& extras = {});

/// The nodes for the stages of a run in real time; none: the stages run in this process.
struct BenchNodes {
  std::string cluster_file;
  std::vector<std::string> nodes;
  NetworkOptions network;
};

/// The same under the real clock, where the time of the real computation counts as part of the
/// emulated time. Without a profile, and for stages on nodes, `devices` has the stages' own counts:
/// they include prefill, and which rows were kept is not known.
BenchRun run_real(const BenchCase& what, const std::vector<BenchPrompt>& prompts,
                  const BenchNodes& nodes, const BenchExtras& extras = {});

}  // namespace flowspec
