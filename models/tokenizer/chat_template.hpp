#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.hpp"

namespace flowspec {

/// One message of a conversation.
struct ChatTurn {
  enum class Role { system, user, assistant };
  Role role = Role::user;
  std::string text;
};

/// A conversation as one text.
struct ChatText {
  std::string text;
  /// What people and the model have said: control tokens are not read there.
  std::vector<TextRange> literal;
};

/// How a conversation is written for a model that was trained on one. Model files say it as a
/// program (Jinja); these are the well-known ones among them, known by what they write.
class ChatTemplate {
 public:
  /// "chatml", "llama3", ...; "plain" writes the messages one behind the other, for models that
  /// were trained on texts alone.
  static std::vector<std::string_view> names();
  static std::optional<ChatTemplate> by_name(std::string_view name);
  /// The one that a model file's program is; nothing if it is none of them.
  static std::optional<ChatTemplate> recognise(std::string_view program);

  std::string_view name() const;

  /// The turns, the first perhaps the system's, and behind a last turn of the user the beginning of
  /// the answer. The token that begins a text is left to the tokenizer.
  /// @param bos, eos  texts of these tokens, which some templates write between turns.
  ChatText render(std::span<const ChatTurn> turns, std::string_view bos,
                  std::string_view eos) const;

  struct Format;

 private:
  explicit ChatTemplate(const Format& format) : format_(&format) {}

  const Format* format_;
};

}  // namespace flowspec
