#include "runtime/templates/chat_writer.hpp"

#include <array>
#include <ctime>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "models/chat_programs.hpp"
#include "runtime/console/error.hpp"
#include "runtime/templates/format_turns.hpp"

namespace flowspec {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// What no template writes by itself.
constexpr std::string_view probe = "FlowSpec-0123456789";
constexpr std::string_view white_space = " \n\t";

std::string text_or_nothing(const Tokenizer& tokenizer, Token token) {
  return token < 0 ? std::string() : tokenizer.text(token);
}

ChatProgram make_program(std::string text, const ChatPrograms& files, const Tokenizer& tokenizer) {
  ChatProgram program{std::move(text), files.special, {}};
  const std::pair<const char*, Token> special[] = {{"bos_token", tokenizer.bos()},
                                                   {"eos_token", tokenizer.eos()},
                                                   {"unk_token", tokenizer.unknown()}};
  for (const auto& [name, token] : special)
    if (token >= 0)
      program.special.insert_or_assign(name, tokenizer.text(token));
  const auto count = static_cast<Token>(tokenizer.vocab_size());
  for (Token token = 0; token < count; ++token)
    if (tokenizer.is_control(token) || token == tokenizer.unknown())
      program.control_tokens.push_back(tokenizer.text(token));
  return program;
}

/// The messages, with this role named so.
std::string with_role(const std::string& messages, std::string_view role, std::string_view name) {
  auto json = ordered_json::parse(messages, nullptr, false);
  if (!json.is_array())
    return messages;
  bool any = false;
  for (auto& message : json)
    if (message.is_object() && message.contains("role") && message["role"] == role) {
      message["role"] = name;
      any = true;
    }
  return any ? json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) : messages;
}

std::string name_of_formats() {
  return fmt::format(
      "Name the format that it was trained on with --chat-template: {}. (plain "
      "writes the messages alone.)",
      fmt::join(ChatTemplate::names(), ", "));
}

}  // namespace

ChatWriter ChatWriter::open(const fs::path& model, const Tokenizer& tokenizer,
                            const std::string& format, std::shared_ptr<TemplateRunner> runner) {
  if (!format.empty()) {
    auto named = ChatTemplate::by_name(format);
    if (!named)
      throw RuntimeError(fmt::format("there is no chat format {}; there are: {}", format,
                                     fmt::join(ChatTemplate::names(), ", ")));
    return {*named, tokenizer};
  }
  ChatPrograms programs = read_chat_programs(model);
  if (!programs.main)
    throw RuntimeError(
        fmt::format("{}: the model has no chat template, so perhaps it was not trained to talk. {}",
                    model.string(), name_of_formats()));
  auto known = ChatTemplate::recognise(*programs.main);
  auto problem = runner->problem();
  if (problem && !known)
    throw RuntimeError(
        ErrorCode::model,
        fmt::format("{}: its chat template is none of those that are known without "
                    "running them, and {} Or name a format with --chat-template: {}.",
                    model.string(), *problem, fmt::join(ChatTemplate::names(), ", ")));
  auto writer = [&]() -> ChatWriter {
    if (problem)
      return {*known, tokenizer};
    std::optional<ChatProgram> with_tools;
    if (programs.tool_use)
      with_tools = make_program(*programs.tool_use, programs, tokenizer);
    return {std::move(runner), make_program(*programs.main, programs, tokenizer),
            std::move(with_tools), tokenizer};
  }();
  writer.is_stand_in_ = problem.has_value();
  if (known && !known->takes_system())
    writer.system_problem_ = fmt::format(
        "{}: its chat template takes no system message. Leave it out, or name a format with "
        "--chat-template, as {}, which writes it into a message of the user.",
        model.string(), known->name());
  return writer;
}

ChatWriter::ChatWriter(const ChatTemplate& format, const Tokenizer& tokenizer)
    : tokenizer_(tokenizer),
      bos_(text_or_nothing(tokenizer, tokenizer.bos())),
      eos_(text_or_nothing(tokenizer, tokenizer.eos())),
      format_(format) {}

ChatWriter::ChatWriter(std::shared_ptr<TemplateRunner> runner, ChatProgram main,
                       std::optional<ChatProgram> with_tools, const Tokenizer& tokenizer)
    : tokenizer_(tokenizer),
      bos_(text_or_nothing(tokenizer, tokenizer.bos())),
      eos_(text_or_nothing(tokenizer, tokenizer.eos())),
      runner_(std::move(runner)),
      main_(std::move(main)),
      with_tools_(std::move(with_tools)) {
  probe_answers();
  probe_system();
}

ChatText ChatWriter::write(const TemplateInput& input) const {
  // What OpenAI calls the system's messages since 2024; few templates have heard of it.
  constexpr std::string_view developer = "developer";
  bool is_known = runner_ && main_.text.find(developer) != std::string::npos;
  if (!is_known && input.messages.find(developer) != std::string::npos) {
    auto renamed = input;
    renamed.messages = with_role(input.messages, developer, "system");
    if (renamed.messages != input.messages)
      return write(renamed);
  }
  if (!runner_)
    return write_format(input);
  const bool has_tools = !input.tools.empty() && input.tools != "[]" && input.tools != "null";
  return runner_->render(has_tools && with_tools_ ? *with_tools_ : main_, input);
}

ChatText ChatWriter::write_format(const TemplateInput& input) const {
  const auto turns = format_turns(input, is_stand_in_);
  ChatText text = format_->render(turns, {.bos = bos_, .eos = eos_, .date = day_of(input.now)});
  if (input.continue_final_message) {
    // The message is the last literal text, unless it is empty.
    if (text.literal.empty() || turns.back().text.empty())
      throw RuntimeError("an empty message cannot be continued. Leave it out.");
    text.text.resize(text.literal.back().end);
  }
  if (format_->writes_bos()) {
    text.text.insert(0, bos_);
    for (TextRange& range : text.literal)
      range = {range.begin + bos_.size(), range.end + bos_.size()};
  }
  return text;
}

std::string ChatWriter::messages_of(std::span<const ChatTurn> turns) {
  ordered_json messages = ordered_json::array();
  for (const ChatTurn& turn : turns)
    messages.push_back({{"role", name_of(turn.role)}, {"content", turn.text}});
  return messages.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::vector<Token> ChatWriter::tokens(const ChatText& text) const {
  EncodeOptions options;
  options.parse_special = true;
  options.literal = text.literal;
  options.add_eos = false;
  // What the template has written is not written twice.
  if (!bos_.empty() && text.text.starts_with(bos_) &&
      (text.literal.empty() || text.literal.front().begin >= bos_.size()))
    options.add_bos = false;
  return tokenizer_.encode(text.text, options);
}

std::string_view ChatWriter::message_of(std::string_view answer) const {
  if (format_)
    return format_->message_of(answer);
  if (answer.starts_with(space_before_answers_))
    answer.remove_prefix(space_before_answers_.size());
  return answer;
}

void ChatWriter::probe_answers() {
  const std::vector<ChatTurn> turns{{ChatTurn::Role::user, "?"},
                                    {ChatTurn::Role::assistant, std::string(probe)}};
  try {
    TemplateInput input{.messages = messages_of({turns.data(), 1}), .now = today()};
    const std::string prompt = write(input).text;
    input.messages = messages_of(turns);
    input.add_generation_prompt = false;
    const std::string answered = write(input).text;
    const std::size_t at = answered.find(probe);
    if (at == std::string::npos || at < prompt.size() || !answered.starts_with(prompt))
      return;
    std::string between = answered.substr(prompt.size(), at - prompt.size());
    if (between.find_first_not_of(white_space) == std::string::npos)
      space_before_answers_ = std::move(between);
  } catch (const RuntimeError&) {
    // Perhaps it writes nothing without a system message, or no answers. What is asked of it later
    // will show the error.
  }
}

void ChatWriter::probe_system() {
  const std::vector<ChatTurn> turns{{ChatTurn::Role::system, std::string(probe)},
                                    {ChatTurn::Role::user, "?"}};
  constexpr std::string_view remedy =
      "Leave it out, or name a format with --chat-template that has a place for it.";
  try {
    const TemplateInput input{.messages = messages_of(turns), .now = today()};
    if (write(input).text.find(probe) == std::string::npos)
      system_problem_ =
          fmt::format("the model's chat template leaves the system message out. {}", remedy);
  } catch (const RuntimeError& error) {
    system_problem_ =
        fmt::format("with a system message, {}. {}", std::string(error.what()), remedy);
  }
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm day{};
  localtime_r(&now, &day);
  return fmt::format("{:04}-{:02}-{:02}", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

}  // namespace flowspec
