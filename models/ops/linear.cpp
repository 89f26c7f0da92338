#include "models/ops/linear.hpp"

#include <algorithm>
#include <cassert>

#include "models/base/cores.hpp"
#include "models/base/error.hpp"
#include "models/formats/tensor_info.hpp"
#include "models/ops/packed/rows.hpp"

namespace flowspec {
namespace {

/// More slices than threads: one that comes late, or is held up, still takes its share.
unsigned slices_for(unsigned threads) {
  return threads == 1 ? 1 : 4 * threads;
}

}  // namespace

struct LinearContext::State {
  State(unsigned thread_count, LinearForm linear_form, LoadType load_type)
      : dense(thread_count),
        form(linear_form),
        type(load_type),
        threads(std::max(thread_count, 1U)) {}

  /// What multiplies by it.
  enum class Kind : std::uint8_t { packed, dense, bf16 };

  Kind kind_of(const TensorInfo& tensor) const {
    const TensorType loaded = loaded_type(tensor, type);
    if (loaded == TensorType::bf16)
      return rounds(tensor.shape.front()) ? Kind::bf16 : Kind::packed;
    if (loaded != TensorType::f32)
      return packed::Matrix::takes(loaded) ? Kind::packed : Kind::dense;
    const std::size_t inputs = tensor.shape.front();
    const bool is_packed =
        !has_f32(form) || (form != LinearForm::matmul &&
                           !dense.is_batch_invariant(inputs, tensor.elements() / inputs));
    return is_packed ? Kind::packed : Kind::dense;
  }

  bool rounds(std::size_t inputs) const {
    if (!has_bf16(form))
      return false;
    if (form == LinearForm::automatic)
      return bf16::lack_for(inputs).empty();
    if (const std::string lack = bf16::lack_for(inputs); !lack.empty())
      throw ModelError(lack + ". Compute with --numerics exact, which does without oneDNN.");
    return true;
  }

  DnnlContext dense;
  LinearForm form;
  LoadType type;
  unsigned threads;
  const packed::KernelSet& kernels = packed::kernels_in_use();
  packed::RowBuffer rows;
  bf16::RowBuffer rounded_rows;
  // Outputs of a dense part that is not the only part.
  std::vector<float> part_out;
};

LinearContext::LinearContext(unsigned threads, LinearForm form, LoadType type)
    : state_(std::make_shared<State>(threads, form, type)) {}

LinearContext::~LinearContext() = default;

std::vector<std::string> LinearContext::unexpected_kernels() const {
  return state_->dense.unexpected_kernels();
}

Linear::Linear(const LinearContext& context, std::span<const TensorInfo* const> parts)
    : context_(context.state_), inputs_(parts.front()->shape.front()) {
  using Kind = LinearContext::State::Kind;
  for (std::size_t first = 0; first < parts.size();) {
    assert(parts[first]->shape.front() == inputs_);
    Part part{outputs_, nullptr, nullptr, nullptr};
    const Kind kind = context_->kind_of(*parts[first]);
    std::size_t end = first + 1;
    while (kind != Kind::packed && end < parts.size() && context_->kind_of(*parts[end]) == kind)
      ++end;
    const std::span<const TensorInfo* const> neighbours = parts.subspan(first, end - first);
    if (kind == Kind::packed) {
      part.packed = std::make_shared<packed::Matrix>(*parts[first], context_->type);
      outputs_ += part.packed->outputs();
    } else if (kind == Kind::bf16) {
      part.bf16 = std::make_shared<bf16::Matrix>(*bf16::family().form, neighbours);
      outputs_ += part.bf16->outputs();
    } else {
      part.dense = std::make_shared<DnnlMatrix>(context_->dense, neighbours);
      for (const TensorInfo* tensor : neighbours)
        tensor->drop_pages(0, tensor->data.size());
      outputs_ += part.dense->outputs();
    }
    parts_.push_back(std::move(part));
    first = end;
  }
}

Linear::Linear(const LinearContext& context, const Linear& other)
    : context_(context.state_),
      inputs_(other.inputs_),
      outputs_(other.outputs_),
      parts_(other.parts_) {
  for (Part& part : parts_)
    if (part.dense != nullptr)
      part.dense = std::make_shared<DnnlMatrix>(context_->dense, *part.dense);
}

void Linear::apply(std::span<const float> in, std::size_t rows, std::span<float> out) const {
  assert(rows > 0 && in.size() >= rows * inputs_ && out.size() >= rows * outputs_);
  for (const Part& part : parts_)
    if (part.dense != nullptr)
      apply_dense(part, in, rows, out);
  apply_bf16(in, rows, out);
  for (const std::size_t block : {1, 32, 256})
    apply_packed(in, rows, block, out);
}

void Linear::apply_dense(const Part& part, std::span<const float> in, std::size_t rows,
                         std::span<float> out) const {
  const DnnlMatrix& matrix = *part.dense;
  if (parts_.size() == 1) {
    matrix.apply(in, rows, out);
    return;
  }
  std::vector<float>& part_out = context_->part_out;
  part_out.resize(std::max(part_out.size(), rows * matrix.outputs()));
  matrix.apply(in, rows, part_out);
  for (std::size_t r = 0; r < rows; ++r) {
    std::copy_n(part_out.data() + r * matrix.outputs(), matrix.outputs(),
                out.data() + r * outputs_ + part.column);
  }
}

void Linear::apply_bf16(std::span<const float> in, std::size_t rows, std::span<float> out) const {
  const auto takes_part = [](const Part& part) { return part.bf16 != nullptr; };
  if (std::ranges::none_of(parts_, takes_part))
    return;
  const unsigned threads = context_->threads;
  const bf16::Rows activations =
      context_->rounded_rows.round(*bf16::family().form, in, rows, inputs_, threads);
  const unsigned slices = slices_for(threads);
  cores::share(threads, slices, [&](unsigned slice) {
    for (const Part& part : parts_) {
      if (takes_part(part)) {
        const std::size_t tiles = part.bf16->tiles();
        part.bf16->multiply(activations, tiles * slice / slices, tiles * (slice + 1) / slices,
                            out.data() + part.column, outputs_);
      }
    }
  });
}

void Linear::apply_packed(std::span<const float> in, std::size_t rows, std::size_t block,
                          std::span<float> out) const {
  const auto takes_part = [block](const Part& part) {
    return part.packed != nullptr && part.packed->block() == block;
  };
  if (std::ranges::none_of(parts_, takes_part))
    return;
  packed::Rows activations{.floats = in.data(), .count = rows, .inputs = inputs_};
  if (block > 1)
    activations = context_->rows.quantise(in, rows, inputs_, block, context_->threads);
  const unsigned slices = slices_for(context_->threads);
  cores::share(context_->threads, slices, [&](unsigned slice) {
    for (const Part& part : parts_) {
      if (takes_part(part)) {
        const std::size_t panels = part.packed->panels();
        part.packed->multiply(context_->kernels, activations, panels * slice / slices,
                              panels * (slice + 1) / slices, out.data() + part.column, outputs_);
      }
    }
  });
}

}  // namespace flowspec
