#pragma once
/// What the commands that write text have in common: set up, receive the answer of a session,
/// report.

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

/// Ends the process with 130; the default for signals without another handler.
[[noreturn]] void leave_at_once(int signal);

/// What watches over the process while it runs.
struct Client {
  Signals signals;
  PauseWatch pauses;
};

/// Reads the cluster and opens the models that the options name, starts an actor system and runs
/// `body`; an exception becomes a message and an exit code. `on_signal` handles signals until
/// `body` sets another handler.
ExitCode run_client(
    AnswerOptions& options, const Signals::Handler& on_signal,
    const std::function<ExitCode(caf::actor_system&, const Engine&, Client&)>& body);

/// Throws RuntimeError if a prompt of this many bytes cannot leave room for an answer, whatever it
/// contains: tokenising a very long text takes long.
void check_prompt_size(const Engine& engine, std::size_t bytes, std::uint32_t context);

/// The request for the options: sampling, max tokens, stop strings, limits. The prompt must not be
/// empty. Throws RuntimeError if it leaves no room for an answer.
/// @param context  most tokens of prompt and answer together.
Request make_request(const Engine& engine, std::vector<Token> prompt, std::uint32_t context,
                     const AnswerOptions& options);

/// Receives the session's text as it comes, and its report; `streams`: prints the text. Throws
/// RuntimeError if no report comes, or if nobody reads the output any more.
Summary receive_answer(caf::scoped_actor& self, const Request& request, bool streams,
                       Client& client);

}  // namespace flowspec
