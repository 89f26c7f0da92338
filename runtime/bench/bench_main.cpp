#include "runtime/bench/bench_main.hpp"

#include <algorithm>
#include <iostream>

#include <spdlog/spdlog.h>

#include "actors/policy/ablations.hpp"
#include "actors/policy/modes/modes.hpp"
#include "runtime/bench/bench_command.hpp"
#include "runtime/bench/runner.hpp"
#include "runtime/cluster/cluster.hpp"
#include "runtime/cluster/tls.hpp"
#include "runtime/membership/network.hpp"

namespace flowspec {

namespace {

BenchRunner runner_for(const BenchOptions& options) {
  if (options.is_virtual)
    return [](const BenchCase& what, const std::vector<BenchPrompt>& prompts,
              std::vector<TraceEvent>* trace) {
      return run_virtual(what, prompts, {.trace = trace, .texts = nullptr});
    };
  auto addresses = named_cluster(options.cluster_file, options.nodes).nodes;
  BenchNodes nodes{options.cluster_file, options.nodes, network_for(options.network, addresses)};
  return [nodes](const BenchCase& what, const std::vector<BenchPrompt>& prompts,
                 std::vector<TraceEvent>* trace) {
    return run_real(what, prompts, nodes, {.trace = trace, .texts = nullptr});
  };
}

}  // namespace

ExitCode run_bench(const BenchOptions& options) {
  check_tls(options.network);
  // The table tells of every loss; the coordinators would tell it once more, for each text.
  if (!options.faults.empty())
    spdlog::set_level(std::max(spdlog::get_level(), spdlog::level::err));
  return bench(options, {published_mode_names(), ablation_names()}, runner_for(options), std::cout,
               std::cerr);
}

}  // namespace flowspec
