#include "runtime/generate.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "messages/limits.hpp"
#include "runtime/ask.hpp"
#include "runtime/report.hpp"
#include "runtime/run.hpp"
#include "runtime/signals.hpp"
#include "runtime/system_config.hpp"

namespace flowspec {

namespace {

constexpr SessionId session_id = 1;

[[noreturn]] void leave_at_once(int /*signal*/) {
  std::_Exit(static_cast<int>(ExitCode::cancelled));
}

SessionConfig make_session(const Engine& engine, const DraftPolicy& policy,
                           const GenerateOptions& options) {
  const Tokenizer& tokenizer = engine.target().tokenizer;
  SessionConfig session;
  session.open.session = session_id;
  session.open.root = 1;
  session.open.prompt = tokenizer.encode(read_prompt(options));
  auto prompt = session.open.prompt.size();
  if (prompt == 0)
    throw RuntimeError("the prompt is empty, and this model begins no text by itself");
  if (prompt >= engine.context() || prompt >= limits::tokens)
    throw RuntimeError(
        fmt::format("the prompt has {} tokens; the context of {} leaves no room for an answer. "
                    "Shorten it, or ask for a larger --context.",
                    prompt, engine.context()));
  auto room = static_cast<std::uint32_t>(engine.context() - prompt);
  session.max_tokens = std::min(options.max_tokens, room);
  const SamplerOptions& how = options.sampling;
  session.open.sampling = {how.temperature, how.top_k, how.top_p, how.seed};
  // The last token is only written, never read.
  session.open.position_limit = static_cast<Position>(prompt) + session.max_tokens - 1;
  session.open.slots = session_slots(policy, session.open.position_limit);
  session.stop = options.stop;
  session.tokenizer = std::make_shared<const Tokenizer>(tokenizer);
  session.progress_limit = options.progress_limit;
  return session;
}

/// False where nobody reads it any more.
bool print(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

/// Takes the session's text as it comes, and its report. Throws RuntimeError where no report comes.
Summary receive_answer(caf::scoped_actor& self, const SessionConfig& session, bool streams) {
  // The session reports by itself within these; should it not, the wait ends all the same.
  auto limit = session.progress_limit + session.close_limit + std::chrono::seconds(10);
  Summary summary;
  bool done = false;
  std::string error;
  while (!done && error.empty())
    self->receive(
        [&](const TextDeltaMessage& message) {
          auto delta = message.read();
          if (!delta)
            return;
          summary.text += delta->text;
          if (streams && !print(delta->text))
            error = "standard output is closed";
        },
        [&](const ReportMessage& message) {
          done = true;
          if (auto report = message.read())
            summary.report = std::move(*report);
          else
            error = error_text(report.error());
        },
        caf::after(limit) >> [&] { error = "the session gives no sign of life"; });
  if (!error.empty())
    throw RuntimeError(ExitCode::failed, error);
  return summary;
}

void add_statistics(caf::scoped_actor& self, const CoordinatorActor& coordinator,
                    Summary& summary) {
  // Hops of a failed run may not answer any more.
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
  } catch (const RuntimeError&) {
    summary.stats.clear();
  }
}

ExitCode print_outcome(const GenerateOptions& options, const Summary& summary) {
  if (options.json)
    print(json_text(summary) + "\n");
  else if (!summary.text.ends_with('\n'))
    print("\n");
  bool failed = summary.report.finish == Finish::failed;
  if (failed)
    fmt::print(stderr, "flowspec: {}\n", summary.report.error);
  if (!options.json && options.verbosity != Verbosity::quiet)
    fmt::print(stderr, "{}\n", statistics_line(summary));
  if (failed)
    return ExitCode::failed;
  return summary.report.finish == Finish::cancelled ? ExitCode::cancelled : ExitCode::ok;
}

ExitCode run_session(caf::actor_system& system, const Engine& engine,
                     const GenerateOptions& options, Signals& signals) {
  auto policy = mode_policy(options.mode, 1);
  auto session = make_session(engine, *policy, options);  // the quick checks come first
  Run run(system, engine, options);
  session.open.slots = session_slots(run.policy(), session.open.position_limit);
  caf::scoped_actor self(system);
  session.client = caf::actor_cast<caf::actor>(self);

  if (!options.json && ::isatty(STDOUT_FILENO) == 1)
    print(engine.target().tokenizer.decode(session.open.prompt));
  ask<SessionActor>(self, run.coordinator(), std::chrono::seconds(10), submit_a_v,
                    SessionRequest{session});
  signals.set_handler([coordinator = run.coordinator(), count = 0](int signal) mutable {
    if (count++ > 0)
      leave_at_once(signal);
    caf::anon_send(coordinator, CancelMessage{{session_id}});
  });
  auto summary = receive_answer(self, session, !options.json);
  signals.set_handler(leave_at_once);

  summary.mode = options.mode;
  summary.draft = engine.draft_name();
  summary.hops = run.hops();
  add_statistics(self, run.coordinator(), summary);
  return print_outcome(options, summary);
}

ExitCode report_failure(const GenerateOptions& options, ExitCode code, const std::string& error) {
  if (options.json)
    print(json_error(error) + "\n");
  fmt::print(stderr, "flowspec: {}\n", error);
  return code;
}

}  // namespace

ExitCode generate(const GenerateOptions& options) {
  auto code = ExitCode::ok;
  try {
    Signals signals(leave_at_once);
    check_tls(options.network.tls);
    Engine engine(options);
    SystemConfig config;
    if (!options.nodes.empty() || !options.cluster_file.empty())
      config.enable_network(options.network);
    std::optional<ExitLimit> exit_limit;  // outlives the system
    caf::actor_system system(config);
    try {
      code = run_session(system, engine, options, signals);
    } catch (const RuntimeError& e) {
      code = report_failure(options, e.code(), e.what());
    }
    signals.set_handler(leave_at_once);
    exit_limit.emplace(3, static_cast<int>(code));
  } catch (const RuntimeError& e) {
    code = report_failure(options, e.code(), e.what());
  } catch (const std::exception& e) {
    code = report_failure(options, ExitCode::usage, e.what());
  }
  return code;
}

}  // namespace flowspec
