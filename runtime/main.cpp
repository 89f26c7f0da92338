#include <exception>
#include <iostream>

#include "models/formats/mapping_guard.hpp"
#include "runtime/bench/bench_main.hpp"
#include "runtime/cluster/freed_memory.hpp"
#include "runtime/cluster/room_to_start.hpp"
#include "runtime/commands/chat.hpp"
#include "runtime/commands/cluster_command.hpp"
#include "runtime/commands/command_line.hpp"
#include "runtime/commands/generate.hpp"
#include "runtime/commands/nodes_command.hpp"
#include "runtime/commands/plan_command.hpp"
#include "runtime/commands/serve.hpp"
#include "runtime/commands/up.hpp"
#include "runtime/console/failure.hpp"
#include "runtime/console/logging.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/signals.hpp"
#include "runtime/engine_bench/engine_bench.hpp"
#include "runtime/hop_bench/hop_bench.hpp"
#include "runtime/verify/verify.hpp"

namespace {

using namespace flowspec;

Verbosity verbosity_of(const CommandLine& line) {
  if (line.generate)
    return line.generate->verbosity;
  if (line.serve)
    return line.serve->verbosity;
  return line.chat ? line.chat->verbosity : Verbosity::normal;
}

ExitCode run(const CommandLine& line) {
  // These commands take signals themselves.
  if (line.generate)
    return generate(*line.generate);
  if (line.chat)
    return chat(*line.chat);
  if (line.serve)
    return serve(*line.serve);
  if (line.nodes)
    return show_nodes(*line.nodes);
  if (line.cluster)
    return run_cluster(*line.cluster);
  if (line.plan)
    return show_plan(*line.plan);
  if (line.verify)
    return verify(*line.verify);
  if (line.up)
    return up(*line.up);
  Signals signals([](int) { leave(ExitCode::cancelled); });
  if (line.engine_bench)
    return run_engine_bench(*line.engine_bench, std::cout, std::cerr);
  if (line.hop_bench)
    return run_hop_bench(*line.hop_bench, std::cout);
  if (line.bench)
    return run_bench(*line.bench);
  if (line.tokenize)
    return tokenize(*line.tokenize);
  return static_cast<ExitCode>(line.exit_code);
}

}  // namespace

int main(int argc, char** argv) {
  set_up_output("flowspec");
  hold_signals();
  guard_mapped_files();
  prepare_for_limits();
  return_freed_memory();
  try {
    auto line = parse_command_line(argc, argv);
    set_up_logging("flowspec", verbosity_of(line));
    return static_cast<int>(check_output(run(line)));
  } catch (const std::exception&) {
    return static_cast<int>(tell_failure());
  }
}
