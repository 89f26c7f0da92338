#include "runtime/commands/answer_options.hpp"

#include <fmt/format.h>

#include "actors/policy/modes/modes.hpp"
#include "models/tokenizer/chat_template.hpp"
#include "models/tokenizer/utf8.hpp"
#include "runtime/cluster/network_options.hpp"
#include "runtime/commands/chat.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/read_file.hpp"
#include "runtime/run/sampling_options.hpp"

namespace flowspec {

namespace {

void add_model_options(CLI::App& app, RunSpec& run, const std::string& context_help) {
  auto* model = app.add_option_group("Model");
  model->add_option(
      "-m,--model", run.model,
      "GGUF file, or folder with config.json and safetensors; with nodes also the name of one "
      "that they have (default: the small pair that comes with the program)");
  model->add_option(
      "-d,--draft", run.draft,
      "What guesses ahead: a folder with an EAGLE or EAGLE-3 head, a model with the same "
      "vocabulary, lookup (in the text so far), self (the model), none; with nodes also the name "
      "of one that they have");
  add_draft_type_option(*model, run.draft_type);
  model->add_option("--draft-vocabulary", run.draft_vocabulary, draft_vocabulary_help)
      ->type_name("FILE");
  model->add_option("--mode", run.mode, "How to decode (default flowspec)")
      ->check(CLI::IsMember(std::vector<std::string>(mode_names().begin(), mode_names().end())));
  model
      ->add_option("--controller", run.controller,
                   "Speculate less, or not, where it does not pay: on, off (default on)")
      ->transform(CLI::IsMember({"on", "off"}));
  add_coupled_option(*model, run.coupled);
  model->add_option("--context", run.context, context_help);
  add_kv_type_option(*model, run.kv_type);
  add_hidden_type_option(*model, run.hidden_type);
  add_numerics_option(*model, run.numerics);
}

void add_place_options(CLI::App& app, AnswerOptions& options) {
  auto* where = app.add_option_group("Place");
  where->add_option("--stages", options.run.stages, "Stages that the layers are spread over")
      ->check(CLI::Range(1, 4096));
  where->add_option("--split", options.run.split, "Layers of every stage, as 4,4,3")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_cluster_options(*where, options.cluster_file, options.nodes);
  add_spare_option(*where, options.spares);
  add_place_option(*where, options.place);
  where
      ->add_option(
          "--threads", options.run.threads,
          "Threads that compute in this process, and in every stage of a node (default: the cores)")
      ->check(CLI::Range(1, 1024));
}

void add_sampling_options(CLI::App& app, AnswerOptions& options) {
  auto* sampling = app.add_option_group("Sampling");
  sampling
      ->add_option("-n,--max-tokens", options.max_tokens,
                   fmt::format("Tokens to write at most (default {})", options.max_tokens))
      ->check(CLI::Range(1, 1 << 20));
  add_sampler_options(*sampling, options.sampling, "0 takes the likeliest token (default 0)");
  sampling->add_option("-s,--seed", options.sampling.seed, "Number that decides the sampling");
  add_logprobs_option(*sampling, options.sampling);
  sampling
      ->add_option(
          "--stop", options.stop,
          "Text that ends the answer, taken as it is (no escapes: a line break is $'\\n' in bash); "
          "may be repeated")
      ->take_all()
      ->allow_extra_args(false);
}

}  // namespace

void add_answer_options(CLI::App& app, AnswerOptions& options, const std::string& context_help) {
  add_model_options(app, options.run, context_help);
  add_place_options(app, options);
  add_sampling_options(app, options);
  app.add_flag("--json", options.json, "Print one JSON object instead of text");
  app.add_option_function<int>(
         "--progress-limit",
         [&options](int s) { options.progress_limit = std::chrono::seconds(s); },
         "Seconds without any progress after which the run fails (default 60)")
      ->check(CLI::Range(1, 86400));
  app.add_option_function<int>(
         "--load-limit", [&options](int s) { options.run.load_limit = std::chrono::seconds(s); },
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
  app.footer(exit_codes_text);
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
  app.footer(fmt::format("{}\n\n{}", chat_help, exit_codes_text));
}

void check(const AnswerOptions& options) {
  check(options.sampling);
  if (options.sampling.logprobs > 0 && !options.json)
    throw RuntimeError("--logprobs is for --json: add it, or leave --logprobs out");
  for (const std::string& stop : options.stop)
    if (!is_utf8(stop))
      throw RuntimeError(
          "--stop is no UTF-8, and the text of an answer always is: it would never end one");
}

void check(const GenerateOptions& options) {
  check(static_cast<const AnswerOptions&>(options));
  if (options.prompt && !options.prompt_file.empty())
    throw RuntimeError("the prompt is given twice, as an argument and with --file");
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
