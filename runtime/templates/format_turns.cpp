#include "runtime/templates/format_turns.hpp"

#include <array>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

using nlohmann::json;
using Role = ChatTurn::Role;

[[noreturn]] void refuse(const std::string& what) {
  throw RuntimeError(
      fmt::format("{}, which only the model's own chat template could write. Templates are run by "
                  "Python and Jinja (apt-get install python3-jinja2) where no --chat-template "
                  "names a format.",
                  what));
}

bool is_given(const std::string& list) {
  return !list.empty() && list != "null" && list != "[]" && list != "{}";
}

Role role_of(const json& message, std::size_t number) {
  const auto role = message.value("role", "");
  if (role == "system" || role == "developer")
    return Role::system;
  if (role == "user")
    return Role::user;
  if (role == "assistant")
    return Role::assistant;
  refuse(fmt::format("message {} has the role \"{}\"", number, role));
}

/// Text, or a list of parts that are texts.
std::string content_of(const json& message, std::size_t number) {
  const auto content = message.find("content");
  if (content != message.end() && content->is_string())
    return content->get<std::string>();
  std::string text;
  if (content != message.end() && content->is_array()) {
    for (const json& part : *content) {
      if (!part.is_object() || part.value("type", "") != "text" || !part.contains("text") ||
          !part["text"].is_string())
        refuse(fmt::format("message {} has a part that is no text", number));
      text += part["text"].get<std::string>();
    }
    return text;
  }
  refuse(fmt::format("message {} has no text as its content", number));
}

void check_order(const std::vector<ChatTurn>& turns) {
  Role expected = Role::user;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    if (i == 0 && turns[i].role == Role::system)
      continue;
    if (turns[i].role != expected)
      refuse("the messages are not those of user and assistant in turn, after a system message");
    expected = expected == Role::user ? Role::assistant : Role::user;
  }
}

}  // namespace

std::string_view name_of(Role role) {
  return role == Role::system ? "system" : role == Role::user ? "user" : "assistant";
}

std::vector<ChatTurn> format_turns(const TemplateInput& input, bool strictly) {
  if (is_given(input.tools))
    refuse("there are tools");
  if (is_given(input.documents))
    refuse("there are documents");
  if (strictly && is_given(input.extra))
    refuse("there are chat_template_kwargs");
  const json messages = json::parse(input.messages, nullptr, false);
  if (!messages.is_array() || messages.empty())
    throw RuntimeError("the messages are no JSON list with at least one message");
  std::vector<ChatTurn> turns;
  for (const json& message : messages) {
    const std::size_t number = turns.size() + 1;
    if (!message.is_object() || (message.contains("role") && !message["role"].is_string()))
      throw RuntimeError(fmt::format("message {} is no object with a role", number));
    turns.push_back({role_of(message, number), content_of(message, number)});
    if (number > 1 && turns.back().role == Role::system)
      refuse(fmt::format("message {} is the system's", number));
  }
  if (strictly)
    check_order(turns);
  const bool wants_answer = input.add_generation_prompt && !input.continue_final_message;
  if (wants_answer != (turns.back().role == Role::user))
    refuse(wants_answer ? "an answer is wanted to a message that is not the user's"
                        : "the last message is the user's, and no answer is wanted");
  return turns;
}

std::string day_of(std::string_view moment) {
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int year = 0;
  int month = 0;
  int day = 0;
  const std::string text(moment);
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d", &year, &month, &day) != 3 || month < 1 || month > 12)
    throw RuntimeError(fmt::format("'{}' is no day as 2026-11-06", moment));
  return fmt::format("{:02} {} {}", day, months.at(static_cast<std::size_t>(month - 1)), year);
}

}  // namespace flowspec
