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

/// What a template writes that is neither its own nor a message.
struct ChatSymbols {
  /// Texts of the tokens that begin and end a text.
  std::string_view bos;
  std::string_view eos;
  /// "06 Nov 2026": one day for all of a conversation.
  std::string_view date;
};

/// A conversation as one text.
struct ChatText {
  std::string text;
  /// What people and the model have said: control tokens are not read there.
  std::vector<TextRange> literal;
};

struct ChatFormat;

/// How a conversation is written for a model that was trained on one. Model files say it as a
/// program (Jinja), which is not run. Known are the programs of many models, each by the hash of
/// its whole text: they write what one of the formats here does, to the last byte, for every
/// conversation of an optional message of the system and then user and assistant in turn.
class ChatTemplate {
 public:
  /// The formats: "chatml", "llama3", ...; "plain" writes the messages one behind the other, for
  /// models that were trained on texts alone.
  static std::vector<std::string_view> names();
  static std::optional<ChatTemplate> by_name(std::string_view name);
  /// What a model file's program writes; nothing if the program is not known. One line break at
  /// its end does not matter.
  static std::optional<ChatTemplate> recognise(std::string_view program);

  /// That of the format.
  std::string_view name() const;
  /// False where the program refuses messages of the system, or leaves them out.
  bool takes_system() const { return takes_system_; }
  /// Whether the program begins with the token that begins a text. The text that `render` gives is
  /// without it, `EncodeOptions::add_bos` adds it. Without a program the tokenizer decides.
  bool writes_bos() const { return writes_bos_; }

  /// The turns, the first perhaps the system's, and behind a last turn of the user the beginning of
  /// the answer.
  ChatText render(std::span<const ChatTurn> turns, const ChatSymbols& symbols) const;

  /// What the model has written, as a message: without its first space where the template writes
  /// that space itself, in front of every answer that it is given.
  std::string_view message_of(std::string_view answer) const;

 private:
  explicit ChatTemplate(const ChatFormat& format) : format_(&format) {}

  const ChatFormat* format_;
  bool takes_system_ = true;
  bool writes_bos_ = false;
};

}  // namespace flowspec
