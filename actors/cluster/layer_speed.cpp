#include "actors/cluster/layer_speed.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>
#include <vector>

#include <fmt/format.h>

#include "actors/support/machine.hpp"
#include "actors/support/processor.hpp"
#include "messages/limits.hpp"
#include "models/formats/user_cache.hpp"
#include "models/kv/host_kv_cache.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/numerics.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t most_rows = 64;
/// Layers that are measured together have at least so many bytes, if there are enough of them: fewer
/// would stay in the caches of a CPU, and read faster than a stage's do.
constexpr std::uint64_t enough_bytes = std::uint64_t{192} << 20U;
/// For one number of rows.
constexpr std::chrono::milliseconds enough_time{250};
constexpr std::size_t enough_samples = 15;

/// The first layers behind the one with the embedding, which is not a layer's work.
LayerRange measured_layers(const OpenModel& model) {
  const auto first = model.config.layers > 1 ? 1U : 0U;
  LayerRange layers{first, first + 1};
  while (layers.end < model.config.layers &&
         CpuStageModel::stored_bytes(*model.files, model.config, layers) < enough_bytes)
    ++layers.end;
  return layers;
}

/// A text of 64 tokens, and room for a segment behind it.
class Forward {
 public:
  Forward(StageModel& stage, KvCache& cache)
      : stage_(stage),
        cache_(cache),
        slots_(std::size_t{2} * most_rows),
        hidden_(std::size_t{most_rows} * stage.hidden_size()),
        out_(hidden_.size()) {
    std::iota(slots_.begin(), slots_.end(), Slot{0});
    for (std::size_t i = 0; i < hidden_.size(); ++i)
      hidden_[i] = 0.01F * static_cast<float>(i % 101) - 0.5F;
    run(0, most_rows);
  }

  /// The median time per forward, in nanoseconds.
  double time(std::uint32_t rows) {
    using Clock = std::chrono::steady_clock;
    run(most_rows, rows);
    std::vector<double> samples;
    const auto end = Clock::now() + enough_time;
    do {
      const auto start = Clock::now();
      run(most_rows, rows);
      samples.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
    } while (samples.size() < enough_samples && Clock::now() < end);
    const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
    std::ranges::nth_element(samples, middle);
    return *middle;
  }

 private:
  void run(Position first, std::uint32_t rows) {
    const std::span slots(slots_);
    rows_.clear();
    for (std::uint32_t i = 0; i < rows; ++i)
      rows_.push_back(
          {&cache_, first + i, first + i, slots.first(first), slots.subspan(first, i + 1)});
    stage_.forward(std::span(hidden_).first(std::size_t{rows} * stage_.hidden_size()), rows_, out_);
  }

  StageModel& stage_;
  KvCache& cache_;
  std::vector<Slot> slots_;
  std::vector<float> hidden_;
  std::vector<float> out_;
  std::vector<RowContext> rows_;
};

}  // namespace

LayerSpeed measure_layers(const OpenModel& model, unsigned threads, const MemoryLedger& memory) {
  auto layers = measured_layers(model);
  const auto needed = [&] {
    return CpuStageModel::needed_bytes(*model.files, model.config, layers, most_rows) +
           HostKvCache::bytes_for(layers.size(), model.config.kv_heads, model.config.head_dim,
                                  2 * most_rows, KvType::f16);
  };
  // What is refused must not be refused for the sake of a better figure.
  std::shared_ptr<MemoryLedger::Claim> claim;
  while (!claim) {
    try {
      claim = memory.claim(needed());
    } catch (const std::exception&) {
      if (layers.size() == 1)
        throw;
      --layers.end;
    }
  }
  CpuStageModel stage(*model.files, model.config,
                      StageOptions{layers, threads, most_rows, KvType::f16});
  auto cache = stage.make_cache(2 * most_rows);
  Forward forward(stage, *cache);
  const auto of_layer = [&](std::uint32_t rows) {
    const auto ns = forward.time(rows) / layers.size();
    return static_cast<std::uint64_t>(
        std::clamp(ns, 1.0, static_cast<double>(limits::emulated_ns)));
  };
  auto bytes = CpuStageModel::stored_bytes(*model.files, model.config, layers);
  if (layers.first == 0)
    bytes -= CpuStageModel::stored_bytes(*model.files, model.config, {0, 0});
  return {threads, std::max<std::uint64_t>(1, bytes / layers.size()), of_layer(1), of_layer(16),
          of_layer(most_rows)};
}

std::string speed_key(const OpenModel& model, unsigned threads, const fs::path& cpuinfo) {
  const ModelConfig& config = model.config;
  const std::string_view prefix = "blk.";
  std::set<std::string> types;
  for (const TensorInfo* tensor : model.files->all_tensors())
    if (tensor->name.starts_with(prefix) && tensor->shape.size() == 2)
      types.insert(type_name(tensor->type));
  std::string type_list;
  for (const std::string& type : types)
    type_list += (type_list.empty() ? "" : "+") + type;
  auto layers = measured_layers(model);
  auto key = fmt::format("{}, {} cores, {}, {} threads, {}, {} x {} bytes, {}/{}/{}/{}/{}",
                         processor_name(cpuinfo), usable_cores(), numerics_id(), threads, type_list,
                         layers.size(), CpuStageModel::stored_bytes(*model.files, config, layers),
                         config.hidden_size, config.ffn_size, config.heads, config.kv_heads,
                         config.head_dim);
  std::ranges::replace_if(
      key, [](unsigned char c) { return c < ' '; }, ' ');
  return key;
}

fs::path SpeedBook::user_file() {
  auto folder = user_cache_folder();
  return folder.empty() ? folder : folder / "speeds";
}

LayerSpeed SpeedBook::get(const OpenModel& model, unsigned threads, const MemoryLedger& memory) {
  threads = std::clamp(threads, 1U, limits::threads);
  const auto key = speed_key(model, threads);
  std::lock_guard lock(measuring_);
  if (auto known = find(key))
    return *known;
  auto speed = measure_layers(model, threads, memory);
  store(key, speed);
  return speed;
}

/// A line has five numbers and the key.
void SpeedBook::load() {
  std::ifstream in(file_);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    LayerSpeed speed;
    std::string key;
    words >> speed.threads >> speed.layer_bytes >> speed.row_ns >> speed.rows16_ns >>
        speed.rows64_ns;
    auto is_time = [](std::uint64_t ns) { return ns >= 1 && ns <= limits::emulated_ns; };
    if (words && words.get() == ' ' && std::getline(words, key) && speed.threads >= 1 &&
        speed.threads <= limits::threads && speed.layer_bytes > 0 && is_time(speed.row_ns) &&
        is_time(speed.rows16_ns) && is_time(speed.rows64_ns))
      known_.insert_or_assign(key, speed);
  }
}

std::optional<LayerSpeed> SpeedBook::find(const std::string& key) {
  std::lock_guard lock(mutex_);
  auto found = known_.find(key);
  if (found == known_.end() && !file_.empty()) {
    // Another node of this machine may have measured.
    load();
    found = known_.find(key);
  }
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

void SpeedBook::store(const std::string& key, const LayerSpeed& speed) {
  std::lock_guard lock(mutex_);
  if (!file_.empty())
    load();
  known_.insert_or_assign(key, speed);
  if (file_.empty())
    return;
  std::string text;
  for (const auto& [name, known] : known_)
    text += fmt::format("{} {} {} {} {} {}\n", known.threads, known.layer_bytes, known.row_ns,
                        known.rows16_ns, known.rows64_ns, name);
  replace_file(file_, text);
}

}  // namespace flowspec
