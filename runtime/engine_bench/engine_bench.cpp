#include "runtime/engine_bench/engine_bench.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include "models/base/cores.hpp"
#include "models/base/error.hpp"
#include "models/kernels_text.hpp"
#include "models/numerics.hpp"
#include "models/open_model.hpp"
#include "models/ops/packed/kernels.hpp"
#include "runtime/bench/output_file.hpp"
#include "runtime/engine_bench/attention_bench.hpp"
#include "runtime/engine_bench/comparison.hpp"
#include "runtime/engine_bench/engine_report.hpp"
#include "runtime/engine_bench/pipeline.hpp"
#include "runtime/engine_bench/product_rate.hpp"
#include "runtime/engine_bench/random_model.hpp"
#include "runtime/engine_bench/read_bandwidth.hpp"
#include "runtime/run/embedded.hpp"

namespace flowspec {

namespace {

OpenModel open(const EngineBenchOptions& options) {
  if (!options.shape.empty()) {
    const ModelConfig& config = *find_shape(options.shape);
    return {std::make_shared<RandomModel>(config, options.type), config};
  }
  try {
    return open_model(options.model.empty() ? embedded_file("target.gguf")
                                            : std::filesystem::path(options.model));
  } catch (const ModelError& e) {
    throw RuntimeError(e.what());
  }
}

/// The matrices that every token passes through: the embedding only if it is also the LM head.
std::vector<const TensorInfo*> matrices(const OpenModel& model) {
  std::vector<const TensorInfo*> found;
  const auto add = [&](const std::string& name) {
    const TensorInfo* tensor = model.files->find(name);
    if (tensor != nullptr && tensor->shape.size() == 2)
      found.push_back(tensor);
  };
  for (std::uint32_t layer = 0; layer < model.config.layers; ++layer)
    for (const char* part :
         {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      add(fmt::format("blk.{}.{}.weight", layer, part));
  add(model.config.tied_embeddings ? "token_embd.weight" : "output.weight");
  return found;
}

/// The types, those with most bytes first.
std::string types(const std::vector<const TensorInfo*>& tensors) {
  std::map<std::string, std::size_t> bytes;
  for (const TensorInfo* tensor : tensors)
    bytes[type_name(tensor->type)] += tensor->data.size();
  std::vector<std::pair<std::string, std::size_t>> sorted(bytes.begin(), bytes.end());
  std::ranges::stable_sort(sorted, std::greater{}, &std::pair<std::string, std::size_t>::second);
  std::string names;
  for (const auto& [name, size] : sorted)
    names += (names.empty() ? "" : "+") + name;
  return names;
}

/// What the products of a model are: those of the type with most bytes.
ProductType product_of(const std::vector<const TensorInfo*>& tensors) {
  std::map<TensorType, std::size_t> bytes;
  for (const TensorInfo* tensor : tensors)
    bytes[tensor->type] += tensor->data.size();
  const auto most =
      std::ranges::max_element(bytes, {}, &std::pair<const TensorType, std::size_t>::second);
  if (most == bytes.end() || most->first == TensorType::f32 || most->first == TensorType::f16)
    return ProductType::f32;
  return most->first == TensorType::bf16 ? ProductType::bf16 : ProductType::int8;
}

EngineReport describe(const OpenModel& model) {
  EngineReport report;
  report.machine = EngineMachine::own();
  report.model = model.config.name;
  const auto tensors = matrices(model);
  report.type = types(tensors);
  for (const TensorInfo* tensor : tensors) {
    report.weight_bytes += tensor->data.size();
    report.parameters += tensor->elements();
  }
  report.kernels = packed::kernels_in_use().name;
  return report;
}

struct Test {
  std::string name;
  std::uint32_t rows;
  /// Tokens that count in one repetition, and positions that it needs.
  std::uint32_t tokens;
  std::uint32_t positions;
  /// Rows that get logits in one repetition, and how often it reads the weights of the layers and
  /// those of the LM head.
  std::uint32_t logits;
  std::uint32_t forwards;
  std::uint32_t heads;
  std::function<void(EnginePipeline&)> run;
};

std::vector<Test> plan(const EngineBenchOptions& options) {
  std::vector<Test> tests;
  for (std::uint32_t n : options.prefill)
    if (n > 0)
      tests.push_back({fmt::format("pp{}", n), std::min(n, EnginePipeline::max_rows), n, n, 1,
                       (n + EnginePipeline::max_rows - 1) / EnginePipeline::max_rows, 1,
                       [n](EnginePipeline& pipeline) { pipeline.forward(0, n, 1); }});
  for (std::uint32_t n : options.decode)
    if (n > 0)
      tests.push_back({fmt::format("tg{}", n), 1, n, n, n, n, n, [n](EnginePipeline& pipeline) {
                         for (std::uint32_t i = 0; i < n; ++i)
                           pipeline.forward(i, 1, 1);
                       }});
  // Enough forwards for a measurable time.
  constexpr std::uint32_t forwards = 4;
  for (std::uint32_t n : options.rows)
    if (n > 0)
      tests.push_back({fmt::format("x{}", n), n, forwards * n, options.context + n, forwards * n,
                       forwards, forwards, [n, first = options.context](EnginePipeline& pipeline) {
                         for (std::uint32_t i = 0; i < forwards; ++i)
                           pipeline.forward(first, n, n);
                       }});
  return tests;
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::uint64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

class EngineBench {
 public:
  EngineBench(const EngineBenchOptions& options, OpenModel model, std::ostream& progress)
      : options_(options),
        model_(std::move(model)),
        tests_(plan(options)),
        progress_(progress),
        report_(describe(model_)) {
    report_.kv_type = options.kv_type;
    const auto id = numerics_id(*model_.files, model_.config, options.numerics);
    form_ = form_of_numerics(id, id).value();
    report_.numerics = id;
    for (const Test& test : tests_)
      work_.emplace(test.name, work_of(test));
  }

  EngineReport run() {
    // As many as are asked for, even beyond the cores.
    cores::set_budget(std::ranges::max(options_.threads));
    for (unsigned threads : options_.threads)
      for (std::uint32_t stages : options_.stages)
        run(threads, stages);
    report_.peak_memory = peak_memory();
    // Measured last, so that their own memory is not counted.
    for (unsigned threads : options_.threads) {
      measure_limits(threads);
      measure_attention(threads);
    }
    report_.sampler = measure_sampler();
    return std::move(report_);
  }

 private:
  void run(unsigned threads, std::uint32_t stages) {
    if (stages > model_.config.layers)
      throw RuntimeError(fmt::format("--stages {} are more than the model's {} layers", stages,
                                     model_.config.layers));
    std::uint32_t context = options_.context;
    for (const Test& test : tests_)
      context = std::max(context, test.positions);
    progress_ << fmt::format("loading {}: {} thread(s), {} stage(s)\n",
                             model_.files->path().filename().string(), threads, stages)
              << std::flush;
    EnginePipeline pipeline(*model_.files, model_.config,
                            {threads, stages, context, options_.kv_type, form_});
    if (options_.context > 0)
      pipeline.forward(0, options_.context, 1);
    for (const Test& test : tests_) {
      EngineRun run{test.name, threads, stages, test.rows, {}, 0, 0, {}};
      test.run(pipeline);  // memory and caches get warm
      for (std::uint32_t i = 0; i < options_.repeats; ++i)
        run.tokens_per_second.push_back(test.tokens / seconds([&] { test.run(pipeline); }));
      progress_ << fmt::format("{}: {:.2f} tokens/s\n", run.test, run.median()) << std::flush;
      report_.runs.push_back(std::move(run));
    }
  }

  /// What the chip can do at best with so many threads, and how near to it the runs were.
  void measure_limits(unsigned threads) {
    const ProductType wanted = product_of(matrices(model_));
    progress_ << fmt::format("measuring this chip's limits: {} thread(s)\n", threads) << std::flush;
    report_.bandwidth.emplace_back(threads, measure_read_bandwidth(threads));
    report_.products.push_back(measure_product_rate(ProductType::f32, threads));
    if (wanted != ProductType::f32)
      report_.products.push_back(measure_product_rate(wanted, threads));
    report_.product_note = product_note(report_.products, wanted, threads);
    const ProductRate* limit = product_limit(report_.products, wanted, threads);
    for (EngineRun& run : report_.runs) {
      if (run.threads != threads)
        continue;
      const Work& work = work_.at(run.test);
      run.bandwidth_share = work.bytes * run.median() / report_.bandwidth.back().second;
      if (limit != nullptr) {
        run.product_share = work.operations * run.median() / limit->per_second;
        run.product = name_of(limit->type);
      }
    }
  }

  void measure_attention(unsigned threads) {
    const ProductRate* products = product_limit(report_.products, ProductType::f32, threads);
    for (std::uint32_t positions : options_.attention)
      for (std::uint32_t rows : options_.rows) {
        if (positions == 0 || rows == 0)
          continue;
        AttentionTime time = flowspec::measure_attention(model_.config, options_.kv_type, positions,
                                                         rows, threads, options_.repeats);
        time.memory_share = time.bytes_per_second() / report_.bandwidth.back().second;
        if (products != nullptr)
          time.product_share = time.operations_per_second() / products->per_second;
        progress_ << fmt::format("attention over {} positions, {} row(s): {:.3f} ms\n", positions,
                                 rows, time.median() / 1000)
                  << std::flush;
        report_.attention.push_back(std::move(time));
      }
  }

  /// What a token costs in a test: bytes of weights, and multiplications and additions with them.
  struct Work {
    double bytes = 0;
    double operations = 0;
  };

  Work work_of(const Test& test) const {
    const TensorInfo& head = *matrices(model_).back();
    const auto head_bytes = static_cast<double>(head.data.size());
    const auto head_weights = static_cast<double>(head.elements());
    const double layer_bytes = static_cast<double>(report_.weight_bytes) - head_bytes;
    const double layer_weights = static_cast<double>(report_.parameters) - head_weights;
    return {(layer_bytes * test.forwards + head_bytes * test.heads) / test.tokens,
            2 * (layer_weights * test.tokens + head_weights * test.logits) / test.tokens};
  }

  const EngineBenchOptions& options_;
  OpenModel model_;
  LinearForm form_ = LinearForm::automatic;
  std::vector<Test> tests_;
  std::ostream& progress_;
  EngineReport report_;
  std::map<std::string, Work> work_;
};

/// The kernels of this run.
class UseKernels {
 public:
  explicit UseKernels(std::string_view name) {
    for (const packed::KernelSet* set : packed::available_kernels())
      if (set->name == name)
        packed::use_kernels(*set);
  }
  ~UseKernels() { packed::use_kernels(before_); }
  UseKernels(const UseKernels&) = delete;
  UseKernels& operator=(const UseKernels&) = delete;

 private:
  const packed::KernelSet& before_ = packed::kernels_in_use();
};

}  // namespace

ExitCode run_engine_bench(const EngineBenchOptions& options, std::ostream& out,
                          std::ostream& progress) {
  // Before the work, so that a wrong file is found at once, and one that --json replaces is read.
  std::optional<EngineFigures> before;
  if (!options.compare_file.empty())
    before = read_figures(options.compare_file);
  const OutputFile json("--json", options.json_file);
  const UseKernels kernels(options.kernels);
  EngineBench bench(options, open(options), progress);
  const EngineReport report = bench.run();
  print_table(report, out);
  if (options.verbose)
    out << kernels_text();
  std::optional<Comparison> comparison;
  if (before) {
    comparison = compare(*before, figures_of(report), options.compare_file);
    out << comparison_text(*comparison);
  }
  if (json.is_wanted())
    json.write(comparison ? to_json(report, *comparison) : to_json(report));
  return ExitCode::ok;
}

}  // namespace flowspec
