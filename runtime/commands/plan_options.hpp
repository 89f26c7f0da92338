#pragma once

#include <string>
#include <vector>

#include "runtime/cluster/network_options.hpp"
#include "runtime/run/run_spec.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// Options of `flowspec plan`.
struct PlanOptions {
  /// Model, mode, context and types. `run.cluster` is filled in from the next two.
  RunSpec run;
  std::string cluster_file;
  std::vector<std::string> nodes;
  NetworkOptions network;
  bool json = false;
};

/// Tokens of a session if `--context` does not say.
inline constexpr std::uint32_t default_plan_context = 4096;

void add_plan(CLI::App& app, PlanOptions& options);

}  // namespace flowspec
