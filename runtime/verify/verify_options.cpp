#include "runtime/verify/verify_options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "actors/policy/modes/modes.hpp"
#include "runtime/cluster/network_options.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/error.hpp"
#include "runtime/run/sampling_options.hpp"

namespace flowspec {

namespace {

constexpr const char* footer =
    R"(Every combination of mode, draft and stages writes the same texts, once taking the likeliest
token and once sampling, and each has to be, token by token, what the model writes by plain decoding
on this machine, all layers in one place. For that the whole model has to fit in this machine's
memory. Then many texts are sampled through the pipeline, and a chi-square test compares them with
the model's own probabilities. The same options give the same result every time.

Examples:
  flowspec verify
  flowspec verify --model model.gguf --draft lookup --stages 1,3 --prompts prompts.txt
  flowspec verify --node board-1 --node board-2 --stages 2,4 --json verify.json

Exit codes: 0 all the same, 1 something differs or failed, 2 wrong options or files.)";

template <class T>
CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<T>& list,
                      const std::string& text) {
  return app.add_option(name, list, text)->delimiter(',')->take_all()->allow_extra_args(false);
}

void add_what(CLI::App& app, VerifyOptions& options) {
  auto* what = app.add_option_group("What to verify");
  what->add_option("-m,--model", options.model,
                   "GGUF file, or folder with config.json and safetensors (default: the small pair "
                   "that comes with the program)");
  what->add_option("-d,--draft", options.drafts,
                   "What guesses ahead, as for generate; may be repeated (default: the EAGLE head "
                   "and the small model of the pair; for other models lookup and self)")
      ->take_all()
      ->allow_extra_args(false);
  add_draft_type_option(*what, options.draft_type);
  what->add_option("--draft-vocabulary", options.draft_vocabulary, draft_vocabulary_help)
      ->type_name("FILE");
  add_kv_type_option(*what, options.kv_type);
  add_hidden_type_option(*what, options.hidden_type);
  add_numerics_option(*what, options.numerics);
  add_list(*what, "--modes", options.modes, "How to decode (default: all modes)")
      ->check(CLI::IsMember(std::vector<std::string>(mode_names().begin(), mode_names().end())));
  what->add_option("--controller", options.controller,
                   "Speculate less where it does not pay, as generate does: on, off (default off)")
      ->transform(CLI::IsMember({"on", "off"}));
  add_list(*what, "--stages", options.stages,
           "Numbers of stages, as 1,2,4 (default: 1,2,4,7 and the number of nodes, as far as the "
           "model has the layers)")
      ->check(CLI::Range(1, 4096));
  what->add_option("--prompts", options.prompts_file,
                   "File with a prompt per line, or an object with \"prompt\" per line (default: "
                   "held-out prompts of the pair, a few texts for other models)");
  what->add_option("--prompt-count", options.prompt_count, "Take only the first of the prompts")
      ->check(CLI::Range(1, 1 << 20));
  what->add_option("-n,--max-tokens", options.max_tokens, "Tokens to write per text (default 24)")
      ->check(CLI::Range(1, 1 << 20));
}

void add_sampling(CLI::App& app, VerifyOptions& options) {
  auto* how = app.add_option_group("Sampling");
  add_sampler_options(*how, options.sampling, "Of the runs that sample (default 1)");
  add_coupled_option(*how, options.coupled);
  how->add_option("-s,--seed", options.sampling.seed,
                  "First of the numbers that decide the sampling (default 1000)");
  how->add_option("--draws", options.draws,
                  "Texts per prompt for the goodness-of-fit test (default 400; 0: no test)")
      ->check(CLI::Range(0, 1 << 24));
}

}  // namespace

void add_verify(CLI::App& app, VerifyOptions& options) {
  add_what(app, options);
  add_sampling(app, options);
  auto* where = app.add_option_group("Place");
  add_cluster_options(*where, options.cluster_file, options.nodes);
  add_place_option(*where, options.place);
  where
      ->add_option(
          "--threads", options.threads,
          "Threads that compute in this process, and in every stage of a node (default: the cores)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--json", options.json_file, "Write the results to this file as well");
  app.add_option_function<int>(
         "--progress-limit",
         [&options](int s) { options.progress_limit = std::chrono::seconds(s); },
         "Seconds without any progress after which a text fails (default 60)")
      ->check(CLI::Range(1, 86400));
  app.add_option_function<int>(
         "--load-limit", [&options](int s) { options.load_limit = std::chrono::seconds(s); },
         "Seconds that a stage may take to load (default 600)")
      ->check(CLI::Range(1, 86400));
  app.add_flag("-q,--quiet", options.quiet, "Print only what differs");
  add_network_options(app, options.network);
  app.footer(footer);
}

void check(const VerifyOptions& options) {
  check(options.sampling);
  if (options.sampling.temperature <= 0)
    throw RuntimeError(
        fmt::format("--temperature is {}, but has to be above 0: it is that of the runs that "
                    "sample, and those that take the likeliest token are made anyway",
                    options.sampling.temperature));
  constexpr std::uint32_t least_draws = 50;
  if (options.draws != 0 && options.draws < least_draws)
    throw RuntimeError(
        fmt::format("--draws is {}: with less than {} a chi-square test says nothing; ask for more,"
                    " or for 0 to leave the test out",
                    options.draws, least_draws));
}

}  // namespace flowspec
