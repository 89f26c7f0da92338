#include "runtime/commands/plan_options.hpp"

#include <fmt/format.h>

#include "actors/policy/modes/modes.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/error.hpp"
#include "runtime/run/sampling_options.hpp"

namespace flowspec {

void add_plan(CLI::App& app, PlanOptions& options) {
  RunSpec& run = options.run;
  app.add_option("-m,--model", run.model,
                 "GGUF file, or folder with config.json and safetensors, or the name of one that "
                 "the nodes have (default: the small model that comes with the program)");
  app.add_option("--mode", run.mode, "How to decode (default flowspec)")
      ->check(CLI::IsMember(std::vector<std::string>(mode_names().begin(), mode_names().end())));
  app.add_option("--context", run.context,
                 fmt::format("Tokens of a session, for which there has to be KV (default: as the "
                             "model says, {} at most)",
                             default_plan_context));
  add_kv_type_option(app, run.kv_type);
  add_hidden_type_option(app, run.hidden_type);
  add_numerics_option(app, run.numerics);
  add_cluster_options(app, options.cluster_file, options.nodes);
  app.add_option("--threads", run.threads, "Threads of a node, at most (default: its cores)")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--json", options.json, "Print one JSON object instead of a table");
  add_network_options(app, options.network);
  app.footer(exit_codes_text);
}

}  // namespace flowspec
