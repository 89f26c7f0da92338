#include "runtime/engine_bench/product_rate.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <unordered_map>

#include <dnnl.hpp>
#include <fmt/format.h>

// From omp.h, of which clang-tidy cannot read GCC's version.
extern "C" void omp_set_num_threads(int threads) noexcept;

namespace flowspec {

namespace {

using dnnl::memory;
using Data = memory::data_type;
using Tag = memory::format_tag;

struct Shape {
  memory::dim rows;
  memory::dim inputs;
  memory::dim outputs;

  double operations() const {
    return 2.0 * static_cast<double>(rows) * static_cast<double>(inputs) *
           static_cast<double>(outputs);
  }
};

/// Activations, weights, results.
std::array<Data, 3> data_of(ProductType type) {
  switch (type) {
    case ProductType::int8:
      return {Data::u8, Data::s8, Data::s32};
    case ProductType::bf16:
      return {Data::bf16, Data::bf16, Data::f32};
    case ProductType::f32:
      break;
  }
  return {Data::f32, Data::f32, Data::f32};
}

/// As models/ops/dnnl_matrix.cpp, this depends on the version of oneDNN's interface: 3.x has no `desc`
/// types.
dnnl::matmul::primitive_desc plan_matmul(const dnnl::engine& engine, const Shape& shape,
                                         const std::array<Data, 3>& data) {
  return {dnnl::matmul::desc({{shape.rows, shape.inputs}, data[0], Tag::ab},
                             {{shape.inputs, shape.outputs}, data[1], Tag::any},
                             {{shape.rows, shape.outputs}, data[2], Tag::ab}),
          engine};
}

dnnl::inner_product_forward::primitive_desc plan_inner_product(const dnnl::engine& engine,
                                                               const Shape& shape,
                                                               const std::array<Data, 3>& data) {
  return {dnnl::inner_product_forward::desc(dnnl::prop_kind::forward_inference,
                                            {{shape.rows, shape.inputs}, data[0], Tag::nc},
                                            {{shape.outputs, shape.inputs}, data[1], Tag::any},
                                            {{shape.rows, shape.outputs}, data[2], Tag::nc}),
          engine};
}

/// Operations per second, the best of several runs.
template <class Plan>
double rate_of(const Plan& plan, const dnnl::primitive& primitive, const dnnl::engine& engine,
               double operations) {
  dnnl::stream stream(engine);
  std::unordered_map<int, memory> arguments;
  for (const auto& [index, desc] :
       {std::pair(DNNL_ARG_SRC, plan.src_desc()), std::pair(DNNL_ARG_WEIGHTS, plan.weights_desc()),
        std::pair(DNNL_ARG_DST, plan.dst_desc())}) {
    memory data(desc, engine);
    // Zeros are multiplied as fast as others, and are none of the slow denormal floats.
    std::memset(data.get_data_handle(), 0, desc.get_size());
    arguments.emplace(index, data);
  }
  double best = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (int run = 0; run < 12; ++run) {
    const auto start = std::chrono::steady_clock::now();
    primitive.execute(stream, arguments);
    stream.wait();
    const auto end = std::chrono::steady_clock::now();
    if (run > 0)  // the first one makes memory warm
      best = std::max(best, operations / std::chrono::duration<double>(end - start).count());
    // A slow form must not take minutes.
    if (run > 0 && end - begin > std::chrono::milliseconds(400))
      break;
  }
  return best;
}

/// Measures one form and keeps it in `best` if it is faster.
template <class Primitive, class Plan>
void try_form(const Plan& plan, const dnnl::engine& engine, const Shape& shape, ProductRate& best) {
  const std::string kernel = plan.impl_info_str();
  if (is_reference_form(kernel)) {
    if (best.kernel.empty())
      best.kernel = kernel;
    return;
  }
  const double rate = rate_of(plan, Primitive(plan), engine, shape.operations());
  if (rate > best.per_second) {
    best.per_second = rate;
    best.kernel = kernel;
  }
}

/// `try_form`, if oneDNN has the form at all.
template <class Form>
void try_if_known(const Form& form) {
  try {
    form();
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented)
      throw;
  }
}

}  // namespace

std::string_view name_of(ProductType type) {
  switch (type) {
    case ProductType::int8:
      return "int8";
    case ProductType::bf16:
      return "bf16";
    case ProductType::f32:
      break;
  }
  return "f32";
}

bool is_reference_form(std::string_view kernel) {
  return kernel.find("ref") != std::string_view::npos;
}

ProductRate measure_product_rate(ProductType type, unsigned threads) {
  constexpr std::array shapes{Shape{512, 1024, 1024}, Shape{256, 2048, 2048},
                              Shape{1024, 1024, 1024}};
  // oneDNN plans a primitive for the number of threads that the calling thread has set.
  omp_set_num_threads(static_cast<int>(std::max(threads, 1U)));
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  const auto data = data_of(type);
  ProductRate best{.type = type, .threads = threads};
  for (const Shape& shape : shapes) {
    try_if_known(
        [&] { try_form<dnnl::matmul>(plan_matmul(engine, shape, data), engine, shape, best); });
    try_if_known([&] {
      try_form<dnnl::inner_product_forward>(plan_inner_product(engine, shape, data), engine, shape,
                                            best);
    });
  }
  return best;
}

const ProductRate* product_limit(const std::vector<ProductRate>& rates, ProductType wanted,
                                 unsigned threads) {
  const ProductRate* best = nullptr;
  for (const ProductRate& rate : rates) {
    const bool counts = rate.type == wanted || rate.type == ProductType::f32;
    if (counts && rate.threads == threads && rate.per_second > 0 &&
        (best == nullptr || rate.per_second > best->per_second))
      best = &rate;
  }
  return best;
}

std::string product_note(const std::vector<ProductRate>& rates, ProductType wanted,
                         unsigned threads) {
  const auto own = std::ranges::find_if(rates, [&](const ProductRate& rate) {
    return rate.type == wanted && rate.threads == threads;
  });
  const ProductRate* limit = product_limit(rates, wanted, threads);
  if (own == rates.end() || limit == &*own)
    return "";
  const std::string instead = limit == nullptr
                                  ? "there is no measure of products"
                                  : fmt::format("the measure is {}", name_of(limit->type));
  if (own->kernel.empty())
    return fmt::format("oneDNN has no {} product on this CPU: {}.", name_of(wanted), instead);
  if (own->per_second == 0)
    return fmt::format("oneDNN has only a reference form of the {} product on this CPU ({}): {}.",
                       name_of(wanted), own->kernel, instead);
  return fmt::format("oneDNN's {} product ({}) is slower than its f32 product on this CPU: {}.",
                     name_of(wanted), own->kernel, instead);
}

}  // namespace flowspec
