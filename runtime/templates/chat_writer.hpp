#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/chat_template.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "runtime/templates/template_runner.hpp"

namespace flowspec {

/// How a model wants conversations to be written: by its own chat template, which is run, or by a
/// format. `flowspec chat`, `flowspec serve` and its /apply-template all use this. For any thread.
class ChatWriter {
 public:
  /// Of the model's files. `format` names one of `ChatTemplate::names()`; empty: as the model's own
  /// template says, which is run; where templates cannot be run, by the format that is known to
  /// write the same. Throws RuntimeError if that is not known, or if the model has no template, and
  /// ModelError.
  static ChatWriter open(const std::filesystem::path& model, const Tokenizer& tokenizer,
                         const std::string& format, std::shared_ptr<TemplateRunner> runner);
  /// Of a format.
  ChatWriter(const ChatTemplate& format, const Tokenizer& tokenizer);

  /// Throws RuntimeError, as `TemplateRunner::render` does; and, where a format writes, for what only
  /// the model's own template could write (tools, documents, other roles).
  ChatText write(const TemplateInput& input) const;
  /// Turns as `write` gets them, as the JSON text of `TemplateInput::messages`.
  static std::string messages_of(std::span<const ChatTurn> turns);

  /// The tokens of what `write` returns, with BOS if the template or the vocabulary wants it.
  std::vector<Token> tokens(const ChatText& text) const;

  /// What a model has written, as a message of the next prompt: without the white space that the
  /// template itself puts before every answer.
  std::string_view message_of(std::string_view answer) const;

  /// Nothing if the first message may be the system's; else why not, and the remedy.
  const std::optional<std::string>& system_problem() const { return system_problem_; }
  /// Whether the model's own template writes, and not a format.
  bool runs_program() const { return runner_ != nullptr; }

 private:
  ChatWriter(std::shared_ptr<TemplateRunner> runner, ChatProgram main,
             std::optional<ChatProgram> with_tools, const Tokenizer& tokenizer);

  ChatText write_format(const TemplateInput& input) const;
  void probe_answers();
  void probe_system();

  Tokenizer tokenizer_;
  std::string bos_;
  std::string eos_;
  /// Either a format, or a runner with programs.
  std::optional<ChatTemplate> format_;
  /// The format stands for the model's own template, and writes only what that would write.
  bool is_stand_in_ = false;
  std::shared_ptr<TemplateRunner> runner_;
  ChatProgram main_;
  std::optional<ChatProgram> with_tools_;
  std::string space_before_answers_;
  std::optional<std::string> system_problem_;
};

/// "2026-11-06": today here, for `TemplateInput::now`.
std::string today();

}  // namespace flowspec
