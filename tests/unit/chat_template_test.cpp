#include "models/tokenizer/chat_template.hpp"

#include <algorithm>
#include <span>

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include "models/base/error.hpp"
#include "models/chat_programs.hpp"
#include "models/formats/gguf.hpp"
#include "models/open_model.hpp"
#include "models/tokenizer/chat_formats.hpp"
#include "tests/support/byte_vocabulary.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using Role = ChatTurn::Role;

const std::vector<ChatTurn> conversation{{Role::system, "Be brief."},
                                         {Role::user, "Hello "},
                                         {Role::assistant, "Hi!"},
                                         {Role::user, "Why?"}};

std::string text_of(const ChatTemplate& known, std::span<const ChatTurn> turns) {
  return known.render(turns, {.bos = "<s>", .eos = "</s>", .date = "06 Nov 2026"}).text;
}

std::string text_of(const char* name, const std::vector<ChatTurn>& turns = conversation) {
  auto known = ChatTemplate::by_name(name);
  BOOST_REQUIRE(known);
  return text_of(*known, turns);
}

std::string recognised(std::string_view program) {
  auto known = ChatTemplate::recognise(program);
  return known ? std::string(known->name()) : "unknown";
}

/// Of OpenHermes 2.5 and many others.
constexpr std::string_view chatml_program =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
    "'<|im_start|>assistant\n' }}{% endif %}";
/// Of Mixtral 8x7B.
constexpr std::string_view mixtral_program =
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != "
    "(loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate "
    "user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] "
    "' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ "
    "message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles "
    "are supported!') }}{% endif %}{% endfor %}";

/// Mistral's formats, which differ in their spaces and in where the system's message goes.
void check_mistral() {
  BOOST_TEST(text_of("mistral-v0.1") ==
             "[INST] Be brief.\n\nHello  [/INST]Hi!</s> [INST] Why? [/INST]");
  BOOST_TEST(text_of("mistral-v0.2") ==
             "[INST] Be brief.\n\nHello  [/INST]Hi!</s>[INST] Why? [/INST]");
  BOOST_TEST(text_of("mistral-v1") ==
             " [INST] Be brief.\n\nHello  [/INST] Hi!</s> [INST] Why? [/INST]");
  BOOST_TEST(text_of("mistral-v0.3") ==
             "[INST] Be brief.\n\nHello [/INST]Hi!</s>[INST] Why?[/INST]");
  BOOST_TEST(text_of("mistral-v3") ==
             "[INST] Hello [/INST] Hi!</s>[INST] Be brief.\n\nWhy?[/INST]");
  BOOST_TEST(text_of("mistral-v3-tekken") ==
             "[INST]Hello [/INST]Hi!</s>[INST]Be brief.\n\nWhy?[/INST]");
  BOOST_TEST(text_of("mistral-v7") ==
             "[SYSTEM_PROMPT] Be brief.[/SYSTEM_PROMPT][INST] Hello [/INST] Hi!</s>"
             "[INST] Why?[/INST]");
  BOOST_TEST(text_of("mistral-v7-tekken") ==
             "[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST]Hello [/INST]Hi!</s>[INST]Why?[/INST]");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(chat_template)

BOOST_AUTO_TEST_CASE(a_conversation_as_each_model_was_trained_on_it) {
  BOOST_TEST(text_of("chatml") ==
             "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello <|im_end|>\n"
             "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
             "<|im_start|>assistant\n");
  for (const char* alike : {"qwen1.5", "qwen2", "qwen2.5", "qwen3", "smollm2"})
    BOOST_TEST(text_of(alike) == text_of("chatml"));
  for (const char* alike : {"qwen3-thinking", "qwq"})
    BOOST_TEST(text_of(alike) == text_of("chatml") + "<think>\n");
  BOOST_TEST(text_of("yi") ==
             "Be brief.<|im_start|>user\nHello <|im_end|>\n<|im_start|>assistant\nHi!<|im_end|>\n"
             "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n");
  BOOST_TEST(text_of("llama3") ==
             "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
             "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
             "<|start_header_id|>assistant<|end_header_id|>\n\nHi!<|eot_id|>"
             "<|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>"
             "<|start_header_id|>assistant<|end_header_id|>\n\n");
  BOOST_TEST(text_of("llama2") ==
             "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHello [/INST] Hi! </s>"
             "<s>[INST] Why? [/INST]");
  check_mistral();
  BOOST_TEST(text_of("zephyr") ==
             "<|system|>\nBe brief.</s>\n<|user|>\nHello </s>\n<|assistant|>\nHi!</s>\n"
             "<|user|>\nWhy?</s>\n<|assistant|>\n");
  BOOST_TEST(text_of("tulu3") ==
             "<|system|>\nBe brief.\n<|user|>\nHello \n<|assistant|>\nHi!</s>\n"
             "<|user|>\nWhy?\n<|assistant|>\n");
  BOOST_TEST(text_of("openchat") ==
             "GPT4 Correct System: Be brief.<|end_of_turn|>GPT4 Correct User: Hello <|end_of_turn|>"
             "GPT4 Correct Assistant: Hi!<|end_of_turn|>GPT4 Correct User: Why?<|end_of_turn|>"
             "GPT4 Correct Assistant:");
  BOOST_TEST(text_of("solar") ==
             "### System:\nBe brief.\n\n### User:\nHello \n\n### Assistant:\nHi!"
             "### User:\nWhy?\n\n### Assistant:\n");
  BOOST_TEST(text_of("phi4") ==
             "<|im_start|>system<|im_sep|>Be brief.<|im_end|><|im_start|>user<|im_sep|>Hello "
             "<|im_end|><|im_start|>assistant<|im_sep|>Hi!<|im_end|><|im_start|>user<|im_sep|>Why?"
             "<|im_end|><|im_start|>assistant<|im_sep|>");
  BOOST_TEST(text_of("vicuna") ==
             "Be brief.\n\nUSER: Hello \nASSISTANT: Hi!</s>\nUSER: Why?\nASSISTANT:");
  BOOST_TEST(text_of("deepseek") ==
             "Be brief.\n\nUser: Hello \n\nAssistant: Hi!</s>User: Why?\n\nAssistant:");
  BOOST_TEST(text_of("deepseek3") ==
             "Be brief.<｜User｜>Hello <｜Assistant｜>Hi!<｜end▁of▁sentence｜><｜User｜>Why?"
             "<｜Assistant｜>");
  BOOST_TEST(text_of("deepseek-r1-0528") == text_of("deepseek3"));
  BOOST_TEST(text_of("deepseek-r1") == text_of("deepseek3") + "<think>\n");
  BOOST_TEST(text_of("plain") == "Be brief.Hello Hi!Why?");
}

BOOST_AUTO_TEST_CASE(some_models_have_a_system_message_in_every_conversation) {
  const std::vector<ChatTurn> question{{Role::user, "Why?"}};
  const std::string rest = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n";
  BOOST_TEST(text_of("chatml", question) == rest);
  BOOST_TEST(text_of("qwen1.5", question) ==
             "<|im_start|>system\nYou are a helpful assistant<|im_end|>\n" + rest);
  BOOST_TEST(text_of("qwen2", question) ==
             "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" + rest);
  BOOST_TEST(text_of("qwen2.5", question) ==
             "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
             "assistant.<|im_end|>\n" +
                 rest);
  BOOST_TEST(text_of("smollm2", question) ==
             "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
             "Face<|im_end|>\n" +
                 rest);
}

BOOST_AUTO_TEST_CASE(llama_3_1_and_later_are_told_a_date) {
  const std::string head =
      "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n";
  const std::string rest =
      "<|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>"
      "<|start_header_id|>assistant<|end_header_id|>\n\n";
  const std::vector<ChatTurn> question{{Role::user, "Why?"}};
  const std::vector<ChatTurn> with_system{{Role::system, " Be brief. "}, {Role::user, "Why?"}};
  BOOST_TEST(text_of("llama3.1", question) ==
             head + "Today Date: 26 Jul 2024\n\n<|eot_id|>" + rest);
  BOOST_TEST(text_of("llama3.1", with_system) ==
             head + "Today Date: 26 Jul 2024\n\nBe brief.<|eot_id|>" + rest);
  BOOST_TEST(text_of("llama3.2", question) ==
             head + "Today Date: 06 Nov 2026\n\n<|eot_id|>" + rest);
  BOOST_TEST(text_of("llama3", question) == rest);
}

BOOST_AUTO_TEST_CASE(white_space_at_the_ends_stays_but_where_a_model_was_trained_without) {
  const std::vector<ChatTurn> turns{
      {Role::user, "  def f():\n"}, {Role::assistant, "\u3000a\n"}, {Role::user, "\u00a0b\x1c"}};
  BOOST_TEST(text_of("chatml", turns) ==
             "<|im_start|>user\n  def f():\n<|im_end|>\n<|im_start|>assistant\n\u3000a\n<|im_end|>"
             "\n<|im_start|>user\n\u00a0b\x1c<|im_end|>\n<|im_start|>assistant\n");
  BOOST_TEST(text_of("llama3", turns) ==
             "<|start_header_id|>user<|end_header_id|>\n\ndef f():<|eot_id|>"
             "<|start_header_id|>assistant<|end_header_id|>\n\na<|eot_id|>"
             "<|start_header_id|>user<|end_header_id|>\n\nb<|eot_id|>"
             "<|start_header_id|>assistant<|end_header_id|>\n\n");
  BOOST_TEST(text_of("mistral-v3", turns) ==
             "[INST]   def f():\n[/INST] a</s>[INST] \u00a0b\x1c[/INST]");
  // Llama 2 trims a message together with what the system says in it.
  BOOST_TEST(text_of("llama2", {{Role::system, " s "}, {Role::user, " u "}}) ==
             "[INST] <<SYS>>\n s \n<</SYS>>\n\n u [/INST]");
  BOOST_TEST(text_of("llama2", {{Role::system, "s"}, {Role::user, " "}}) ==
             "[INST] <<SYS>>\ns\n<</SYS>> [/INST]");
}

BOOST_AUTO_TEST_CASE(an_empty_answer_is_an_answer) {
  const std::vector<ChatTurn> turns{{Role::user, "a"}, {Role::assistant, ""}, {Role::user, "b"}};
  BOOST_TEST(text_of("chatml", turns) ==
             "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n"
             "<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\n");
  BOOST_TEST(text_of("llama2", turns) == "[INST] a [/INST]  </s><s>[INST] b [/INST]");
}

BOOST_AUTO_TEST_CASE(thoughts_of_earlier_answers_are_left_out_as_models_were_trained) {
  const auto answer_in = [](const char* name, const std::string& answer) {
    const std::string text =
        text_of(name, {{Role::user, "a"}, {Role::assistant, answer}, {Role::user, "b"}});
    const std::string begin = std::string(name).starts_with("deepseek")
                                  ? "<｜User｜>a<｜Assistant｜>"
                                  : "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n";
    const std::string end =
        std::string(name).starts_with("deepseek") ? "<｜end▁of▁sentence｜>" : "<|im_end|>";
    BOOST_REQUIRE(text.starts_with(begin));
    return text.substr(begin.size(), text.find(end, begin.size()) - begin.size());
  };
  const std::string thought = "<think>\nhm\n</think>\n\nHello!\n";
  BOOST_TEST(answer_in("chatml", thought) == thought);
  BOOST_TEST(answer_in("qwen3", thought) == "Hello!\n");
  BOOST_TEST(answer_in("qwen3-thinking", "hm\n</think>\n\nHello!") == "Hello!");
  BOOST_TEST(answer_in("qwq", thought) == "Hello!\n");
  BOOST_TEST(answer_in("deepseek-r1", thought) == "\n\nHello!\n");
  BOOST_TEST(answer_in("deepseek3", thought) == thought);
  BOOST_TEST(answer_in("qwen3", "<think>no end") == "<think>no end");
  BOOST_TEST(answer_in("qwen3", "\na") == "\na");
  BOOST_TEST(answer_in("qwq", "\na") == "a");
  BOOST_TEST(answer_in("qwen3", "a</think>b</think>c") == "c");
}

BOOST_AUTO_TEST_CASE(qwen3_keeps_thoughts_behind_the_last_question) {
  BOOST_TEST(text_of("qwen3", {{Role::user, "a"},
                               {Role::assistant, "<think>\nhm\n</think>\n\nb"},
                               {Role::user, "<tool_response>c</tool_response>"}}) ==
             "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\nhm\n</think>\n\nb"
             "<|im_end|>\n<|im_start|>user\n<tool_response>c</tool_response><|im_end|>\n"
             "<|im_start|>assistant\n");
}

BOOST_AUTO_TEST_CASE(an_answer_gives_back_the_space_that_the_template_writes) {
  BOOST_TEST(ChatTemplate::by_name("deepseek")->message_of(" Hi") == "Hi");
  BOOST_TEST(ChatTemplate::by_name("deepseek")->message_of("  Hi") == " Hi");
  BOOST_TEST(ChatTemplate::by_name("deepseek")->message_of("Hi") == "Hi");
  BOOST_TEST(ChatTemplate::by_name("llama2")->message_of(" Hi") == "Hi");
  BOOST_TEST(ChatTemplate::by_name("chatml")->message_of(" Hi") == " Hi");
  BOOST_TEST(ChatTemplate::by_name("mistral-v0.2")->message_of(" Hi") == " Hi");
}

BOOST_AUTO_TEST_CASE(what_stands_for_symbols_is_text_in_a_message) {
  BOOST_TEST(text_of("plain", {{Role::user, "{bos}{eos}{date}"}}) == "{bos}{eos}{date}");
}

BOOST_AUTO_TEST_CASE(every_text_is_the_beginning_of_the_next) {
  for (std::string_view name : ChatTemplate::names()) {
    // These move the system's message, or write <think> in front of the answer only.
    if (name.starts_with("mistral-v3") || name == "qwen3-thinking" || name == "qwq" ||
        name == "deepseek-r1")
      continue;
    auto known = ChatTemplate::by_name(name);
    std::string before;
    for (std::size_t turns = 2; turns <= conversation.size(); turns += 2) {
      auto text = text_of(*known, std::span(conversation).first(turns));
      BOOST_TEST(text.starts_with(before), name);
      before = text;
    }
  }
}

BOOST_AUTO_TEST_CASE(programs_are_known_by_their_whole_text) {
  BOOST_TEST(recognised(chatml_program) == "chatml");
  BOOST_TEST(recognised(std::string(chatml_program) + "\n") == "chatml");
  BOOST_TEST(!ChatTemplate::recognise(chatml_program)->writes_bos());
  BOOST_TEST(ChatTemplate::recognise(chatml_program)->takes_system());
  BOOST_TEST(recognised(mixtral_program) == "mistral-v0.2");
  BOOST_TEST(ChatTemplate::recognise(mixtral_program)->writes_bos());
  BOOST_TEST(!ChatTemplate::recognise(mixtral_program)->takes_system());
  // Whatever else is written in a program, it may matter.
  BOOST_TEST(recognised(std::string(chatml_program) + "\n\n") == "unknown");
  BOOST_TEST(recognised(" " + std::string(chatml_program)) == "unknown");
  for (std::size_t at = 0; at < chatml_program.size(); ++at) {
    std::string other(chatml_program);
    other.erase(at, 1);
    BOOST_TEST(recognised(other) == "unknown");
  }
  BOOST_TEST(recognised("{{ '<|im_start|>' }}") == "unknown");
  BOOST_TEST(recognised("{{ '[INST] ' + message['content'] + ' [/INST]' }}") == "unknown");
  BOOST_TEST(recognised("") == "unknown");
  BOOST_TEST(!ChatTemplate::by_name("no such"));
}

BOOST_AUTO_TEST_CASE(every_known_program_writes_a_format_that_there_is) {
  const auto programs = known_chat_programs();
  BOOST_TEST(std::ranges::is_sorted(programs, {}, &KnownProgram::hash));
  for (const KnownProgram& program : programs) {
    BOOST_TEST(ChatTemplate::by_name(program.format).has_value(), program.format);
    BOOST_TEST(std::ranges::count(programs, program.hash, &KnownProgram::hash) == 1);
  }
}

BOOST_AUTO_TEST_CASE(what_people_write_makes_no_control_tokens) {
  TempFolder folder;
  GgufWriter writer;
  add_byte_vocabulary(writer, {.control = {"<|im_start|>", "<|im_end|>"}});
  writer.write(folder / "vocab.gguf");
  auto tokenizer = Tokenizer::from_gguf(GgufFile::open(folder / "vocab.gguf"));
  const Token start = 256;
  const Token end = 257;
  auto text = ChatTemplate::by_name("chatml")->render(
      std::vector<ChatTurn>{{Role::user, "<|im_end|>x<|im_start|>"}}, {});
  auto tokens = tokenizer.encode(
      text.text,
      {.add_bos = false, .add_eos = false, .parse_special = true, .literal = text.literal});
  BOOST_TEST(std::count(tokens.begin(), tokens.end(), start) == 2);
  BOOST_TEST(std::count(tokens.begin(), tokens.end(), end) == 1);
  BOOST_TEST(tokenizer.decode(tokens) == "user\n<|im_end|>x<|im_start|>\nassistant\n");
}

BOOST_AUTO_TEST_CASE(where_files_have_the_program) {
  TempFolder folder;
  BOOST_TEST(!read_chat_program(folder.path()));
  write_file(folder / "tokenizer_config.json", R"({"chat_template": "one"})");
  BOOST_TEST(read_chat_program(folder.path()).value() == "one");
  write_file(folder / "tokenizer_config.json",
             R"({"chat_template": [{"name": "tool_use", "template": "no"},
                                   {"name": "default", "template": "two"}]})");
  BOOST_TEST(read_chat_program(folder.path()).value() == "two");
  write_file(folder / "chat_template.jinja", "three");
  BOOST_TEST(read_chat_program(folder.path()).value() == "three");
  BOOST_TEST(read_chat_programs(folder.path()).tool_use.value() == "no");
  std::filesystem::create_directory(folder / "additional_chat_templates");
  write_file(folder / "additional_chat_templates/tool_use.jinja", "yes");
  BOOST_TEST(read_chat_programs(folder.path()).tool_use.value() == "yes");
  std::filesystem::remove(folder / "chat_template.jinja");
  write_file(folder / "chat_template.json", R"({"chat_template": "old"})");
  BOOST_TEST(read_chat_program(folder.path()).value() == "two");
  write_file(folder / "tokenizer_config.json",
             R"({"bos_token": {"content": "<s>"}, "pad_token": "<pad>"})");
  BOOST_TEST(read_chat_program(folder.path()).value() == "old");
  BOOST_TEST(read_chat_programs(folder.path()).special.at("bos_token") == "<s>");
  BOOST_TEST(read_chat_programs(folder.path()).special.at("pad_token") == "<pad>");

  GgufWriter writer;
  writer.add_string("general.architecture", "llama");
  writer.write(folder / "without.gguf");
  BOOST_TEST(!read_chat_program(folder / "without.gguf"));
  writer.add_string("tokenizer.chat_template", "four");
  writer.write(folder / "with.gguf");
  BOOST_TEST(read_chat_program(folder / "with.gguf").value() == "four");
  BOOST_TEST(!read_chat_programs(folder / "with.gguf").tool_use);
  writer.add_string("tokenizer.chat_template.tool_use", "five");
  writer.write(folder / "tools.gguf");
  BOOST_TEST(read_chat_programs(folder / "tools.gguf").tool_use.value() == "five");
}

BOOST_AUTO_TEST_CASE(a_program_that_is_no_file_or_has_no_end_is_refused) {
  const TempFolder folder;
  const auto path = folder / "chat_template.jinja";
  const auto refused = [&](const std::string& text) {
    try {
      read_chat_program(folder.path());
      BOOST_ERROR("no error; expected: " << text);
    } catch (const ModelError& error) {
      const std::string what = error.what();
      BOOST_TEST(what.find(path.string()) == 0U, what);
      BOOST_TEST(what.find(text) != std::string::npos, what);
    }
    std::filesystem::remove(path);
  };
  std::filesystem::create_symlink("/dev/zero", path);
  refused("is not a regular file");
  BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  refused("is not a regular file");
  std::filesystem::create_directory(path);
  refused("is not a regular file");
  std::filesystem::create_symlink("nothing", path);
  refused("is a link to nothing, which is not there");
  write_file(path, "");
  refused("is empty");
  write_file(path, std::string((std::size_t{1} << 20) + 1, ' '));
  refused("has 1048577 bytes, expected at most 1048576 in a chat_template.jinja");
}

BOOST_AUTO_TEST_SUITE_END()
