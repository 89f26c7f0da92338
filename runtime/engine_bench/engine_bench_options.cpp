#include "runtime/engine_bench/engine_bench_options.hpp"

#include <algorithm>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/ops/packed/kernels.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/error.hpp"
#include "runtime/engine_bench/pipeline.hpp"
#include "runtime/engine_bench/random_model.hpp"

namespace flowspec {

namespace {

constexpr const char* footer =
    R"(Tests: tg N writes N tokens one by one, pp N reads a prompt of N tokens, xN computes segments of N
rows with all their logits. "of limit" is the share of what this chip can do at best, measured in the
same run: of the rate at which memory can be read (limit "memory"), or of the rate at which oneDNN
multiplies matrices (limit "int8" for quantised weights, "bf16" or "f32" for others).

Examples:
  flowspec bench engine
  flowspec bench engine --model model.gguf --threads 1,2 --prefill 512 --json engine.json
  flowspec bench engine --random-weights tinyllama-1.1b q8_0 --threads 2
  flowspec bench engine --compare engine.json

Exit codes: 0 done, 1 it failed, 2 wrong options or files.)";

constexpr std::uint32_t most_tokens = 1 << 20;

template <class T>
CLI::Option* add_counts(CLI::App& app, const std::string& name, std::vector<T>& list,
                        const std::string& text, T least = 1) {
  return app.add_option(name, list, text)
      ->delimiter(',')
      ->take_all()
      ->allow_extra_args(false)
      ->check(CLI::Range(least, T{most_tokens}))
      ->capture_default_str();
}

TensorType parse_type(const std::string& name) {
  if (auto type = type_named(name); type && is_supported(*type))
    return *type;
  throw RuntimeError(fmt::format("--random-weights: there is no type '{}', supported are {}", name,
                                 supported_types()));
}

std::vector<std::string_view> kernel_names() {
  std::vector<std::string_view> names;
  for (const packed::KernelSet* set : packed::available_kernels())
    names.push_back(set->name);
  return names;
}

}  // namespace

void add_engine_bench(CLI::App& app, EngineBenchOptions& options) {
  auto* model =
      app.add_option("-m,--model", options.model,
                     "Model file or folder (default: the one that comes with the program)")
          ->type_name("FILE");
  app.add_option_function<std::pair<std::string, std::string>>(
         "--random-weights",
         [&options](const std::pair<std::string, std::string>& what) {
           options.shape = what.first;
           options.type = parse_type(what.second);
         },
         fmt::format("No model, but random weights of a shape ({}) and a type (q8_0, q4_0, q4_1, "
                     "q5_0, q5_1, q4_k, q5_k, q6_k, f16, bf16, f32)",
                     fmt::join(model_shape_names(), ", ")))
      ->type_name("SHAPE TYPE")
      ->excludes(model);
  add_counts(app, "--decode", options.decode, "Tokens to write, one by one; 0: none", 0U);
  add_counts(app, "--prefill", options.prefill, "Tokens of prompts to read; 0: none", 0U);
  add_counts(app, "--rows", options.rows, "Rows of segments to compute; 0: none", 0U);
  app.add_option("--context", options.context, "Tokens before the segments of --rows")
      ->check(CLI::Range(0U, most_tokens))
      ->capture_default_str();
  add_counts(app, "--attention", options.attention,
             "Positions of texts over which attention is measured, for each of --rows; 0: none",
             0U);
  add_kv_type_option(app, options.kv_type);
  add_numerics_option(app, options.numerics);
  add_counts(app, "--threads", options.threads, "Threads of a stage");
  add_counts(app, "--stages", options.stages,
             "Parts that the layers are split into, which compute one after the other");
  app.add_option("--kernels", options.kernels,
                 fmt::format("Compute like a CPU with fewer instructions ({}; default: the first)",
                             fmt::join(kernel_names(), ", ")))
      ->type_name("NAME");
  app.add_option("--repeat", options.repeats, "Times to measure; the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--json", options.json_file, "Write all figures as JSON")->type_name("FILE");
  app.add_option("--compare", options.compare_file,
                 "Print this run beside an earlier one, whose --json this is")
      ->type_name("FILE");
  app.add_flag("-v,--verbose", options.verbose, "Say which kernels compute");
  app.footer(footer);
}

void check(const EngineBenchOptions& options) {
  if (!options.shape.empty() && find_shape(options.shape) == nullptr)
    throw RuntimeError(fmt::format("--random-weights: there is no shape '{}', known are {}",
                                   options.shape, fmt::join(model_shape_names(), ", ")));
  if (!options.kernels.empty() && std::ranges::count(kernel_names(), options.kernels) == 0)
    throw RuntimeError(fmt::format("--kernels: this machine has no '{}', it can run {}",
                                   options.kernels, fmt::join(kernel_names(), ", ")));
  for (std::uint32_t rows : options.rows)
    if (rows > EnginePipeline::max_rows)
      throw RuntimeError(
          fmt::format("--rows {}: a segment has at most {} rows", rows, EnginePipeline::max_rows));
}

}  // namespace flowspec
