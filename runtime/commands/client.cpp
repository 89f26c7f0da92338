#include "runtime/commands/client.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "messages/limits.hpp"
#include "runtime/cluster/tls.hpp"
#include "runtime/console/failure.hpp"
#include "runtime/membership/network.hpp"
#include "runtime/run/borrowed_models.hpp"
#include "runtime/run/sampling_options.hpp"
#include "runtime/run/submit.hpp"
#include "runtime/run/with_actors.hpp"

namespace flowspec {

namespace {

ExitCode report_failure(const AnswerOptions& options, const Failure& failure) {
  if (options.json)
    print(json_error(failure.text) + "\n");
  tell(failure.text);
  return exit_code(failure.code);
}

}  // namespace

void leave_at_once(int /*signal*/) {
  leave(ExitCode::cancelled);
}

ExitCode run_client(
    AnswerOptions& options, const Signals::Handler& on_signal,
    const std::function<ExitCode(caf::actor_system&, const Engine&, Client&)>& body) {
  try {
    Client client{Signals(on_signal), PauseWatch()};
    check_tls(options.network);
    RunSpec& spec = options.run;
    spec.cluster =
        named_cluster(options.cluster_file, options.nodes, options.spares, options.place);
    options.network = network_for(options.network, spec.cluster.nodes);
    spec.shows_progress = options.verbosity != Verbosity::quiet;
    std::optional<Engine> engine;  // outlives the actors
    if (!borrows_models(spec))
      engine.emplace(spec);
    return with_actors(spec.cluster, options.network, [&](caf::actor_system& system) {
      auto code = ExitCode::ok;
      try {
        if (!engine) {
          borrow_models(system, spec);
          engine.emplace(spec);
        }
        code = body(system, *engine, client);
      } catch (const RuntimeError& e) {
        code = report_failure(options, {e.code(), client.pauses.explain(e.what())});
      }
      client.signals.set_handler(leave_at_once);
      return code;
    });
  } catch (const std::exception&) {
    return report_failure(options, current_failure());
  }
}

void check_prompt_size(const Engine& engine, std::size_t bytes, std::uint32_t context) {
  if (auto least = engine.target().tokenizer.least_tokens(bytes); least >= context)
    throw RuntimeError(
        fmt::format("the prompt has {} bytes, and so {} tokens at least; the context of {} leaves "
                    "no room for an answer. Shorten it, or ask for a larger --context.",
                    bytes, least, context));
}

Request make_request(const Engine& engine, std::vector<Token> prompt, std::uint32_t context,
                     const AnswerOptions& options) {
  if (prompt.size() >= context || prompt.size() >= limits::tokens)
    throw RuntimeError(
        fmt::format("the prompt has {} tokens; the context of {} leaves no room for an answer. "
                    "Shorten it, or ask for a larger --context.",
                    prompt.size(), context));
  check(options.sampling, engine.target().config.vocab_size);
  Request request;
  request.max_tokens =
      std::min(options.max_tokens, static_cast<std::uint32_t>(context - prompt.size()));
  request.sampling = options.sampling;
  request.prompt = std::move(prompt);
  request.stop = options.stop;
  request.tokenizer = std::make_shared<const Tokenizer>(engine.target().tokenizer);
  request.progress_limit = options.progress_limit;
  return request;
}

Summary receive_answer(caf::scoped_actor& self, const Request& request, bool streams,
                       Client& client) {
  Summary summary;
  summary.report = receive_report(self, request, [&](TextDelta& delta) {
    summary.text += delta.text;
    std::ranges::move(delta.tokens, std::back_inserter(summary.logprobs));
    if (streams && !print(delta.text))
      throw RuntimeError(ErrorCode::internal, output_problem());
  });
  summary.tokenizer = request.tokenizer;
  summary.cached_tokens = summary.report.cached_tokens;
  if (summary.report.finish == Finish::failed)
    summary.report.error = client.pauses.explain(std::move(summary.report.error));
  return summary;
}

}  // namespace flowspec
