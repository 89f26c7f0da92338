#include "runtime/commands/plan_command.hpp"

#include <algorithm>
#include <optional>

#include <caf/all.hpp>

#include "models/base/error.hpp"
#include "runtime/cluster/plan_report.hpp"
#include "runtime/cluster/tls.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/signals.hpp"
#include "runtime/run/borrowed_models.hpp"
#include "runtime/run/planned_run.hpp"
#include "runtime/run/with_actors.hpp"

namespace flowspec {

namespace {

ExitCode plan(PlanOptions& options) {
  check_tls(options.network);
  RunSpec& spec = options.run;
  spec.cluster = named_cluster(options.cluster_file, options.nodes);
  if (spec.cluster.nodes.empty())
    spec.cluster.nodes.push_back({"127.0.0.1", default_port});
  // The draft has no part in the plan.
  spec.draft = "none";
  Signals signals([](int) { leave(ExitCode::cancelled); });
  std::optional<Engine> opened;  // outlives the actors
  if (!borrows_models(spec))
    opened.emplace(spec);
  return with_actors(spec.cluster, options.network, [&](caf::actor_system& system) {
    if (!opened) {
      borrow_models(system, spec);
      opened.emplace(spec);
    }
    const Engine& engine = *opened;
    auto context =
        spec.context != 0 ? engine.context() : std::min(engine.context(), default_plan_context);
    auto result = plan_run(system, engine, spec, context, Unreachable::is_left_out);
    PlanReport report{engine.target().files->path().filename().string(),
                      spec.mode,
                      context,
                      std::move(result.nodes),
                      std::move(result.request),
                      std::move(result.plan)};
    print(options.json ? plan_json(report) + "\n" : plan_table(report));
    return ExitCode::ok;
  });
}

}  // namespace

ExitCode show_plan(PlanOptions options) {
  try {
    return plan(options);
  } catch (const RuntimeError& e) {
    if (options.json)
      print(plan_json_error(e.what()) + "\n");
    throw;
  } catch (const ModelError& e) {
    if (options.json)
      print(plan_json_error(e.what()) + "\n");
    throw;
  }
}

}  // namespace flowspec
