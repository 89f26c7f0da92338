/// The messages of a chat.

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "runtime/openai/api_error.hpp"
#include "runtime/openai/request_parts.hpp"

namespace flowspec::openai {
namespace {

constexpr std::array<std::string_view, 5> roles{"system", "developer", "user", "assistant", "tool"};

/// Adds a part of a message's content to its text.
std::string read_part(const Json& value, const std::string& path) {
  Fields part(value, path);
  auto type = part.text("type");
  // What an assistant has declined to say is text, too, when it is said again.
  const char* field = type == "refusal" ? "refusal" : "text";
  if (type != "text" && type != "refusal")
    throw invalid_request(
        type ? fmt::format("'{}.type' is \"{}\", which is not supported: this model reads parts of "
                           "type \"text\" only.",
                           path, type->substr(0, 40))
             : fmt::format("'{}.type' is missing; it has to be \"text\".", path),
        path + ".type");
  auto text = part.text(field);
  if (!text)
    throw invalid_request(fmt::format("'{0}.{1}' is missing; it has to be a text.", path, field),
                          fmt::format("{}.{}", path, field));
  return *text;
}

std::string read_parts(const Json& parts, const std::string& path) {
  if (parts.empty())
    refuse_value(path, parts, "a text, or a list of at least one part");
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    text += i == 0 ? "" : "\n";
    text += read_part(parts[i], fmt::format("{}[{}]", path, i));
  }
  return text;
}

/// A message, with its content as one text, and all other fields as they are.
Json read_message(const Json& value, const std::string& where) {
  Fields fields(value, where);
  auto role = fields.text("role");
  if (!role || std::ranges::find(roles, *role) == roles.end())
    throw invalid_request(fmt::format("'{}.role' is {}; it has to be one of {}.", where,
                                      role ? fmt::format("\"{}\"", role->substr(0, 40)) : "missing",
                                      fmt::join(roles, ", ")),
                          where + ".role");
  fields.text("name");
  fields.text("tool_call_id");
  bool has_calls = *role == "assistant" && fields.find("tool_calls") != nullptr;
  fields.list_text("tool_calls");

  Json message;
  for (const auto& [key, field] : value.items())
    if (!field.is_null())
      message[key] = field;
  const Json* content = fields.find("content");
  if (content == nullptr) {
    if (!has_calls)
      throw invalid_request(
          fmt::format("'{}.content' is missing; it has to be a text, or a list of parts.", where),
          where + ".content");
    message["content"] = "";
  } else if (content->is_array()) {
    message["content"] = read_parts(*content, where + ".content");
  } else if (!content->is_string()) {
    fields.refuse("content", "a text, or a list of parts");
  }
  return message;
}

std::string read_messages(const Fields& fields) {
  const Json* list = fields.find("messages");
  if (list == nullptr)
    throw invalid_request("'messages' is missing; it has to be a list of at least one message.",
                          "messages");
  if (!list->is_array() || list->empty())
    fields.refuse("messages", "a list of at least one message");
  auto messages = Json::array();
  for (std::size_t i = 0; i < list->size(); ++i)
    messages.push_back(read_message((*list)[i], fmt::format("messages[{}]", i)));
  return dump(messages);
}

/// Tools are refused until they exist; a client that names none may say so in any way.
void refuse_tools(const Fields& fields) {
  for (const char* key : {"tools", "functions"}) {
    const Json* value = fields.find(key);
    if (value == nullptr)
      continue;
    if (!value->is_array())
      fields.refuse(key, "a list");
    if (!value->empty())
      throw invalid_request(
          fmt::format("'{}' is not supported yet: leave it out, or send an empty list.", key), key);
  }
  for (const char* key : {"tool_choice", "function_call"}) {
    const Json* value = fields.find(key);
    if (value != nullptr && *value != "none" && *value != "auto")
      throw invalid_request(
          fmt::format("'{}' asks for a call of a tool, and tools are not supported yet. Leave it "
                      "out, or use \"none\".",
                      key),
          key);
  }
}

}  // namespace

Conversation read_conversation(const Fields& fields, bool tools_allowed) {
  Conversation conversation;
  conversation.messages = read_messages(fields);
  if (tools_allowed)
    conversation.tools = fields.list_text("tools");
  else
    refuse_tools(fields);
  conversation.documents = fields.list_text("documents");
  conversation.template_arguments = fields.object_text("chat_template_kwargs");
  conversation.continue_final_message = fields.boolean("continue_final_message").value_or(false);
  conversation.add_generation_prompt =
      fields.boolean("add_generation_prompt").value_or(!conversation.continue_final_message);
  if (conversation.continue_final_message && conversation.add_generation_prompt)
    throw invalid_request(
        "'continue_final_message' and 'add_generation_prompt' are both true: the answer either "
        "goes on "
        "with the last message or begins a new one.",
        "continue_final_message");
  return conversation;
}

}  // namespace flowspec::openai
