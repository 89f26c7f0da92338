#pragma once
/// Chat templates, run for tests.

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/templates/template_runner.hpp"

namespace flowspec::test {

inline constexpr const char* test_day = "2026-11-06";

/// The variables of a conversation, as a template sees them.
struct Conversation {
  nlohmann::ordered_json messages;
  nlohmann::ordered_json tools = {};
  nlohmann::ordered_json documents = {};
  nlohmann::ordered_json extra = {};
  bool add_generation_prompt = true;
};

TemplateInput input_of(const Conversation& conversation);

/// With the tokens of ChatML as control tokens, and <s> and </s> as BOS and EOS.
ChatProgram program_of(const std::string& text);

/// The text with « and » around what is literal.
std::string shown(const ChatText& text);

/// One for all tests of a program.
TemplateRunner& shared_runner();

struct ReferenceCase {
  ChatProgram program;
  Conversation conversation;
};

/// What the reference writes for each; "error: ..." where it has an error.
std::vector<std::string> reference_texts(const std::vector<ReferenceCase>& cases);
std::vector<std::string> reference_texts(const ChatProgram& program,
                                         const std::vector<Conversation>& conversations);

/// What the runner writes; "error: ..." where it throws.
std::string text_or_error(const ChatProgram& program, const Conversation& conversation);

/// Conversations of system, user and assistant in turn. The messages are made of pieces that
/// templates may stumble over, and of `pieces`.
std::vector<Conversation> random_conversations(std::size_t count,
                                               const std::vector<std::string>& pieces);

}  // namespace flowspec::test
