#pragma once

#include <map>
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

/// What a template writes besides messages and its own text.
struct ChatSymbols {
  /// Texts of the BOS and EOS tokens.
  std::string_view bos;
  std::string_view eos;
  /// "06 Nov 2026": the same day for a whole conversation.
  std::string_view date;
};

/// A conversation as one text.
struct ChatText {
  std::string text;
  /// Ascending; messages, and perhaps what is around them: text in which control tokens are not
  /// parsed.
  std::vector<TextRange> literal;
};

/// The chat templates (Jinja programs) in a model's files.
struct ChatPrograms {
  std::optional<std::string> main;
  /// For conversations with tools, if there is one of its own.
  std::optional<std::string> tool_use;
  /// Special tokens that the files name for it, as "pad_token": "<pad>".
  std::map<std::string, std::string> special;
};

struct ChatFormat;

/// Formats a conversation for a chat model without running the Jinja program that model files have
/// for this. The programs of many models are known, each by the hash of its whole text: they write
/// the same bytes as one of the formats here, for every conversation of an optional system message
/// and then user and assistant in turn.
class ChatTemplate {
 public:
  /// The formats: "chatml", "llama3", ...; "plain" writes the messages one after the other, for
  /// base models.
  static std::vector<std::string_view> names();
  static std::optional<ChatTemplate> by_name(std::string_view name);
  /// The template that writes what a model file's program writes; nothing if the program is not
  /// known. One final line break of the program does not matter.
  static std::optional<ChatTemplate> recognise(std::string_view program);

  /// The name of the format.
  std::string_view name() const;
  /// False if the program refuses system messages, or leaves them out.
  bool takes_system() const { return takes_system_; }
  /// Whether the program writes BOS first. The text that `render` returns does not have it;
  /// `EncodeOptions::add_bos` adds it. Without a program the tokenizer decides.
  bool writes_bos() const { return writes_bos_; }

  /// Writes the turns, of which the first may be the system's. If the last turn is the user's, the
  /// beginning of the answer follows (the generation prompt).
  ChatText render(std::span<const ChatTurn> turns, const ChatSymbols& symbols) const;

  /// What the model has written, as a message: without its first space if the template itself
  /// writes a space before every answer.
  std::string_view message_of(std::string_view answer) const;

 private:
  explicit ChatTemplate(const ChatFormat& format) : format_(&format) {}

  const ChatFormat* format_;
  bool takes_system_ = true;
  bool writes_bos_ = false;
};

}  // namespace flowspec
