#include "models/drafts/draft_output.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"
#include "models/layers/layer_tensors.hpp"
#include "models/ops/linear.hpp"
#include "models/ops/packed/matrix.hpp"

namespace flowspec {
namespace {

/// The matrix with fewer rows, without their values.
TensorInfo shortened(const TensorInfo& matrix, std::size_t rows) {
  TensorInfo part = matrix;
  part.shape = {matrix.shape.front(), rows};
  part.is_mapped = false;
  part.data = matrix.data.first(rows * matrix.row(0).size());
  return part;
}

/// These rows of the matrix, packed.
Linear pack_rows(const LinearContext& linears, const TensorInfo& matrix,
                 std::span<const Token> tokens) {
  std::vector<std::byte> bytes;
  bytes.reserve(tokens.size() * matrix.row(0).size());
  for (const Token token : tokens) {
    const auto row = matrix.row(static_cast<std::uint64_t>(token));
    bytes.insert(bytes.end(), row.begin(), row.end());
  }
  TensorInfo part = shortened(matrix, tokens.size());
  part.data = bytes;
  return {linears, std::array<const TensorInfo*, 1>{&part}};
}

}  // namespace

struct DraftOutput::State {
  explicit State(LmHead lm_head)
      : vocabulary({}, lm_head.vocab_size()),
        hidden_size(lm_head.hidden_size()),
        head(std::move(lm_head)) {}

  State(const TensorInfo& matrix, const ModelConfig& config, std::vector<Token> tokens,
        unsigned threads, std::uint32_t most_rows, LinearForm form, LoadType type)
      : vocabulary(tokens, config.vocab_size),
        hidden_size(config.hidden_size),
        linears(std::in_place, threads, form, type),
        rows(pack_rows(*linears, matrix, tokens)),
        max_rows(std::max(most_rows, 1U)) {}

  DraftVocabulary vocabulary;
  std::uint32_t hidden_size;
  /// Either all, or some rows.
  std::optional<LmHead> head;
  std::optional<LinearContext> linears;
  std::optional<Linear> rows;
  std::size_t max_rows = 1;
};

DraftOutput::DraftOutput(LmHead head) : state_(std::make_unique<State>(std::move(head))) {}

DraftOutput::DraftOutput(const ModelFiles& target_files, const ModelConfig& target,
                         std::vector<Token> tokens, unsigned threads, std::uint32_t max_rows,
                         LinearForm form, LoadType type)
    : state_(std::make_unique<State>(find_output_matrix(target_files, target), target,
                                     std::move(tokens), threads, max_rows, form, type)) {
  target_files.check_unchanged();
}

DraftOutput::~DraftOutput() = default;
DraftOutput::DraftOutput(DraftOutput&&) noexcept = default;
DraftOutput& DraftOutput::operator=(DraftOutput&&) noexcept = default;

std::uint64_t DraftOutput::needed_bytes(const ModelFiles& target_files, const ModelConfig& target,
                                        std::size_t tokens, LoadType type) {
  return packed::Matrix::bytes_for(shortened(find_output_matrix(target_files, target), tokens),
                                   type) +
         target.vocab_size * sizeof(float);
}

std::uint32_t DraftOutput::hidden_size() const {
  return state_->hidden_size;
}

DraftVocabulary& DraftOutput::vocabulary() {
  return state_->vocabulary;
}

const DraftVocabulary& DraftOutput::vocabulary() const {
  return state_->vocabulary;
}

void DraftOutput::logits(std::span<const float> features, std::size_t rows, std::span<float> out) {
  if (state_->head)
    return state_->head->logits(features, rows, out);
  const Linear& matrix = *state_->rows;
  for (std::size_t first = 0; first < rows; first += state_->max_rows)
    matrix.apply(features.subspan(first * matrix.inputs()),
                 std::min(state_->max_rows, rows - first), out.subspan(first * matrix.outputs()));
}

}  // namespace flowspec
