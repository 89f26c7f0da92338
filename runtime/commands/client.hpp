#pragma once
/// What commands that write text do alike: set up, take the answer of a session, say how it went.

#include <functional>
#include <string>

#include <caf/fwd.hpp>

#include "actors/pipeline/request.hpp"
#include "runtime/commands/answer_options.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/pause_watch.hpp"
#include "runtime/console/signals.hpp"
#include "runtime/run/engine.hpp"
#include "runtime/run/report.hpp"

namespace flowspec {

/// Ends the process with 130; for signals that nobody else takes.
[[noreturn]] void leave_at_once(int signal);

/// What watches over the process while it runs.
struct Client {
  Signals signals;
  PauseWatch pauses;
};

/// Reads the cluster and opens the models that the options name, starts an actor system and runs
/// `body`; what it throws becomes an exit code and a message. `on_signal` takes signals until
/// `body` sets another handler.
ExitCode run_client(
    AnswerOptions& options, const Signals::Handler& on_signal,
    const std::function<ExitCode(caf::actor_system&, const Engine&, Client&)>& body);

/// Throws RuntimeError where a prompt of so many bytes leaves no room for an answer, whatever is in
/// it: reading the tokens of a very long text takes long.
void check_prompt_size(const Engine& engine, std::size_t bytes, std::uint32_t context);

/// What the options ask for: sampling, tokens at most, stop strings, limits. The prompt is not
/// empty. Throws RuntimeError where it leaves no room for an answer.
/// @param context  tokens of prompt and answer together at most.
Request make_request(const Engine& engine, std::vector<Token> prompt, std::uint32_t context,
                     const AnswerOptions& options);

/// Takes the session's text as it comes, and its report; `streams` prints the text. Throws
/// RuntimeError where no report comes, or nobody reads the text any more.
Summary receive_answer(caf::scoped_actor& self, const Request& request, bool streams,
                       Client& client);

}  // namespace flowspec
