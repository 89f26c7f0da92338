#pragma once

#include <cstdint>

#include "runtime/commands/answer_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// Tokens that KV is reserved for when a conversation begins, unless --context asks for more.
inline constexpr std::uint32_t default_chat_context = 4096;

inline constexpr const char* chat_help =
    R"(A line is a message; a \ at its end joins the next one to it. Lines with a meaning of their own:
  /clear  forget the conversation
  /help   show these lines
  /exit   leave, as the end of the input does
Ctrl-C stops an answer; where none is being written, it leaves.)";

/// The command `flowspec chat`: reads messages from standard input, one per line, and answers them.
/// What the pipeline has computed of the conversation stays in its KV caches from answer to answer.
/// Prints all output, including errors.
ExitCode chat(ChatOptions options);

}  // namespace flowspec
