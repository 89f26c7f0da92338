#pragma once
/// Conversations for the formats, which know less than templates. Internal to runtime/templates.

#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/chat_template.hpp"
#include "runtime/templates/template_runner.hpp"

namespace flowspec {

/// "system", "user", "assistant".
std::string_view name_of(ChatTurn::Role role);

/// The turns of a conversation. Throws RuntimeError for what no format writes: tools, documents,
/// other roles, contents that are no text.
/// @param strictly  refuse also what the formats were not compared with templates for: all but an
///                  optional system message, and then user and assistant in turn.
std::vector<ChatTurn> format_turns(const TemplateInput& input, bool strictly);

/// "06 Nov 2026" of "2026-11-06T13:45:00", whatever the user's locale. Throws RuntimeError for
/// another form.
std::string day_of(std::string_view moment);

}  // namespace flowspec
