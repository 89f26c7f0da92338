#include "runtime/client.hpp"

#include <algorithm>
#include <optional>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/actor_threads.hpp"
#include "actors/text_error.hpp"
#include "messages/limits.hpp"
#include "runtime/failure.hpp"
#include "runtime/system_config.hpp"
#include "runtime/tls.hpp"

namespace flowspec {

namespace {

ExitCode report_failure(const GenerateOptions& options, const Failure& failure) {
  if (options.json)
    print(json_error(failure.text) + "\n");
  tell(failure.text);
  return failure.code;
}

}  // namespace

void leave_at_once(int /*signal*/) {
  leave(ExitCode::cancelled);
}

ExitCode run_client(
    const GenerateOptions& options, const Signals::Handler& on_signal,
    const std::function<ExitCode(caf::actor_system&, const Engine&, Client&)>& body) {
  auto code = ExitCode::ok;
  try {
    Client client{Signals(on_signal), PauseWatch()};
    check_tls(options.network.tls);
    Engine engine(options);
    SystemConfig config;
    if (!options.nodes.empty() || !options.cluster_file.empty())
      config.enable_network(options.network);
    std::optional<ExitLimit> exit_limit;  // outlives the system
    caf::actor_system system(config);
    ActorThreads threads(system);
    try {
      code = body(system, engine, client);
    } catch (const RuntimeError& e) {
      code = report_failure(options, {e.code(), client.pauses.explain(e.what())});
    }
    code = check_output(code);
    client.signals.set_handler(leave_at_once);
    exit_limit.emplace(3, static_cast<int>(code));
  } catch (const std::exception&) {
    code = report_failure(options, current_failure());
  }
  return code;
}

void check_prompt_size(const Engine& engine, std::size_t bytes, std::uint32_t context) {
  if (auto least = engine.target().tokenizer.least_tokens(bytes); least >= context)
    throw RuntimeError(
        fmt::format("the prompt has {} bytes, and so {} tokens at least; the context of {} leaves "
                    "no room for an answer. Shorten it, or ask for a larger --context.",
                    bytes, least, context));
}

SessionConfig make_session(const Engine& engine, std::vector<Token> prompt, std::uint32_t context,
                           const GenerateOptions& options) {
  if (prompt.size() >= context || prompt.size() >= limits::tokens)
    throw RuntimeError(
        fmt::format("the prompt has {} tokens; the context of {} leaves no room for an answer. "
                    "Shorten it, or ask for a larger --context.",
                    prompt.size(), context));
  SessionConfig session;
  session.max_tokens =
      std::min(options.max_tokens, static_cast<std::uint32_t>(context - prompt.size()));
  const SamplerOptions& how = options.sampling;
  session.open.sampling = {how.temperature, how.top_k, how.top_p, how.seed};
  session.open.root = 1;
  session.open.prompt = std::move(prompt);
  session.stop = options.stop;
  session.tokenizer = std::make_shared<const Tokenizer>(engine.target().tokenizer);
  session.progress_limit = options.progress_limit;
  return session;
}

Summary receive_answer(caf::scoped_actor& self, const SessionConfig& session, bool streams,
                       Client& client) {
  // The session reports by itself within these; should it not, the wait ends all the same.
  auto limit = 2 * session.progress_limit + session.close_limit + std::chrono::seconds(10);
  Summary summary;
  summary.kept = session.open.kept;
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
            error = output_problem();
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
  if (summary.report.finish == Finish::failed)
    summary.report.error = client.pauses.explain(std::move(summary.report.error));
  return summary;
}

}  // namespace flowspec
