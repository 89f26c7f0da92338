#pragma once
/// Internal to models/tokenizer.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace flowspec {

/// What stands around the messages. {bos} and {eos} are the texts of these tokens, {date} is the
/// day.
struct ChatFormat {
  enum class SystemPlace {
    first,       ///< a message of its own
    first_user,  ///< in the first message of the user, behind `user_begin`
    last_user,   ///< in the last one
  };
  /// White space at the ends of messages, as Jinja's `trim` sees it.
  enum class Trim {
    none,
    all,
    answers,
    /// The user's messages, together with the system's in it, and the answers.
    all_but_system,
  };
  /// Which part of an earlier answer is written, where the model thinks aloud in front of it.
  enum class Thoughts {
    kept,
    dropped,             ///< what stands behind the last </think>
    dropped_with_lines,  ///< the same, and without the line breaks it begins with
    /// The same where there is a </think>; but kept behind the last message of the user that is no
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
  /// In the place of `answer_begin` where the model is to go on.
  std::string_view prompt;
  SystemPlace place = SystemPlace::first;
  /// The system's message where the conversation has none.
  std::optional<std::string_view> default_system = std::nullopt;
  Trim trim = Trim::none;
  Thoughts thoughts = Thoughts::kept;
  /// In front of `user_begin`, from the user's second message on.
  std::string_view between = {};
};

std::span<const ChatFormat> chat_formats();

/// A template program of published models.
struct KnownProgram {
  /// XXH3, 64 bits, of its text without a line break at its end.
  std::uint64_t hash;
  /// Of the format that writes the same.
  std::string_view format;
  bool takes_system;
  bool writes_bos;
};

/// Ordered by hash.
std::span<const KnownProgram> known_chat_programs();

}  // namespace flowspec
