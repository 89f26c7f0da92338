#pragma once
/// The commands of `flowspec`, each with its options.

#include <optional>

#include "runtime/bench/bench_options.hpp"
#include "runtime/commands/answer_options.hpp"
#include "runtime/commands/cluster_options.hpp"
#include "runtime/commands/nodes_options.hpp"
#include "runtime/commands/plan_options.hpp"
#include "runtime/commands/serve_options.hpp"
#include "runtime/commands/tokenize.hpp"
#include "runtime/commands/up_options.hpp"
#include "runtime/engine_bench/engine_bench_options.hpp"
#include "runtime/hop_bench/hop_bench_options.hpp"
#include "runtime/verify/verify_options.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// The result of parsing: one of the commands, or only an exit code because everything has been
/// printed (--help).
struct CommandLine {
  std::optional<GenerateOptions> generate;
  std::optional<ChatOptions> chat;
  std::optional<ServeOptions> serve;
  std::optional<NodesOptions> nodes;
  std::optional<ClusterOptions> cluster;
  std::optional<PlanOptions> plan;
  std::optional<BenchOptions> bench;
  std::optional<EngineBenchOptions> engine_bench;
  std::optional<HopBenchOptions> hop_bench;
  std::optional<VerifyOptions> verify;
  std::optional<TokenizeOptions> tokenize;
  std::optional<UpOptions> up;
  int exit_code = 0;
};

/// Prints help itself. Throws RuntimeError for mistakes and for options that contradict each other.
CommandLine parse_command_line(int argc, const char* const* argv);

/// The variables that the options of the commands are stored in.
struct CommandOptions {
  GenerateOptions generate;
  ChatOptions chat;
  ServeOptions serve;
  NodesOptions nodes;
  ClusterOptions cluster;
  PlanOptions plan;
  BenchOptions bench;
  EngineBenchOptions engine_bench;
  HopBenchOptions hop_bench;
  VerifyOptions verify;
  TokenizeOptions tokenize;
  UpOptions up;
};
void add_commands(CLI::App& app, CommandOptions& options);

}  // namespace flowspec
