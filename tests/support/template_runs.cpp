#include "tests/support/template_runs.hpp"

#include <chrono>
#include <random>

#include <boost/test/unit_test.hpp>

#include "runtime/console/error.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::test {

namespace {

using nlohmann::ordered_json;

std::string text_of(const ordered_json& value) {
  return value.is_null() ? std::string() : value.dump();
}

}  // namespace

TemplateInput input_of(const Conversation& conversation) {
  return {.messages = conversation.messages.dump(),
          .tools = text_of(conversation.tools),
          .documents = text_of(conversation.documents),
          .extra = text_of(conversation.extra),
          .add_generation_prompt = conversation.add_generation_prompt,
          .now = test_day};
}

ChatProgram program_of(const std::string& text) {
  return {text,
          {{"bos_token", "<s>"}, {"eos_token", "</s>"}},
          {"<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "[INST]"}};
}

std::string shown(const ChatText& text) {
  std::string shown;
  std::size_t at = 0;
  for (const TextRange& range : text.literal) {
    BOOST_REQUIRE(at <= range.begin);
    BOOST_REQUIRE(range.end <= text.text.size());
    shown += text.text.substr(at, range.begin - at) + "«" +
             text.text.substr(range.begin, range.end - range.begin) + "»";
    at = range.end;
  }
  return shown + text.text.substr(at);
}

TemplateRunner& shared_runner() {
  // However busy the machine is.
  static TemplateRunner runner([] {
    TemplateRunnerConfig config;
    config.limits.time = std::chrono::seconds(60);
    return config;
  }());
  return runner;
}

std::vector<std::string> reference_texts(const ChatProgram& program,
                                         const std::vector<Conversation>& conversations) {
  std::vector<ReferenceCase> cases;
  cases.reserve(conversations.size());
  for (const Conversation& conversation : conversations)
    cases.push_back({program, conversation});
  return reference_texts(cases);
}

std::vector<std::string> reference_texts(const std::vector<ReferenceCase>& cases) {
  std::string lines;
  for (const auto& [program, conversation] : cases) {
    ordered_json variables{{"messages", conversation.messages},
                           {"tools", conversation.tools},
                           {"documents", conversation.documents},
                           {"add_generation_prompt", conversation.add_generation_prompt}};
    for (const auto& [name, text] : program.special)
      variables[name] = text;
    variables.update(conversation.extra.is_null() ? ordered_json::object() : conversation.extra);
    lines += ordered_json{{"program", program.text}, {"variables", variables}, {"now", test_day}}
                 .dump() +
             "\n";
  }
  const TempFolder folder;
  write_file(folder / "cases", lines);
  Process reference({"/usr/bin/python3", source_path("tests/support/jinja_reference.py").string(),
                     folder / "cases"});
  BOOST_REQUIRE(reference.wait(std::chrono::minutes(4)) == 0);
  std::vector<std::string> texts;
  std::string output = reference.output();
  for (std::size_t begin = 0, end = 0; (end = output.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    const auto answer = ordered_json::parse(output.substr(begin, end - begin));
    texts.push_back(answer.contains("text") ? answer["text"].get<std::string>()
                                            : "error: " + answer["error"].get<std::string>());
  }
  BOOST_REQUIRE_EQUAL(texts.size(), cases.size());
  return texts;
}

std::string text_or_error(const ChatProgram& program, const Conversation& conversation) {
  try {
    return shared_runner().render(program, input_of(conversation)).text;
  } catch (const RuntimeError& error) {
    return std::string("error: ") + error.what();
  }
}

std::vector<Conversation> random_conversations(std::size_t count,
                                               const std::vector<std::string>& pieces) {
  std::vector<std::string> all{
      " ", "\n", "\n\n", "a",       "Why?", "ü",   "\u3000", "<think>",  "</think>",
      "<", "|",  ">",    "{{ x }}", "\"",   "\\n", "🙂",   "{% if %}", "<tool_response>"};
  all.insert(all.end(), pieces.begin(), pieces.end());
  std::mt19937 random(1);
  const auto below = [&](std::size_t size) { return random() % size; };
  const auto text = [&] {
    std::string made;
    for (std::size_t left = below(8); left > 0; --left)
      made += all[below(all.size())];
    return made;
  };
  std::vector<Conversation> conversations(count);
  for (Conversation& conversation : conversations) {
    conversation.messages = ordered_json::array();
    if (below(2) == 0)
      conversation.messages.push_back({{"role", "system"}, {"content", text()}});
    conversation.messages.push_back({{"role", "user"}, {"content", text()}});
    for (std::size_t turns = below(3); turns > 0; --turns) {
      conversation.messages.push_back({{"role", "assistant"}, {"content", text()}});
      conversation.messages.push_back({{"role", "user"}, {"content", text()}});
    }
  }
  return conversations;
}

}  // namespace flowspec::test
