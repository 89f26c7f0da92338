#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "models/tokenizer/chat_template.hpp"
#include "runtime/console/error.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/template_runs.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using nlohmann::ordered_json;

const Conversation with_tools{
    .messages = ordered_json::parse(R"([
      {"role": "system", "content": " Be brief. "},
      {"role": "user", "content": [{"type": "text", "text": "Which"}, {"type": "text", "text": "?"}]},
      {"role": "assistant", "content": null, "reasoning_content": "hm",
       "tool_calls": [{"type": "function", "id": "c1",
                       "function": {"name": "look", "arguments": {"b": 1, "a": "<é>"}}}]},
      {"role": "tool", "name": "look", "content": "{\"x\": 1}"}])"),
    .tools = ordered_json::parse(
        R"([{"type": "function", "function": {"name": "look", "parameters": {"z": 1, "a": [1.5, true]}}}])"),
    .documents = ordered_json::parse(R"([{"title": "T", "text": "D"}])"),
    .extra = ordered_json::parse(R"({"enable_thinking": false, "effort": "low"})")};

struct Construct {
  const char* program;
  const char* text;
};

/// What public templates use, one by one.
const Construct constructs[] = {
    // statements
    {"{% if tools %}a{% elif documents %}b{% else %}c{% endif %}", "a"},
    {"{% for m in messages %}{{ m.role }}{% if not loop.last %}, {% endif %}{% endfor %}",
     "system, user, assistant, tool"},
    {"{% for m in messages if m.role != 'user' %}{{ loop.index0 }}{{ m['role'][0] }}{% endfor %}",
     "0s1a2t"},
    {"{% for m in messages %}{% if loop.first %}{{ loop.nextitem.role }}{% endif %}"
     "{% if loop.last %}{{ loop.previtem.role }}{{ loop.index }}{{ loop.length }}{% endif %}"
     "{% endfor %}",
     "userassistant44"},
    {"{% for k, v in tools[0].function.items() %}{{ k }};{% endfor %}", "name;parameters;"},
    {"{% for x in [] %}x{% else %}none{% endfor %}", "none"},
    {"{% for m in messages %}{% if loop.index0 == 1 %}{% continue %}{% endif %}"
     "{% if loop.index0 == 3 %}{% break %}{% endif %}{{ loop.index0 }}{% endfor %}",
     "02"},
    {"{% set a = 1 %}{% for x in [1, 2] %}{% set a = a + x %}{% endfor %}{{ a }}", "1"},
    {"{% set ns = namespace(a=1) %}{% for x in [1, 2] %}{% set ns.a = ns.a + x %}{% endfor %}"
     "{{ ns.a }}",
     "4"},
    {"{% set b %}<{{ messages[0].role }}>{% endset %}{{ b | upper }}", "<SYSTEM>"},
    {"{% macro f(x, y='!') %}{{ x }}{{ y }}{% endmacro %}{{ f('a') }}{{ f(y='b', x='c') }}",
     "a!cb"},
    {"{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
     "3210"},
    {"{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}in{% endcall %}", "<in>"},
    {"{% filter upper %}a{{ messages[1].role }}{% endfilter %}", "AUSER"},
    {"a{% generation %}b{{ messages[2].reasoning_content }}{% endgeneration %}c", "abhmc"},
    {"a {#- a comment -#} b{# and another #}", "ab"},
    {"  {% if true %}\n  x\n  {% endif %}\n  y\n", "  x\n  y"},
    {"a\n{%- if true -%}\n b \n{%- endif -%}\n c", "abc"},
    {"a\n\n{{- ' b' -}}\n c", "a bc"},
    {"{% raw %}{{ x }}{% endraw %}", "{{ x }}"},
    // filters
    {"{{ messages[0].content | trim }}|{{ messages | length }}", "Be brief.|4"},
    {"{{ tools[0] | tojson }}",
     R"({"type": "function", "function": {"name": "look", "parameters": {"z": 1, "a": [1.5, true]}}})"},
    {"{{ messages[2].tool_calls[0].function.arguments | tojson }}", R"({"b": 1, "a": "<é>"})"},
    {"{{ {'b': 1, 'a': [none, \"<'&\"]} | tojson(indent=1, sort_keys=true) }}",
     "{\n \"a\": [\n  null,\n  \"<'&\"\n ],\n \"b\": 1\n}"},
    {"{{ 'é' | tojson(ensure_ascii=true) }}{{ [1, 2] | tojson(separators=(',', ':')) }}",
     "\"\\u00e9\"[1,2]"},
    {"{{ 1 | string + 'a' }}{{ none | string }}", "1aNone"},
    {"{{ nothing | default('d') }}{{ '' | default('e', true) }}{{ enable_thinking | default(true) "
     "}}",
     "deFalse"},
    {"{{ ['a', 'b'] | join(', ') }}{{ messages | map(attribute='role') | join('/') }}",
     "a, bsystem/user/assistant/tool"},
    {"{{ {'a': 1} | items | list }}", "[('a', 1)]"},
    {"{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"},
    {"{{ messages | rejectattr('role', 'in', ['user', 'tool']) | map(attribute='role') | list }}",
     "['system', 'assistant']"},
    {"{{ '<b>' | safe }}{{ 'AbC' | lower }}{{ 'x' | upper }}", "<b>abcX"},
    {"{% for k, v in {'b': 1, 'a': 2} | dictsort %}{{ k }}{{ v }}{% endfor %}", "a2b1"},
    {"{{ 'a-b-a' | replace('a', 'c') }}{{ ('a\nb' | indent(2)) }}", "c-b-ca\n  b"},
    {"{{ '7' | int + 1 }}{{ [3, 1, 3] | unique | list }}{{ [3, 1] | sort }}{{ [3, 1] | min }}",
     "8[3, 1][1, 3]1"},
    {"{{ [1, none, 2] | reject('none') | list }}{{ [3, 4] | first }}{{ [3, 4] | last }}",
     "[1, 2]34"},
    {"{{ 'a b' | capitalize }}{{ 'a' | title }}{{ [1, 2] | sum }}{{ -1 | abs }}{{ 1.25 | round(1) "
     "}}",
     "A bA311.2"},
    // tests
    {"{{ nothing is defined }}{{ tools is defined }}{{ nothing is undefined }}", "FalseTrueTrue"},
    {"{% for m in messages %}{{ m.content is string }}{{ m.content is none }}"
     "{{ m.content is iterable }}{{ m.content is mapping }};{% endfor %}",
     "TrueFalseTrueFalse;FalseFalseTrueFalse;FalseTrueFalseFalse;TrueFalseTrueFalse;"},
    {"{{ [] is sequence }}{{ {} is mapping }}{{ true is boolean }}{{ false is false }}"
     "{{ 1 is true }}{{ 1 is number }}{{ 2 is even }}{{ 3 is odd }}",
     "TrueTrueTrueTrueFalseTrueTrueTrue"},
    // methods
    {"{{ 'a</think>b'.split('</think>')[-1] }}{{ ' a '.strip() }}{{ '\n\na'.lstrip('\n') }}"
     "{{ 'a\n'.rstrip('\n') }}",
     "baaa"},
    {"{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith('b') }}{{ 'aXb'.replace('X', '') }}",
     "TrueFalseab"},
    {"{{ messages[0].get('name', 'nobody') }}{{ messages[3].get('name') }}", "nobodylook"},
    {"{{ '%s-%d' | format('a', 3) }}{{ '{}:{}'.format('k', 'v') }}{{ 'a,b'.split(',') }}",
     "a-3k:v['a', 'b']"},
    {"{{ 'abc'.upper() }}{{ 'Ab'.lower() }}{{ 'x y'.title() }}{{ 'a'.join(['1', '2']) }}",
     "ABCabX Y1a2"},
    {"{{ 'a' in 'abc' }}{{ 'role' in messages[0] }}{{ 'x' not in ['y'] }}", "TrueTrueTrue"},
    // expressions
    {"{{ messages[1:][0].role }}{{ messages[-1].role }}{{ 'abcdef'[1:4] }}{{ 'abc'[::-1] }}",
     "usertoolbcdcba"},
    {"{{ 'a' ~ 1 ~ none }}{{ 'a' if tools else 'b' }}{{ 'a' if nothing }}", "a1Nonea"},
    {"{{ 7 // 2 }}{{ 7 % 4 }}{{ 2 ** 3 }}{{ 7 / 2 }}{{ not true or false }}", "3383.5False"},
    {"{{ range(3) | list }}{{ range(2, 8, 3) | list }}", "[0, 1, 2][2, 5]"},
    {"{{ dict(a=1).a }}{{ (1, 2)[1] }}{{ {'a': {'b': 3}}.a.b }}{{ {'a-b': 4}['a-b'] }}", "1234"},
    {"{{ bos_token }}{{ eos_token }}{{ effort }}{{ add_generation_prompt }}{{ documents[0].title "
     "}}",
     "<s></s>lowTrueT"},
    {"{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%Y-%m-%d') }}|{{ strftime_now('%A, %H:%M') "
     "}}",
     "06 Nov 2026|2026-11-06|Friday, 00:00"},
    {"{{ messages[1].content[0].text }}{% for part in messages[1]['content'] %}{{ part['type'] }}"
     "{% endfor %}",
     "Whichtexttext"},
    {"{{ {'a': 1, 'b': 2}.keys() | list }}{{ {'a': 1}.values() | list }}{{ 'a\\nb'.splitlines() }}",
     "['a', 'b'][1]['a', 'b']"},
};

RuntimeError error_of(const ChatProgram& program, const Conversation& conversation) {
  try {
    shared_runner().render(program, input_of(conversation));
  } catch (const RuntimeError& error) {
    return error;
  }
  BOOST_FAIL("no error of: " + program.text);
  return RuntimeError("");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(templates)

BOOST_AUTO_TEST_CASE(what_public_templates_use) {
  std::vector<ReferenceCase> cases;
  for (const Construct& construct : constructs) {
    const ChatProgram program = program_of(construct.program);
    BOOST_TEST_CONTEXT(construct.program)
    BOOST_TEST(text_or_error(program, with_tools) == construct.text);
    cases.push_back({program, with_tools});
  }
  const auto reference = reference_texts(cases);
  for (std::size_t i = 0; i < cases.size(); ++i)
    BOOST_TEST_CONTEXT(constructs[i].program)
  BOOST_TEST(reference[i] == constructs[i].text);
}

BOOST_AUTO_TEST_CASE(without_tools_and_documents_a_template_sees_none) {
  const Conversation plain{.messages = ordered_json::parse(R"([{"role": "user", "content": "a"}])"),
                           .add_generation_prompt = false};
  BOOST_TEST(text_or_error(program_of("{{ tools is none }}{{ documents is none }}"
                                      "{{ tools is defined }}{{ add_generation_prompt }}"),
                           plain) == "TrueTrueTrueFalse");
}

BOOST_AUTO_TEST_CASE(what_a_template_is_given_replaces_special_tokens) {
  Conversation conversation = with_tools;
  conversation.extra = {{"bos_token", "other"}};
  BOOST_TEST(text_or_error(program_of("{{ bos_token }}"), conversation) == "other");
}

BOOST_AUTO_TEST_CASE(the_last_message_can_be_continued) {
  const auto continued = [](const char* program, const char* answer) {
    TemplateInput input{.messages = ordered_json{{{"role", "user"}, {"content", "a"}},
                                                 {{"role", "assistant"}, {"content", answer}}}
                                        .dump(),
                        .add_generation_prompt = false,
                        .continue_final_message = true,
                        .now = test_day};
    return shown(shared_runner().render(program_of(program), input));
  };
  const char* as_it_is =
      "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>\n{% endfor %}";
  const char* trimmed =
      "{% for m in messages %}<|im_start|>{{ m.content | trim }}<|im_end|>\n{% endfor %}";
  BOOST_TEST(continued(as_it_is, "b ") == "<|im_start|>«a»<|im_end|>«\n»<|im_start|>«b »");
  BOOST_TEST(continued(trimmed, " b ") == "<|im_start|>«a»<|im_end|>«\n»<|im_start|>«b»");
  check_throws<RuntimeError>([&] { continued("nothing", "b"); }, {"cannot be continued"});
}

BOOST_AUTO_TEST_CASE(errors_say_whose_they_are) {
  auto refused =
      error_of(program_of("{{ raise_exception('only ' ~ messages[0].role) }}"), with_tools);
  BOOST_TEST(refused.what() ==
             std::string("the model's chat template refuses this conversation: only system"));
  BOOST_CHECK(refused.code() == ErrorCode::bad_request);
  auto failed = error_of(program_of("{{ messages[2].content + 'a' }}"), with_tools);
  BOOST_TEST(std::string(failed.what()).find("cannot write this conversation: TypeError: ") !=
             std::string::npos);
  BOOST_CHECK(failed.code() == ErrorCode::bad_request);
  auto broken = error_of(program_of("\n{% if %}"), with_tools);
  BOOST_TEST(std::string(broken.what()).find("no Jinja program: Expected an expression") !=
             std::string::npos);
  BOOST_TEST(std::string(broken.what()).find("(line 2)") != std::string::npos);
  BOOST_CHECK(broken.code() == ErrorCode::model);
}

BOOST_AUTO_TEST_CASE(messages_have_to_be_a_list) {
  for (const char* messages : {"", "{", "{}", "\"a\"", "[", "null"}) {
    BOOST_TEST_CONTEXT(messages)
    check_throws<RuntimeError>(
        [&] { shared_runner().render(program_of("a"), {.messages = messages, .now = test_day}); },
        {"conversation"});
  }
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_become_a_sign_for_it) {
  const TemplateInput input{.messages = "[{\"role\": \"user\", \"content\": \"a\xff\"}]",
                            .now = test_day};
  BOOST_TEST(shared_runner().render(program_of("{{ messages[0].content }}"), input).text ==
             "a\uFFFD");
}

BOOST_AUTO_TEST_CASE(formats_write_what_the_programs_do_that_they_stand_for) {
  const char* programs[] = {
      // OpenHermes 2.5 and many others
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
      "+ "
      "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
      "'<|im_start|>assistant\n' }}{% endif %}",
      // Mixtral 8x7B
      "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != "
      "(loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate "
      "user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ "
      "'[INST] "
      "' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ "
      "message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles "
      "are supported!') }}{% endif %}{% endfor %}"};
  const auto conversations = random_conversations(1000, {"<|im_end|>", "<|im_start|>", "[INST]"});
  for (const char* text : programs) {
    auto format = ChatTemplate::recognise(text);
    BOOST_REQUIRE(format);
    const auto expected = reference_texts(program_of(text), conversations);
    std::size_t compared = 0;
    for (std::size_t i = 0; i < conversations.size(); ++i) {
      const bool has_system = conversations[i].messages[0]["role"] == "system";
      const std::string written = text_or_error(program_of(text), conversations[i]);
      if (has_system && !format->takes_system()) {
        BOOST_REQUIRE(written.starts_with("error: "));
        BOOST_REQUIRE(expected[i].starts_with("error: "));
        continue;
      }
      std::vector<ChatTurn> turns;
      for (const auto& message : conversations[i].messages)
        turns.push_back({message["role"] == "system" ? ChatTurn::Role::system
                         : message["role"] == "user" ? ChatTurn::Role::user
                                                     : ChatTurn::Role::assistant,
                         message["content"]});
      const std::string bos = format->writes_bos() ? "<s>" : "";
      const std::string by_format =
          bos + format->render(turns, {.bos = "<s>", .eos = "</s>", .date = "06 Nov 2026"}).text;
      BOOST_REQUIRE_EQUAL(written, expected[i]);
      BOOST_REQUIRE_EQUAL(written, by_format);
      ++compared;
    }
    BOOST_TEST(compared > conversations.size() / 3);
  }
}

BOOST_AUTO_TEST_SUITE_END()
