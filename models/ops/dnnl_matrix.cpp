#include "models/ops/dnnl_matrix.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include <dnnl.hpp>

#include "models/base/aligned_floats.hpp"
#include "models/formats/tensor_info.hpp"
#include "models/ops/dnnl_kernels.hpp"

// From omp.h, of which clang-tidy cannot read GCC's version.
extern "C" void omp_set_num_threads(int threads) noexcept;

namespace flowspec {
namespace {

using dnnl::memory;

using Dims = memory::dims;
constexpr auto f32 = memory::data_type::f32;
using Tag = memory::format_tag;

// Rows of weights that are in memory as plain floats while they are packed. A multiple of the block
// size of every packed layout: 8 to 64 rows, including 24 and 48.
constexpr std::size_t pack_rows = 384;
// The packed layout is chosen for this number of rows; others get the same layout.
constexpr std::size_t typical_rows = 16;

/// A product of rows x inputs and inputs x outputs.
struct Product {
  std::size_t inputs = 0;
  std::size_t outputs = 0;

  static memory::desc activations(std::size_t rows, std::size_t columns) {
    return {Dims{static_cast<memory::dim>(rows), static_cast<memory::dim>(columns)}, f32, Tag::ab};
  }

  Dims weight_dims(std::size_t rows) const {
    return {static_cast<memory::dim>(inputs), static_cast<memory::dim>(rows)};
  }

  /// Weights as the file has them: one output's after the other's.
  memory::desc plain_weights(std::size_t rows) const { return {weight_dims(rows), f32, Tag::ba}; }

  memory::desc any_weights() const { return {weight_dims(outputs), f32, Tag::any}; }

  /// The part of a packed matrix that starts at output `first`.
  memory::desc part(const memory::desc& packed, std::size_t first, std::size_t rows) const {
    return packed.submemory_desc(weight_dims(rows), Dims{0, static_cast<memory::dim>(first)});
  }
};

/// The one place that depends on the version of oneDNN's interface: 3.x has no `desc` types.
dnnl::matmul::primitive_desc plan(const dnnl::engine& engine, const Product& product,
                                  std::size_t rows, const memory::desc& weights) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const memory::desc in = Product::activations(rows, product.inputs);
  const memory::desc out = Product::activations(rows, product.outputs);
  return {dnnl::matmul::desc(in, weights, out), attributes, engine};
}

/// "brgemm" sums each element in one fixed order; every other kernel is slow or does not.
bool is_batch_invariant(const std::string& kernel) {
  return kernel.starts_with("brg");
}

}  // namespace

bool dnnl_is_batch_invariant() {
#if defined(__x86_64__)
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (isa & wanted) == wanted;
#else
  return false;  // the same numbers mean other instructions, and no kernel there is known to be
#endif
}

struct DnnlContext::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  unsigned threads = 1;
  std::map<std::pair<std::size_t, std::size_t>, std::shared_ptr<DnnlMatrix::Kernel>> kernels;
  std::set<std::string> unexpected;
  AlignedFloats scratch;
  std::size_t scratch_bytes = 0;

  // oneDNN plans a primitive for the number of threads that the calling thread has set.
  void use_threads() const { omp_set_num_threads(static_cast<int>(threads)); }
};

/// What linear layers of one shape share.
struct DnnlMatrix::Kernel {
  struct Call {
    dnnl::primitive primitive;
    memory in;
    memory out;
    memory weights;
    memory scratch;
    std::unordered_map<int, memory> arguments;
  };

  Kernel(const DnnlContext::State& context, std::size_t inputs, std::size_t outputs)
      : product{inputs, outputs},
        weights(plan(context.engine, product, typical_rows, product.any_weights()).weights_desc()) {
  }

  /// For weights that another kernel has packed.
  Kernel(const Product& same_product, const memory::desc& packed)
      : product(same_product), weights(packed) {}

  Call& call(DnnlContext::State& context, std::size_t rows) {
    if (calls.size() <= rows)
      calls.resize(rows + 1);
    if (calls[rows] == nullptr)
      calls[rows] = make_call(context, rows);
    return *calls[rows];
  }

  std::unique_ptr<Call> make_call(DnnlContext::State& context, std::size_t rows) const {
    const dnnl::matmul::primitive_desc description = plan(context.engine, product, rows, weights);
    const std::string kernel = description.impl_info_str();
    note_dnnl_kernel(kernel);
    if (!is_batch_invariant(kernel))
      context.unexpected.insert(kernel);
    const memory::desc scratch = description.scratchpad_desc();
    if (const std::size_t bytes = scratch.get_size(); bytes > context.scratch_bytes) {
      context.scratch = allocate_floats(bytes / sizeof(float) + 1);
      context.scratch_bytes = bytes;
    }
    const auto empty = [&](const memory::desc& desc) {
      return memory(desc, context.engine, DNNL_MEMORY_NONE);
    };
    auto call = std::make_unique<Call>(Call{dnnl::matmul(description),
                                            empty(Product::activations(rows, product.inputs)),
                                            empty(Product::activations(rows, product.outputs)),
                                            empty(weights),
                                            empty(scratch),
                                            {}});
    call->arguments = {{DNNL_ARG_SRC, call->in},
                       {DNNL_ARG_WEIGHTS, call->weights},
                       {DNNL_ARG_DST, call->out},
                       {DNNL_ARG_SCRATCHPAD, call->scratch}};
    return call;
  }

  Product product;
  memory::desc weights;
  // By number of rows.
  std::vector<std::unique_ptr<Call>> calls;
};

DnnlContext::DnnlContext(unsigned threads) : state_(std::make_shared<State>()) {
  state_->threads = std::max(threads, 1U);
}

DnnlContext::~DnnlContext() = default;

std::vector<std::string> DnnlContext::unexpected_kernels() const {
  return {state_->unexpected.begin(), state_->unexpected.end()};
}

bool DnnlContext::is_batch_invariant(std::size_t inputs, std::size_t outputs) const {
  if (!dnnl_is_batch_invariant())
    return false;
  const Product product{inputs, outputs};
  const memory::desc weights =
      plan(state_->engine, product, typical_rows, product.any_weights()).weights_desc();
  return std::ranges::all_of(std::array{std::size_t{1}, typical_rows}, [&](std::size_t rows) {
    return flowspec::is_batch_invariant(
        plan(state_->engine, product, rows, weights).impl_info_str());
  });
}

DnnlMatrix::DnnlMatrix(const DnnlContext& context, std::span<const TensorInfo* const> parts)
    : context_(context.state_), inputs_(parts.front()->shape.front()) {
  for (const TensorInfo* part : parts) {
    assert(part->shape.front() == inputs_);
    outputs_ += part->elements() / inputs_;
  }
  context_->use_threads();
  std::shared_ptr<Kernel>& kernel = context_->kernels[{inputs_, outputs_}];
  if (kernel == nullptr)
    kernel = std::make_shared<Kernel>(*context_, inputs_, outputs_);
  kernel_ = kernel;
  pack(parts);
}

DnnlMatrix::DnnlMatrix(const DnnlContext& context, const DnnlMatrix& other)
    : context_(context.state_),
      inputs_(other.inputs_),
      outputs_(other.outputs_),
      weights_(other.weights_) {
  // As few as possible: each has a primitive for every number of rows.
  const Kernel& packed = *other.kernel_;
  std::shared_ptr<Kernel>& kernel = context_->kernels[{inputs_, outputs_}];
  if (kernel == nullptr || kernel->weights != packed.weights)
    kernel = std::make_shared<Kernel>(packed.product, packed.weights);
  kernel_ = kernel;
}

void DnnlMatrix::pack(std::span<const TensorInfo* const> parts) {
  const std::size_t packed = kernel_->weights.get_size() / sizeof(float);
  weights_ = allocate_floats(packed, true);
  if (packed > inputs_ * outputs_)
    std::fill_n(weights_.get(), packed, 0.0F);  // the padding takes part in the products
  const AlignedFloats block = allocate_floats(std::min(pack_rows, outputs_) * inputs_);
  const TensorInfo* const* part = parts.data();
  std::size_t row = 0;
  for (std::size_t first = 0; first < outputs_; first += pack_rows) {
    const std::size_t rows = std::min(pack_rows, outputs_ - first);
    for (std::size_t filled = 0; filled < rows;) {
      const std::size_t part_rows = (*part)->elements() / inputs_;
      const std::size_t count = std::min(rows - filled, part_rows - row);
      const std::size_t row_bytes = (*part)->data.size() / part_rows;
      to_float((*part)->type, (*part)->data.subspan(row * row_bytes, count * row_bytes),
               {block.get() + filled * inputs_, count * inputs_});
      filled += count;
      row += count;
      if (row == part_rows) {
        ++part;
        row = 0;
      }
    }
    memory from(kernel_->product.plain_weights(rows), context_->engine, block.get());
    memory to(kernel_->product.part(kernel_->weights, first, rows), context_->engine,
              weights_.get());
    dnnl::reorder(from, to).execute(context_->stream, from, to);
    context_->stream.wait();
  }
}

void DnnlMatrix::apply(std::span<const float> in, std::size_t rows, std::span<float> out) const {
  assert(rows > 0 && in.size() >= rows * inputs_ && out.size() >= rows * outputs_);
  context_->use_threads();
  Kernel::Call& call = kernel_->call(*context_, rows);
  // oneDNN takes all memory as writable; it only reads the first two.
  call.in.set_data_handle(const_cast<float*>(in.data()));
  call.weights.set_data_handle(weights_.get());
  call.out.set_data_handle(out.data());
  call.scratch.set_data_handle(context_->scratch.get());
  call.primitive.execute(context_->stream, call.arguments);
  context_->stream.wait();
}

}  // namespace flowspec
