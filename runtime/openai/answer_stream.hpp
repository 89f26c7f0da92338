#pragma once
/// Answers that are sent in pieces, as server-sent events.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "runtime/openai/answers.hpp"
#include "runtime/openai/api_error.hpp"

namespace flowspec::openai {

/// The content type of streams.
inline constexpr const char* stream_type = "text/event-stream; charset=utf-8";
/// A comment, which clients pass over. To be sent while there is nothing to say: some give up after
/// 300 s, proxies after 60.
inline constexpr std::string_view keepalive_event = ": keepalive\n\n";
/// Last of all. Not after an error.
inline constexpr std::string_view done_event = "data: [DONE]\n\n";

/// An error after the first byte; the stream ends with it.
std::string error_event(const ApiError& error);

/// Writes the chunks of one answer. What a function returns is to be sent as it is, in the order of the
/// calls; an empty text is nothing to send. Choices count from 0 and may come in any order.
///
/// ```
/// send(stream.begin(0));                     // "role": as early as the request is accepted
/// send(stream.more(0, "Once upon", scores)); // again and again
/// send(stream.finish(0, Finish::length, figures));
/// send(stream.end(usage));                   // once, after all choices
/// ```
class AnswerStream {
 public:
  struct Options {
    /// The request wants log-probabilities.
    bool logprobs = false;
    /// The request wants the usage: a chunk of its own at the end, and null in all others.
    bool usage = false;
    std::uint32_t choices = 1;
  };
  AnswerStream(AnswerHead head, const Options& options);
  ~AnswerStream();
  AnswerStream(const AnswerStream&) = delete;
  AnswerStream& operator=(const AnswerStream&) = delete;

  /// The chunk with the role; text completions have none.
  std::string begin(std::uint32_t choice);
  /// More text.
  /// @param text    UTF-8; may be empty while it is held back.
  /// @param tokens  those that came, if the request wants log-probabilities.
  std::string more(std::uint32_t choice, std::string_view text,
                   std::span<const ScoredToken> tokens = {});
  /// The last chunk of a choice. An error is told by `error_event` instead, and ends all choices.
  std::string finish(std::uint32_t choice, Finish finish, const RunFigures& figures);
  /// The usage, if it is wanted, and the end of the stream.
  std::string end(const Usage& usage);

  const AnswerHead& head() const { return head_; }

 private:
  struct State;

  AnswerHead head_;
  Options options_;
  std::unique_ptr<State> state_;
};

}  // namespace flowspec::openai
