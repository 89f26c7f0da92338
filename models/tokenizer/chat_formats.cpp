#include "models/tokenizer/chat_formats.hpp"

namespace flowspec {
namespace {

using enum ChatFormat::SystemPlace;
using Trim = ChatFormat::Trim;
using Thoughts = ChatFormat::Thoughts;

/// ChatML, as in Qwen and most community fine-tunes.
constexpr ChatFormat chatml(std::string_view name) {
  return {.name = name,
          .system_begin = "<|im_start|>system\n",
          .system_end = "<|im_end|>\n",
          .user_begin = "<|im_start|>user\n",
          .user_end = "<|im_end|>\n",
          .answer_begin = "<|im_start|>assistant\n",
          .answer_end = "<|im_end|>\n",
          .prompt = "<|im_start|>assistant\n"};
}

constexpr ChatFormat chatml_with_system(std::string_view name, std::string_view default_system) {
  ChatFormat format = chatml(name);
  format.default_system = default_system;
  return format;
}

constexpr ChatFormat chatml_with_thoughts(std::string_view name, Thoughts thoughts,
                                          std::string_view prompt) {
  ChatFormat format = chatml(name);
  format.thoughts = thoughts;
  format.prompt = prompt;
  return format;
}

/// Yi's programs write the system message without markers.
constexpr ChatFormat yi() {
  ChatFormat format = chatml("yi");
  format.system_begin = "";
  format.system_end = "";
  return format;
}

constexpr ChatFormat llama3(std::string_view name, std::string_view system_begin) {
  return {.name = name,
          .system_begin = system_begin,
          .system_end = "<|eot_id|>",
          .user_begin = "<|start_header_id|>user<|end_header_id|>\n\n",
          .user_end = "<|eot_id|>",
          .answer_begin = "<|start_header_id|>assistant<|end_header_id|>\n\n",
          .answer_end = "<|eot_id|>",
          .prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n",
          .trim = Trim::all};
}

/// Llama 3.1 and later write a system message, with a date, in every conversation.
constexpr ChatFormat llama3_with_date(std::string_view name, std::string_view system_begin) {
  ChatFormat format = llama3(name, system_begin);
  format.default_system = "";
  return format;
}

constexpr ChatFormat deepseek3(std::string_view name, Thoughts thoughts, std::string_view prompt) {
  return {.name = name,
          .system_begin = "",
          .system_end = "",
          .user_begin = "<｜User｜>",
          .user_end = "",
          .answer_begin = "<｜Assistant｜>",
          .answer_end = "<｜end▁of▁sentence｜>",
          .prompt = prompt,
          .thoughts = thoughts};
}

constexpr ChatFormat formats[] = {
    chatml("chatml"),
    chatml_with_system("qwen1.5", "You are a helpful assistant"),
    chatml_with_system("qwen2", "You are a helpful assistant."),
    chatml_with_system("qwen2.5",
                       "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    chatml_with_thoughts("qwen3", Thoughts::as_qwen3, "<|im_start|>assistant\n"),
    chatml_with_thoughts("qwen3-thinking", Thoughts::as_qwen3, "<|im_start|>assistant\n<think>\n"),
    chatml_with_thoughts("qwq", Thoughts::dropped_with_lines, "<|im_start|>assistant\n<think>\n"),
    chatml_with_system("smollm2",
                       "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    yi(),
    llama3("llama3", "<|start_header_id|>system<|end_header_id|>\n\n"),
    // 3.1 and 3.3
    llama3_with_date("llama3.1",
                     "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: "
                     "December 2023\nToday Date: 26 Jul 2024\n\n"),
    llama3_with_date("llama3.2",
                     "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: "
                     "December 2023\nToday Date: {date}\n\n"),
    {.name = "llama2",
     .system_begin = "<<SYS>>\n",
     .system_end = "\n<</SYS>>\n\n",
     .user_begin = "[INST] ",
     .user_end = " [/INST]",
     .answer_begin = " ",
     .answer_end = " {eos}",
     .prompt = "",
     .place = first_user,
     .trim = Trim::all_but_system,
     .between = "{bos}"},
    // Mistral 7B v0.1
    {.name = "mistral-v0.1",
     .system_begin = "",
     .system_end = "\n\n",
     .user_begin = "[INST] ",
     .user_end = " [/INST]",
     .answer_begin = "",
     .answer_end = "{eos} ",
     .prompt = "",
     .place = first_user},
    // Mistral 7B v0.2, Mixtral 8x7B
    {.name = "mistral-v0.2",
     .system_begin = "",
     .system_end = "\n\n",
     .user_begin = "[INST] ",
     .user_end = " [/INST]",
     .answer_begin = "",
     .answer_end = "{eos}",
     .prompt = "",
     .place = first_user},
    // the same models with their later template
    {.name = "mistral-v1",
     .system_begin = "",
     .system_end = "\n\n",
     .user_begin = " [INST] ",
     .user_end = " [/INST]",
     .answer_begin = " ",
     .answer_end = "{eos}",
     .prompt = "",
     .place = first_user},
    // Mistral 7B v0.3 as some files have it
    {.name = "mistral-v0.3",
     .system_begin = "",
     .system_end = "\n\n",
     .user_begin = "[INST] ",
     .user_end = "[/INST]",
     .answer_begin = "",
     .answer_end = "{eos}",
     .prompt = "",
     .place = first_user},
    // Mistral 7B v0.3, Large 2407
    {.name = "mistral-v3",
     .system_begin = "",
     .system_end = "\n\n",
     .user_begin = "[INST] ",
     .user_end = "[/INST]",
     .answer_begin = " ",
     .answer_end = "{eos}",
     .prompt = "",
     .place = last_user,
     .trim = Trim::answers},
    // Mistral Nemo
    {.name = "mistral-v3-tekken",
     .system_begin = "",
     .system_end = "\n\n",
     .user_begin = "[INST]",
     .user_end = "[/INST]",
     .answer_begin = "",
     .answer_end = "{eos}",
     .prompt = "",
     .place = last_user},
    // Mistral Large 2411
    {.name = "mistral-v7",
     .system_begin = "[SYSTEM_PROMPT] ",
     .system_end = "[/SYSTEM_PROMPT]",
     .user_begin = "[INST] ",
     .user_end = "[/INST]",
     .answer_begin = " ",
     .answer_end = "{eos}",
     .prompt = ""},
    // Mistral Small 2501
    {.name = "mistral-v7-tekken",
     .system_begin = "[SYSTEM_PROMPT]",
     .system_end = "[/SYSTEM_PROMPT]",
     .user_begin = "[INST]",
     .user_end = "[/INST]",
     .answer_begin = "",
     .answer_end = "{eos}",
     .prompt = ""},
    // Zephyr, TinyLlama
    {.name = "zephyr",
     .system_begin = "<|system|>\n",
     .system_end = "{eos}\n",
     .user_begin = "<|user|>\n",
     .user_end = "{eos}\n",
     .answer_begin = "<|assistant|>\n",
     .answer_end = "{eos}\n",
     .prompt = "<|assistant|>\n"},
    // Tülu 3
    {.name = "tulu3",
     .system_begin = "<|system|>\n",
     .system_end = "\n",
     .user_begin = "<|user|>\n",
     .user_end = "\n",
     .answer_begin = "<|assistant|>\n",
     .answer_end = "{eos}\n",
     .prompt = "<|assistant|>\n"},
    // OpenChat 3.5
    {.name = "openchat",
     .system_begin = "GPT4 Correct System: ",
     .system_end = "<|end_of_turn|>",
     .user_begin = "GPT4 Correct User: ",
     .user_end = "<|end_of_turn|>",
     .answer_begin = "GPT4 Correct Assistant: ",
     .answer_end = "<|end_of_turn|>",
     .prompt = "GPT4 Correct Assistant:"},
    // SOLAR 10.7B
    {.name = "solar",
     .system_begin = "### System:\n",
     .system_end = "\n\n",
     .user_begin = "### User:\n",
     .user_end = "\n\n",
     .answer_begin = "### Assistant:\n",
     .answer_end = "",
     .prompt = "### Assistant:\n"},
    // Phi-4
    {.name = "phi4",
     .system_begin = "<|im_start|>system<|im_sep|>",
     .system_end = "<|im_end|>",
     .user_begin = "<|im_start|>user<|im_sep|>",
     .user_end = "<|im_end|>",
     .answer_begin = "<|im_start|>assistant<|im_sep|>",
     .answer_end = "<|im_end|>",
     .prompt = "<|im_start|>assistant<|im_sep|>"},
    {.name = "vicuna",
     .system_begin = "",
     .system_end = "\n\n",
     .user_begin = "USER: ",
     .user_end = "\n",
     .answer_begin = "ASSISTANT: ",
     .answer_end = "{eos}\n",
     .prompt = "ASSISTANT:"},
    // DeepSeek LLM, V2
    {.name = "deepseek",
     .system_begin = "",
     .system_end = "\n\n",
     .user_begin = "User: ",
     .user_end = "\n\n",
     .answer_begin = "Assistant: ",
     .answer_end = "{eos}",
     .prompt = "Assistant:"},
    deepseek3("deepseek3", Thoughts::kept, "<｜Assistant｜>"),
    // R1, and R1-0528 with its distillate
    deepseek3("deepseek-r1-0528", Thoughts::dropped, "<｜Assistant｜>"),
    // R1 and its distillates
    deepseek3("deepseek-r1", Thoughts::dropped, "<｜Assistant｜><think>\n"),
    {.name = "plain",
     .system_begin = "",
     .system_end = "",
     .user_begin = "",
     .user_end = "",
     .answer_begin = "",
     .answer_end = "",
     .prompt = ""},
};

}  // namespace

std::span<const ChatFormat> chat_formats() {
  return formats;
}

}  // namespace flowspec
