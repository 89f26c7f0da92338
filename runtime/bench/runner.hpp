#pragma once
/// Runs a benchmark case: in virtual time on emulated devices, or in real time on emulated devices
/// or on this machine, or a cluster, as it is.

#include <string>
#include <vector>

#include "runtime/bench/bench_run.hpp"
#include "runtime/bench/prompts.hpp"
#include "runtime/cluster/network_options.hpp"

namespace flowspec {

/// What a run gives beside its figures, if it is wanted.
struct BenchExtras {
  std::vector<TraceEvent>* trace = nullptr;
  /// The tokens of every prompt's answer.
  std::vector<std::vector<Token>>* texts = nullptr;
};

/// One session per prompt, one after another, in one pipeline. All of it is one thread's work, and
/// exactly repeatable; several threads may run cases at the same time. Throws RuntimeError and
/// ModelError; also where the case has no profile.
BenchRun run_virtual(const BenchCase& what, const std::vector<BenchPrompt>& prompts,
                     const BenchExtras& extras = {});

/// Where the stages of a run in real time are; none named: in this process.
struct BenchNodes {
  std::string cluster_file;
  std::vector<std::string> nodes;
  NetworkOptions network;
};

/// The same under the real clock, where what is really computed counts as a part of the emulated
/// time. Without a profile, and of stages on nodes, `devices` is what the stages themselves count:
/// prefill included, and it is not known which rows were kept.
BenchRun run_real(const BenchCase& what, const std::vector<BenchPrompt>& prompts,
                  const BenchNodes& nodes, const BenchExtras& extras = {});

}  // namespace flowspec
