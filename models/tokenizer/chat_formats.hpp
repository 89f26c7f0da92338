#pragma once
/// Internal to models/tokenizer.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace flowspec {

/// The text around the messages. {bos} and {eos} are the texts of these tokens, {date} is the day.
struct ChatFormat {
  enum class SystemPlace {
    first,       ///< a message of its own
    first_user,  ///< in the first user message, after `user_begin`
    last_user,   ///< in the last user message
  };
  /// Which messages lose white space at both ends, as by Jinja's `trim`.
  enum class Trim {
    none,
    all,
    answers,
    /// User messages, with the system message that is in one, and answers.
    all_but_system,
  };
  /// Which part of an earlier answer is written if the model's reasoning precedes it.
  enum class Thoughts {
    kept,
    dropped,             ///< only what follows the last </think>
    dropped_with_lines,  ///< the same, without leading line breaks
    /// The same if there is a </think>; but kept after the last user message that is no
    /// <tool_response>.
    as_qwen3,
  };

  std::string_view name;
  std::string_view system_begin;
  std::string_view system_end;
  std::string_view user_begin;
  std::string_view user_end;
  std::string_view answer_begin;
  std::string_view answer_end;
  /// Replaces `answer_begin` where the model is to write the answer.
  std::string_view prompt;
  SystemPlace place = SystemPlace::first;
  /// The system message if the conversation has none.
  std::optional<std::string_view> default_system = std::nullopt;
  Trim trim = Trim::none;
  Thoughts thoughts = Thoughts::kept;
  /// Written before `user_begin`, from the second user message on.
  std::string_view between = {};
};

std::span<const ChatFormat> chat_formats();

/// The chat template (a Jinja program) of published models.
struct KnownProgram {
  /// XXH3, 64 bits, of its text without a final line break.
  std::uint64_t hash;
  /// Name of the format that writes the same.
  std::string_view format;
  bool takes_system;
  bool writes_bos;
};

/// Ordered by hash.
std::span<const KnownProgram> known_chat_programs();

}  // namespace flowspec
