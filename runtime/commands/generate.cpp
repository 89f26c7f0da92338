#include "runtime/commands/generate.hpp"

#include <caf/all.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "runtime/cluster/ask.hpp"
#include "runtime/commands/client.hpp"
#include "runtime/run/planned_run.hpp"
#include "runtime/run/run.hpp"
#include "runtime/run/submit.hpp"

namespace flowspec {

namespace {

Request prompt_request(const Engine& engine, const GenerateOptions& options) {
  auto text = read_prompt(options);
  check_prompt_size(engine, text.size(), engine.context());
  // The text continues, even if the model's tokenizer adds an end-of-text token.
  auto prompt = engine.target().tokenizer.encode(text, {.add_eos = false});
  if (prompt.empty())
    throw RuntimeError("the prompt is empty, and this model begins no text by itself");
  return make_request(engine, std::move(prompt), engine.context(), options);
}

void add_statistics(caf::scoped_actor& self, const CoordinatorActor& coordinator,
                    Summary& summary) {
  // Hops of a failed run may no longer answer.
  if (summary.report.finish == Finish::failed)
    return;
  try {
    auto answers =
        ask<std::vector<StageStatsMessage>>(self, coordinator, std::chrono::seconds(5), stats_a_v);
    if (answers.size() != summary.hops.size())
      return;
    for (const StageStatsMessage& answer : answers)
      if (auto stats = answer.read())
        summary.stats.push_back(*stats);
    // Parts that were made again are elsewhere.
    auto places =
        ask<std::vector<std::string>>(self, coordinator, std::chrono::seconds(5), status_a_v);
    for (std::size_t i = 0; i < summary.hops.size() && i < places.size(); ++i)
      summary.hops[i].where = places[i];
  } catch (const RuntimeError&) {
    summary.stats.clear();
  }
}

ExitCode print_outcome(const AnswerOptions& options, const Summary& summary) {
  if (options.json)
    print(json_text(summary) + "\n");
  else if (!summary.text.ends_with('\n'))
    print("\n");
  bool failed = summary.report.finish == Finish::failed;
  if (failed)
    tell(summary.report.error);
  if (!options.json && options.verbosity != Verbosity::quiet)
    tell_plainly(statistics_line(summary) + "\n");
  if (failed)
    return ExitCode::failed;
  return summary.report.finish == Finish::cancelled ? ExitCode::cancelled : ExitCode::ok;
}

ExitCode run_session(caf::actor_system& system, const Engine& engine,
                     const GenerateOptions& options, Client& client) {
  auto request = prompt_request(engine, options);  // the quick checks come first
  const auto spec = planned(system, engine, options.run,
                            static_cast<std::uint32_t>(request.prompt.size()) + request.max_tokens);
  Run run(system, engine, spec);
  caf::scoped_actor self(system);

  if (!options.json && ::isatty(STDOUT_FILENO) == 1)
    print(engine.target().tokenizer.decode(request.prompt));
  auto session = submit(self, run.coordinator(), request);
  client.signals.set_handler(
      [coordinator = run.coordinator(), session, count = 0](int signal) mutable {
        if (count++ > 0)
          leave_at_once(signal);
        caf::anon_send(coordinator, CancelMessage{{session}});
      });
  auto summary = receive_answer(self, request, !options.json, client);

  summary.mode = options.run.mode;
  summary.draft = engine.draft_name();
  summary.draft_taps = engine.draft_taps();
  summary.hops = run.hops();
  summary.forecast = spec.forecast;
  add_statistics(self, run.coordinator(), summary);
  return print_outcome(options, summary);
}

}  // namespace

ExitCode generate(GenerateOptions options) {
  // With --json an object is printed even if the text has not begun.
  auto leave_early = [is_json = options.json](int signal) {
    if (is_json)
      print(json_cancelled() + "\n");
    leave_at_once(signal);
  };
  return run_client(options, leave_early,
                    [&](caf::actor_system& system, const Engine& engine, Client& client) {
                      return run_session(system, engine, options, client);
                    });
}

}  // namespace flowspec
