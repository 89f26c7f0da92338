/// The templates of public models, from packages of the npm registry; see tests/README.md.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "models/chat_programs.hpp"
#include "models/open_model.hpp"
#include "runtime/console/error.hpp"
#include "runtime/templates/chat_writer.hpp"
#include "tests/support/template_runs.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// Folders with tokenizer_config.json and tokenizer.json.
std::vector<fs::path> packages() {
  std::vector<fs::path> folders;
  if (const char* root = std::getenv("FLOWSPEC_TOKENIZER_PACKAGES"))
    for (const auto& entry : fs::recursive_directory_iterator(root))
      if (entry.path().filename() == "tokenizer_config.json" &&
          fs::exists(entry.path().parent_path() / "tokenizer.json"))
        folders.push_back(entry.path().parent_path());
  std::ranges::sort(folders);
  if (folders.empty())
    BOOST_TEST_MESSAGE("FLOWSPEC_TOKENIZER_PACKAGES names no folder with tokenizer packages");
  return folders;
}

ChatProgram program_in(const fs::path& folder, const Tokenizer& tokenizer) {
  ChatPrograms programs = read_chat_programs(folder);
  ChatProgram program{programs.main.value_or(""), programs.special, {}};
  for (Token token = 0; token < static_cast<Token>(tokenizer.vocab_size()); ++token)
    if (tokenizer.is_control(token))
      program.control_tokens.push_back(tokenizer.text(token));
  return program;
}

std::vector<Conversation> conversations_for(const ChatProgram& program) {
  std::vector<std::string> pieces(
      program.control_tokens.begin(),
      program.control_tokens.begin() +
          static_cast<std::ptrdiff_t>(std::min<std::size_t>(program.control_tokens.size(), 8)));
  auto conversations = random_conversations(150, pieces);
  for (
      const char* more : {
          R"([{"role": "user", "content": "w?"},
               {"role": "assistant", "content": "", "reasoning_content": "hm",
                "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"b": "é", "a": 1}}}]},
               {"role": "tool", "name": "f", "content": "{\"t\": 1}"}])",
          R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])",
          R"([{"role": "assistant", "content": "a"}])", R"([])"}) {
    conversations.push_back({.messages = ordered_json::parse(more)});
    conversations.push_back(
        {.messages = ordered_json::parse(more),
         .tools = ordered_json::parse(
             R"([{"type": "function", "function": {"name": "f", "description": "d \"q\" <b>",
                  "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}])"),
         .extra = {{"enable_thinking", false}},
         .add_generation_prompt = false});
  }
  return conversations;
}

/// The same conversation with harmless contents.
Conversation harmless(Conversation conversation, const ChatProgram& program) {
  for (auto& message : conversation.messages) {
    auto text = message["content"].get<std::string>();
    for (const std::string& token : program.control_tokens)
      for (std::size_t at = 0; (at = text.find(token, at)) != std::string::npos;)
        text.replace(at, token.size(), "word");
    message["content"] = text;
  }
  return conversation;
}

std::vector<Token> control_tokens(const ChatText& text, const ChatWriter& writer,
                                  const Tokenizer& tokenizer) {
  auto tokens = writer.tokens(text);
  std::erase_if(tokens, [&](Token token) { return !tokenizer.is_control(token); });
  return tokens;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(public_templates)

BOOST_AUTO_TEST_CASE(public_templates_write_what_transformers_does) {
  for (const fs::path& folder : packages())
    BOOST_TEST_CONTEXT(folder) {
      const Tokenizer tokenizer = open_tokenizer(folder);
      const ChatProgram program = program_in(folder, tokenizer);
      if (program.text.empty()) {
        BOOST_TEST_MESSAGE(folder << " has no chat template");
        continue;
      }
      const auto conversations = conversations_for(program);
      const auto expected = reference_texts(program, conversations);
      std::size_t written = 0;
      for (std::size_t i = 0; i < conversations.size(); ++i) {
        const std::string text = text_or_error(program, conversations[i]);
        if (expected[i].starts_with("error: "))
          BOOST_TEST(text.starts_with("error: "));
        else
          BOOST_TEST(text == expected[i]);
        written += !expected[i].starts_with("error: ");
      }
      BOOST_TEST_MESSAGE(folder << ": " << written << " conversations");
      BOOST_TEST(written > conversations.size() / 2);
    }
}

BOOST_AUTO_TEST_CASE(what_people_write_makes_no_control_tokens_in_any_of_them) {
  for (const fs::path& folder : packages())
    BOOST_TEST_CONTEXT(folder) {
      const Tokenizer tokenizer = open_tokenizer(folder);
      const ChatProgram program = program_in(folder, tokenizer);
      if (program.text.empty())
        continue;
      auto writer = ChatWriter::open(folder, tokenizer, "", std::make_shared<TemplateRunner>());
      BOOST_TEST(writer.runs_program());
      const auto conversations = conversations_for(program);
      for (std::size_t i = 0; i < 150; ++i) {
        const auto evil = writer.write(input_of(conversations[i]));
        const auto good = writer.write(input_of(harmless(conversations[i], program)));
        const auto tokens = control_tokens(evil, writer, tokenizer);
        BOOST_TEST(tokens == control_tokens(good, writer, tokenizer),
                   conversations[i].messages.dump());
        BOOST_TEST(!tokens.empty());
      }
    }
}

BOOST_AUTO_TEST_CASE(known_public_templates_write_what_their_formats_do) {
  TemplateRunnerConfig without_python;
  without_python.python = "/nowhere/python3";
  for (const fs::path& folder : packages())
    BOOST_TEST_CONTEXT(folder) {
      const Tokenizer tokenizer = open_tokenizer(folder);
      const ChatProgram program = program_in(folder, tokenizer);
      if (!ChatTemplate::recognise(program.text))
        continue;
      BOOST_TEST_MESSAGE(folder << " is known");
      auto runs = ChatWriter::open(folder, tokenizer, "", std::make_shared<TemplateRunner>());
      auto stands_in =
          ChatWriter::open(folder, tokenizer, "", std::make_shared<TemplateRunner>(without_python));
      BOOST_TEST(!stands_in.runs_program());
      for (const Conversation& conversation : random_conversations(150, program.control_tokens)) {
        const auto input = input_of(conversation);
        const auto one = runs.write(input);
        const auto other = stands_in.write(input);
        BOOST_TEST(one.text == other.text);
        BOOST_TEST(runs.tokens(one) == stands_in.tokens(other));
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()
