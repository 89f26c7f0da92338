#include "models/tokenizer/chat_template.hpp"

#include <algorithm>
#include <utility>

namespace flowspec {

/// What stands around the messages. {bos} and {eos} are the texts of these tokens.
struct ChatTemplate::Format {
  std::string_view name;
  std::string_view system_begin;
  std::string_view system_end;
  std::string_view user_begin;
  std::string_view user_end;
  std::string_view assistant_begin;
  std::string_view assistant_end;
  /// The system's message stands inside the first message of the user, behind `user_begin`.
  bool system_in_user = false;
  /// An answer begins with a space, which is the model's own.
  bool answer_has_space = false;
  /// In front of `user_begin`, from the user's second message on.
  std::string_view between = {};
};

namespace {

using Format = ChatTemplate::Format;

// Sources: the templates in the tokenizer_config.json of the models that are named.
constexpr Format formats[] = {
    // Qwen, and most models that were tuned by others
    {"chatml", "<|im_start|>system\n", "<|im_end|>\n", "<|im_start|>user\n", "<|im_end|>\n",
     "<|im_start|>assistant\n", "<|im_end|>\n"},
    // Llama 3
    {"llama3", "<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>",
     "<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>",
     "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"},
    // Llama 2
    {"llama2", "<<SYS>>\n", "\n<</SYS>>\n\n", "[INST] ", " [/INST]", "", " {eos}", true, true,
     "{bos}"},
    // Mistral 7B v0.1 and v0.2, Mixtral
    {"mistral-v1", "", "\n\n", "[INST] ", " [/INST]", "", "{eos}", true, true},
    // Mistral 7B v0.3
    {"mistral-v3", "", "\n\n", "[INST] ", "[/INST]", "", "{eos}", true, true},
    // Mistral Nemo
    {"mistral-v3-tekken", "", "\n\n", "[INST]", "[/INST]", "", "{eos}", true},
    // Mistral Small
    {"mistral-v7", "[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]", "[INST] ", "[/INST]", "", "{eos}", false,
     true},
    // Zephyr, TinyLlama
    {"zephyr", "<|system|>\n", "{eos}\n", "<|user|>\n", "{eos}\n", "<|assistant|>\n", "{eos}\n"},
    // Vicuna
    {"vicuna", "", "\n\n", "USER: ", "\n", "ASSISTANT:", "{eos}\n", false, true},
    // DeepSeek LLM
    {"deepseek", "", "\n\n", "User: ", "\n\n", "Assistant:", "{eos}", false, true},
    // DeepSeek R1 and what was distilled from it
    {"deepseek3", "", "\n\n", "<｜User｜>", "", "<｜Assistant｜>", "{eos}"},
    {"plain", "", "", "", "", "", ""},
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view spaces = " \t\r\n";
  auto first = text.find_first_not_of(spaces);
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(spaces) + 1 - first);
}

/// The text so far.
class Writer {
 public:
  Writer(std::string_view bos, std::string_view eos) : bos_(bos), eos_(eos) {}

  void markup(std::string_view text) {
    while (!text.empty()) {
      auto brace = text.substr(0, 5);
      if (brace == "{bos}" || brace == "{eos}") {
        out_.text += brace == "{bos}" ? bos_ : eos_;
        text.remove_prefix(5);
      } else {
        out_.text += text.front();
        text.remove_prefix(1);
      }
    }
  }

  void literal(std::string_view text) {
    if (!text.empty())
      out_.literal.push_back({out_.text.size(), out_.text.size() + text.size()});
    out_.text += text;
  }

  ChatText take() { return std::move(out_); }

 private:
  std::string_view bos_;
  std::string_view eos_;
  ChatText out_;
};

}  // namespace

std::vector<std::string_view> ChatTemplate::names() {
  std::vector<std::string_view> names;
  for (const Format& format : formats)
    names.push_back(format.name);
  return names;
}

std::optional<ChatTemplate> ChatTemplate::by_name(std::string_view name) {
  const auto* found = std::ranges::find(formats, name, &Format::name);
  return found == std::end(formats) ? std::nullopt : std::optional(ChatTemplate(*found));
}

std::string_view ChatTemplate::name() const {
  return format_->name;
}

std::optional<ChatTemplate> ChatTemplate::recognise(std::string_view program) {
  auto has = [&](std::string_view text) { return program.find(text) != std::string_view::npos; };
  if (has("<|im_start|>"))
    return has("<|im_sep|>") ? std::nullopt : by_name("chatml");
  if (has("<|start_header_id|>") && has("<|end_header_id|>"))
    return by_name("llama3");
  if (has("[INST]")) {
    if (has("[SYSTEM_PROMPT]"))
      return by_name("mistral-v7");
    if (has("<<SYS>>"))
      return by_name("llama2");
    if (has("[AVAILABLE_TOOLS]") && has("\"[INST]\""))
      return by_name("mistral-v3-tekken");
    return by_name(has("[AVAILABLE_TOOLS]") && !has(" [INST]") ? "mistral-v3" : "mistral-v1");
  }
  if (has("<｜User｜>") && has("<｜Assistant｜>"))
    return by_name("deepseek3");
  if (has("<|user|>") && has("<|assistant|>") && has("eos_token") && !has("<|end|>"))
    return by_name("zephyr");
  if (has("USER: ") && has("ASSISTANT:"))
    return by_name("vicuna");
  if (has("'User: '") && has("'Assistant: '"))
    return by_name("deepseek");
  return std::nullopt;
}

ChatText ChatTemplate::render(std::span<const ChatTurn> turns, std::string_view bos,
                              std::string_view eos) const {
  const Format& format = *format_;
  Writer out(bos, eos);
  std::optional<std::string_view> system;
  bool first_user = true;
  for (const ChatTurn& turn : turns) {
    switch (turn.role) {
      case ChatTurn::Role::system:
        if (format.system_in_user) {
          system = trimmed(turn.text);
          break;
        }
        out.markup(format.system_begin);
        out.literal(trimmed(turn.text));
        out.markup(format.system_end);
        break;
      case ChatTurn::Role::user:
        if (!std::exchange(first_user, false))
          out.markup(format.between);
        out.markup(format.user_begin);
        if (system) {
          out.markup(format.system_begin);
          out.literal(*std::exchange(system, std::nullopt));
          out.markup(format.system_end);
        }
        out.literal(format.name == "plain" ? std::string_view(turn.text) : trimmed(turn.text));
        out.markup(format.user_end);
        break;
      case ChatTurn::Role::assistant:
        out.markup(format.assistant_begin);
        // As the model wrote it, so that its tokens are the same again.
        if (format.answer_has_space && !turn.text.starts_with(' '))
          out.literal(" ");
        out.literal(turn.text);
        out.markup(format.assistant_end);
        break;
    }
  }
  if (!turns.empty() && turns.back().role == ChatTurn::Role::user)
    out.markup(format.assistant_begin);
  return out.take();
}

}  // namespace flowspec
