#include "runtime/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/policy/modes/modes.hpp"
#include "models/tokenizer/chat_template.hpp"
#include "models/tokenizer/utf8.hpp"
#include "runtime/chat.hpp"
#include "runtime/cli.hpp"
#include "runtime/error.hpp"
#include "runtime/read_file.hpp"

namespace flowspec {

namespace {

constexpr const char* description =
    "Writes text with a language model whose layers are spread over actors and machines.";

constexpr const char* exit_codes =
    "Exit codes: 0 done, 1 the run failed, 2 wrong options or files, 130 cancelled (Ctrl-C).";

void add_answer_options(CLI::App& app, GenerateOptions& options, const std::string& context_help) {
  auto* model = app.add_option_group("Model");
  model->add_option(
      "-m,--model", options.model,
      "GGUF file, or folder with config.json and safetensors (default: the small pair "
      "that comes with the program)");
  model->add_option("-d,--draft", options.draft,
                    "What guesses ahead: a folder with an EAGLE head, a model with the same "
                    "vocabulary, lookup (in the text so far), self (the model), none");
  model->add_option("--mode", options.mode, "How to decode (default flowspec)")
      ->check(CLI::IsMember(std::vector<std::string>(mode_names().begin(), mode_names().end())));
  model
      ->add_option("--controller", options.controller,
                   "Speculate less, or not, where it does not pay: on, off (default on)")
      ->transform(CLI::IsMember({"on", "off"}));
  model->add_option("--context", options.context, context_help);
  add_kv_type_option(*model, options.kv_type);

  auto* where = app.add_option_group("Place");
  where->add_option("--stages", options.stages, "Stages that the layers are spread over")
      ->check(CLI::Range(1, 4096));
  where->add_option("--split", options.split, "Layers of every stage, as 4,4,3")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_cluster_options(*where, options.cluster_file, options.nodes);
  where
      ->add_option("--threads", options.threads,
                   "Threads of every stage, of the verifier and of the draft "
                   "(default: the cores, divided among them)")
      ->check(CLI::Range(1, 1024));

  auto* sampling = app.add_option_group("Sampling");
  sampling
      ->add_option("-n,--max-tokens", options.max_tokens,
                   fmt::format("Tokens to write at most (default {})", options.max_tokens))
      ->check(CLI::Range(1, 1 << 20));
  sampling->add_option("-t,--temperature", options.sampling.temperature,
                       "0 takes the likeliest token (default 0)");
  sampling->add_option("--top-k", options.sampling.top_k, "Choose among the k likeliest (0: all)");
  sampling->add_option("--top-p", options.sampling.top_p,
                       "Choose among the likeliest that together have this probability (1: all)");
  sampling->add_option("-s,--seed", options.sampling.seed, "Number that decides the sampling");
  sampling
      ->add_option(
          "--stop", options.stop,
          "Text that ends the answer, taken as it is (no escapes: a line break is $'\\n' in bash); "
          "may be repeated")
      ->take_all()
      ->allow_extra_args(false);

  app.add_flag("--json", options.json, "Print one JSON object instead of text");
  app.add_option_function<int>(
         "--progress-limit",
         [&options](int s) { options.progress_limit = std::chrono::seconds(s); },
         "Seconds without any progress after which the run fails (default 60)")
      ->check(CLI::Range(1, 86400));
  app.add_option_function<int>(
         "--load-limit", [&options](int s) { options.load_limit = std::chrono::seconds(s); },
         "Seconds that a stage may take to load (default 600)")
      ->check(CLI::Range(1, 86400));
  auto* quiet = app.add_flag_callback(
      "-q,--quiet", [&options] { options.verbosity = Verbosity::quiet; }, "No statistics");
  app.add_flag_callback(
         "-v,--verbose", [&options] { options.verbosity = Verbosity::verbose; }, "Say what is done")
      ->excludes(quiet);
  add_network_options(app, options.network);
}

void add_generate(CLI::App& app, GenerateOptions& options) {
  app.add_option("prompt", options.prompt, "The text to continue; - reads it from standard input");
  app.add_option("--file", options.prompt_file, "Read the prompt from a file; - is standard input");
  add_answer_options(app, options,
                     "Tokens of prompt and answer together at most (default: as the model says)");
  app.footer(exit_codes);
}

void add_chat(CLI::App& app, ChatOptions& options) {
  app.add_option("--system", options.system, "What the model is told ahead of the conversation");
  auto names = ChatTemplate::names();
  app.add_option("--chat-template", options.chat_template,
                 "How messages are written for the model (default: as its file says)")
      ->check(CLI::IsMember(std::vector<std::string>(names.begin(), names.end())));
  options.max_tokens = 1024;
  add_answer_options(app, options,
                     fmt::format("Tokens of the whole conversation at most (default: as the model "
                                 "says, {} at most)",
                                 default_chat_context));
  app.footer(fmt::format("{}\n\n{}", chat_help, exit_codes));
}

void check(const GenerateOptions& options) {
  if (auto problem = find_problem(options.sampling))
    throw RuntimeError(*problem);
  for (const std::string& stop : options.stop)
    if (!is_utf8(stop))
      throw RuntimeError(
          "--stop is no UTF-8, and the text of an answer always is: it would never end one");
  if (options.prompt && !options.prompt_file.empty())
    throw RuntimeError("the prompt is given twice, as an argument and with --file");
}

}  // namespace

void add_commands(CLI::App& app, CommandOptions& options) {
  app.set_version_flag("--version", [] { return version_text("flowspec"); });
  app.require_subcommand(1);
  app.footer(exit_codes);
  add_generate(*app.add_subcommand("generate", "Continue a text"), options.generate);
  add_chat(*app.add_subcommand("chat", "Talk with a model"), options.chat);
  auto* nodes = app.add_subcommand("nodes", "Ask nodes what they are and do")->alias("status");
  add_cluster_options(*nodes, options.nodes.cluster_file, options.nodes.nodes);
  nodes->add_flag("--json", options.nodes.json, "Print one JSON object instead of a table");
  add_network_options(*nodes, options.nodes.network);
  auto* bench = app.add_subcommand("bench", "Measure modes and devices, emulated or real");
  add_bench(*bench, options.bench);
  add_engine_bench(
      *bench->add_subcommand("engine", "Measure how fast this machine computes layers"),
      options.engine_bench);
  add_verify(*app.add_subcommand("verify", "Prove that every pipeline writes the model's text"),
             options.verify);
  add_tokenize(*app.add_subcommand("tokenize", "Show a text's tokens, or the text of tokens"),
               options.tokenize);
}

CommandLine parse_command_line(int argc, const char* const* argv) {
  CLI::App app(description, "flowspec");
  CommandOptions options;
  add_commands(app, options);
  CommandLine line;
  if (auto code = parse(app, argc, argv)) {
    line.exit_code = *code;
  } else if (app.got_subcommand("generate")) {
    check(options.generate);
    line.generate = std::move(options.generate);
  } else if (app.got_subcommand("chat")) {
    check(options.chat);
    line.chat = std::move(options.chat);
  } else if (app.get_subcommand("bench")->got_subcommand("engine")) {
    check(options.engine_bench);
    line.engine_bench = std::move(options.engine_bench);
  } else if (app.got_subcommand("bench")) {
    check(options.bench);
    line.bench = std::move(options.bench);
  } else if (app.got_subcommand("verify")) {
    check(options.verify);
    line.verify = std::move(options.verify);
  } else if (app.got_subcommand("tokenize")) {
    line.tokenize = std::move(options.tokenize);
  } else {
    line.nodes = std::move(options.nodes);
  }
  return line;
}

Cluster named_cluster(const std::string& file, const std::vector<std::string>& nodes) {
  if (!file.empty())
    return read_cluster(file);
  Cluster cluster;
  for (const std::string& node : nodes)
    cluster.nodes.push_back(parse_address(node));
  return cluster;
}

std::string read_prompt(const GenerateOptions& options) {
  if (!options.prompt_file.empty() && options.prompt_file != "-")
    return read_file(options.prompt_file, "prompt file", most_text);
  if (!options.prompt_file.empty())
    return read_standard_input("prompt", most_text);
  if (!options.prompt)
    throw RuntimeError("there is no prompt: give it as an argument, with --file, or - for input");
  return *options.prompt == "-" ? read_standard_input("prompt", most_text) : *options.prompt;
}

}  // namespace flowspec
