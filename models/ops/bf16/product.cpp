#include "models/ops/bf16/product.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include <dnnl.hpp>

#include "models/base/aligned_floats.hpp"
#include "models/base/error.hpp"
#include "models/ops/bf16/few_rows.hpp"

// From omp.h, of which clang-tidy cannot read GCC's version.
extern "C" void omp_set_num_threads(int threads) noexcept;
extern "C" int omp_get_max_threads() noexcept;

namespace flowspec::bf16 {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
constexpr auto bf16_type = memory::data_type::bf16;
constexpr auto f32_type = memory::data_type::f32;

/// oneDNN plans a primitive for the threads that its caller has set. One: then no team is started, and
/// the bits cannot depend on how many there are.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

memory::desc matrix(std::size_t rows, std::size_t columns, memory::data_type type, Tag tag) {
  return {{static_cast<memory::dim>(rows), static_cast<memory::dim>(columns)}, type, tag};
}

/// As models/ops/dnnl_matrix.cpp, this depends on the version of oneDNN's interface.
dnnl::matmul::primitive_desc plan(const dnnl::engine& engine, std::size_t rows, std::size_t inputs,
                                  const memory::desc& weights) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return {dnnl::matmul::desc(matrix(rows, inputs, bf16_type, Tag::ab), weights,
                             matrix(rows, tile_outputs, f32_type, Tag::ab)),
          attributes, engine};
}

/// "brgemm" for the form's instructions. For few rows oneDNN may choose another one.
bool is_known(Form form, const std::string& kernel) {
  return kernel == (form == Form::amx ? "brg:avx512_core_amx_bf16" : "brg:avx512_core_bf16");
}

[[noreturn]] void fail(std::size_t inputs, const std::string& problem) {
  throw ModelError("oneDNN does not multiply BF16 matrices of " + std::to_string(inputs) +
                   " inputs on this machine as others do: " + problem);
}

/// What one thread passes to a primitive.
struct Call {
  Call(const dnnl::matmul::primitive_desc& plan, const dnnl::engine& engine)
      : stream(engine),
        in(plan.src_desc(), engine, DNNL_MEMORY_NONE),
        weights(plan.weights_desc(), engine, DNNL_MEMORY_NONE),
        out(plan.dst_desc(), engine, DNNL_MEMORY_NONE),
        scratch_memory(allocate_floats(plan.scratchpad_desc().get_size() / sizeof(float) + 1)),
        scratch(plan.scratchpad_desc(), engine, scratch_memory.get()),
        arguments{{{DNNL_ARG_SRC, in.get()},
                   {DNNL_ARG_WEIGHTS, weights.get()},
                   {DNNL_ARG_DST, out.get()},
                   {DNNL_ARG_SCRATCHPAD, scratch.get()}}} {}

  dnnl::stream stream;
  memory in;
  memory weights;
  memory out;
  AlignedFloats scratch_memory;
  memory scratch;
  // By the interface of C, which needs no map.
  std::array<dnnl_exec_arg_t, 4> arguments;
};

/// A product with one number of rows.
struct RowProduct {
  RowProduct(dnnl::engine on, const dnnl::matmul::primitive_desc& how)
      : engine(std::move(on)), plan(how), primitive(how) {}

  std::unique_ptr<Call> take() {
    {
      const std::lock_guard lock(mutex);
      if (!calls.empty()) {
        std::unique_ptr<Call> call = std::move(calls.back());
        calls.pop_back();
        return call;
      }
    }
    return std::make_unique<Call>(plan, engine);
  }

  void give_back(std::unique_ptr<Call> call) {
    const std::lock_guard lock(mutex);
    calls.push_back(std::move(call));
  }

  dnnl::engine engine;
  dnnl::matmul::primitive_desc plan;
  dnnl::matmul primitive;
  std::mutex mutex;
  // Those that no thread uses; as many as there have been threads at the same time.
  std::vector<std::unique_ptr<Call>> calls;
};

/// Numbers of both signs with exponents from -8 to 0, from SplitMix64: another order of additions gives
/// another sum.
std::vector<Bits> test_numbers(std::size_t count, std::uint64_t seed) {
  std::vector<Bits> numbers(count);
  for (Bits& number : numbers) {
    std::uint64_t z = (seed += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    const std::uint64_t exponent = 127 - (z >> 8) % 9;
    number = static_cast<Bits>((z & 0x807f) | exponent << 7);
  }
  return numbers;
}

/// Finished products, and why others cannot be made.
struct Products {
  struct Entry {
    std::once_flag once;
    std::unique_ptr<const Product> product;
    std::string problem;
  };

  // Never destroyed: threads may still compute when the process ends.
  static Products& all() {
    static auto* products = new Products;
    return *products;
  }

  Entry& entry(Form form, std::size_t inputs) {
    const std::lock_guard lock(mutex);
    return entries[{form, inputs}];
  }

  std::mutex mutex;
  std::map<std::pair<Form, std::size_t>, Entry> entries;
};

}  // namespace

struct Product::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  memory::desc weights;
  std::string kernel;
  // By the place in row_counts(form).
  std::vector<std::unique_ptr<RowProduct>> rows;
  std::span<const std::size_t> counts;
  // Set at the end of the tests.
  std::size_t few_rows = 0;

  RowProduct& find(std::size_t wanted) {
    const auto found = std::ranges::lower_bound(counts, wanted);
    assert(found != counts.end() && *found == wanted);
    return *rows[static_cast<std::size_t>(found - counts.begin())];
  }
};

const Product& Product::get(Form form, std::size_t inputs) {
  assert(inputs > 0 && inputs % input_step == 0 && block_inputs(form, inputs) == inputs);
  Products::Entry& entry = Products::all().entry(form, inputs);
  std::call_once(entry.once, [&] {
    try {
      std::unique_ptr<Product> product(new Product(form, inputs));
      product->test(form);
      if (form == Form::amx && product->few_rows_have_same_bits())
        product->state_->few_rows = most_few_rows;
      entry.product = std::move(product);
    } catch (const ModelError& e) {
      entry.problem = e.what();
    }
  });
  if (entry.product == nullptr)
    throw ModelError(entry.problem);
  return *entry.product;
}

Product::Product(Form form, std::size_t inputs)
    : inputs_(inputs), state_(std::make_unique<State>()) {
  const OneThread one_thread;
  state_->counts = row_counts(form);
  try {
    for (const std::size_t rows : state_->counts) {
      // One layout for every number of rows.
      if (state_->rows.empty())
        state_->weights = plan(state_->engine, state_->counts.back(), inputs,
                               matrix(inputs, tile_outputs, bf16_type, Tag::any))
                              .weights_desc();
      const auto how = plan(state_->engine, rows, inputs, state_->weights);
      const std::string kernel = how.impl_info_str();
      if (!is_known(form, kernel))
        fail(inputs, "for " + std::to_string(rows) + " row(s) it chooses the kernel " + kernel);
      state_->kernel = kernel;
      state_->rows.push_back(std::make_unique<RowProduct>(state_->engine, how));
    }
  } catch (const dnnl::error& e) {
    fail(inputs, e.what());
  }
}

Product::~Product() = default;

const std::string& Product::kernel() const {
  return state_->kernel;
}

std::size_t Product::weight_bytes() const {
  return (state_->weights.get_size() + 63) / 64 * 64;
}

void Product::pack(const Bits* weights, void* packed) const {
  const OneThread one_thread;
  // oneDNN takes all memory as writable; it only reads this one.
  memory from(matrix(inputs_, tile_outputs, bf16_type, Tag::ba), state_->engine,
              const_cast<Bits*>(weights));
  memory to(state_->weights, state_->engine, packed);
  dnnl::stream stream(state_->engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
}

std::size_t Product::few_rows() const {
  return state_->few_rows;
}

void Product::multiply(std::size_t rows, const Bits* activations, const void* packed,
                       float* out) const {
  if (rows <= state_->few_rows) {
    multiply_few_rows(rows, inputs_, activations, packed, out);
    return;
  }
  RowProduct& product = state_->find(rows);
  std::unique_ptr<Call> call = product.take();
  call->in.set_data_handle(const_cast<Bits*>(activations));
  call->weights.set_data_handle(const_cast<void*>(packed));
  call->out.set_data_handle(out);
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(product.primitive.get(), call->stream.get(),
                             static_cast<int>(call->arguments.size()), call->arguments.data()),
      "oneDNN could not multiply");
  call->stream.wait();
  product.give_back(std::move(call));
}

void Product::test(Form form) const {
  const std::size_t most = state_->counts.back();
  const std::vector<Bits> in = test_numbers(most * inputs_, 1);
  const std::vector<Bits> weights = test_numbers(tile_outputs * inputs_, 2);
  const AlignedFloats packed = allocate_floats(weight_bytes() / sizeof(float));
  std::fill_n(packed.get(), weight_bytes() / sizeof(float), 0.0F);
  pack(weights.data(), packed.get());
  const auto row = [this](const std::vector<Bits>& all, std::size_t index) {
    return std::span(all).subspan(index * inputs_, inputs_);
  };
  std::vector<float> expected(most * tile_outputs);
  multiply(most, in.data(), packed.get(), expected.data());
  for (const std::size_t r : {std::size_t{0}, std::size_t{17}, most - 1})
    for (std::size_t o = 0; o < tile_outputs; o += 9)
      if (expected[r * tile_outputs + o] != chain(form, row(in, r), row(weights, o)))
        fail(inputs_, "it adds the products in another order");
  std::vector<float> out(expected.size());
  for (const std::size_t count : state_->counts) {
    // Each row is in a call, the last ones perhaps twice.
    for (std::size_t first = 0; first < most; first += count) {
      const std::size_t start = std::min(first, most - count);
      multiply(count, in.data() + start * inputs_, packed.get(), out.data());
      if (std::memcmp(out.data(), expected.data() + start * tile_outputs,
                      count * tile_outputs * sizeof(float)) != 0)
        fail(inputs_, "a row has other bits in a call with " + std::to_string(count) +
                          " row(s) than in one with " + std::to_string(most));
    }
  }
}

bool Product::few_rows_have_same_bits() const {
  const memory::desc layout = matrix(inputs_, tile_outputs, bf16_type, Tag::BA16a64b2a);
  if (!can_multiply_few_rows() || state_->weights != layout)
    return false;
  const std::size_t count = state_->counts.front();
  const AlignedFloats packed = allocate_floats(weight_bytes() / sizeof(float));
  std::fill_n(packed.get(), weight_bytes() / sizeof(float), 0.0F);
  std::vector<float> expected(count * tile_outputs);
  std::vector<float> out(most_few_rows * tile_outputs);
  struct Range {
    int activations;
    int weights;
  };
  // As they come, so small that products are subnormal, and with subnormal activations of which it would
  // be seen if they did not count as zero.
  for (const Range exponents : {Range{0, 0}, Range{-58, -58}, Range{0, 100}}) {
    const auto numbers = [](std::size_t size, std::uint64_t seed, int exponent) {
      std::vector<Bits> result = test_numbers(size, seed);
      for (Bits& number : result)
        number = static_cast<Bits>(number + exponent * (1 << 7));
      return result;
    };
    std::vector<Bits> in = numbers(count * inputs_, 3, exponents.activations);
    if (exponents.weights > 0)
      for (std::size_t i = 0; i < in.size(); i += 7)
        in[i] &= 0x807f;
    pack(numbers(tile_outputs * inputs_, 4, exponents.weights).data(), packed.get());
    multiply(count, in.data(), packed.get(), expected.data());
    for (std::size_t rows = 1; rows <= most_few_rows; ++rows) {
      for (std::size_t first = 0; first + rows <= count; first += rows) {
        multiply_few_rows(rows, inputs_, in.data() + first * inputs_, packed.get(), out.data());
        if (std::memcmp(out.data(), expected.data() + first * tile_outputs,
                        rows * tile_outputs * sizeof(float)) != 0)
          return false;
      }
    }
  }
  return true;
}

}  // namespace flowspec::bf16
