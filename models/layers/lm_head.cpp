#include "models/layers/lm_head.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"
#include "models/layers/layer_tensors.hpp"
#include "models/ops/linear.hpp"
#include "models/ops/packed/matrix.hpp"
#include "models/ops/rms_norm.hpp"

namespace flowspec {

struct LmHead::State {
  State(const TensorInfo& norm_weight, const TensorInfo& matrix, const ModelConfig& config,
        unsigned threads, std::uint32_t rows, LinearForm linear_form, LoadType type)
      : form(linear_form),
        linears(threads, form, type),
        norm(norm_weight, config.rms_eps),
        output(linears, std::array{&matrix}),
        max_rows(std::max(rows, 1U)) {}

  State(const State& other, unsigned threads, std::uint32_t rows)
      : form(other.form),
        linears(threads, form),
        norm(other.norm),
        output(linears, other.output),
        max_rows(std::max(rows, 1U)) {}

  LinearForm form;
  LinearContext linears;
  RmsNorm norm;
  Linear output;
  std::size_t max_rows;
};

LmHead::LmHead(const ModelFiles& files, const ModelConfig& config, unsigned threads,
               std::uint32_t max_rows, LinearForm form, LoadType type)
    : state_(std::make_unique<State>(find_output_norm(files, config),
                                     find_output_matrix(files, config), config, threads, max_rows,
                                     form, type)) {
  files.check_unchanged();
}

std::uint64_t LmHead::needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                   std::uint32_t max_rows, LoadType type) {
  return find_output_norm(files, config).data.size() +
         packed::Matrix::bytes_for(find_output_matrix(files, config), type) +
         std::uint64_t{max_rows} * (config.vocab_size + config.hidden_size) * sizeof(float);
}

bool LmHead::is_changed_by(LoadType type, const ModelFiles& files, const ModelConfig& config) {
  const TensorInfo& matrix = find_output_matrix(files, config);
  return loaded_type(matrix, type) != matrix.type;
}

LmHead::LmHead(std::unique_ptr<State> state) : state_(std::move(state)) {}

LmHead::~LmHead() = default;
LmHead::LmHead(LmHead&&) noexcept = default;
LmHead& LmHead::operator=(LmHead&&) noexcept = default;

LmHead LmHead::share(unsigned threads, std::uint32_t max_rows) const {
  return LmHead(std::make_unique<State>(*state_, threads, max_rows));
}

void LmHead::features(std::span<const float> hidden, std::size_t rows, std::span<float> out) {
  state_->norm.apply(hidden, rows, out);
}

void LmHead::logits(std::span<const float> features, std::size_t rows, std::span<float> out) {
  const Linear& output = state_->output;
  assert(features.size() >= rows * output.inputs() && out.size() >= rows * output.outputs());
  for (std::size_t first = 0; first < rows; first += state_->max_rows) {
    output.apply(features.subspan(first * output.inputs()),
                 std::min(state_->max_rows, rows - first), out.subspan(first * output.outputs()));
  }
}

std::uint32_t LmHead::hidden_size() const {
  return static_cast<std::uint32_t>(state_->output.inputs());
}

std::uint32_t LmHead::vocab_size() const {
  return static_cast<std::uint32_t>(state_->output.outputs());
}

std::vector<std::string> LmHead::unexpected_kernels() const {
  return state_->linears.unexpected_kernels();
}

}  // namespace flowspec
