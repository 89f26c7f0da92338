#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flowspec {

/// The types of numbers that are multiplied. int8: u8 activations and s8 weights, summed in int32.
enum class ProductType { f32, bf16, int8 };

std::string_view name_of(ProductType type);

/// How fast oneDNN multiplies matrices on this CPU: what layers could do at best.
struct ProductRate {
  ProductType type = ProductType::f32;
  unsigned threads = 1;
  /// Multiplications and additions, each counted; 0 if oneDNN has no such product here, or only its
  /// reference.
  double per_second = 0;
  /// oneDNN's name of the fastest form: "brg:avx512_core_vnni"; of a slow one, if there is no other;
  /// empty if there is none.
  std::string kernel{};
};

/// Whether oneDNN names a form that is there to be correct, not fast: "ref:any", "ref_int8:any".
bool is_reference_form(std::string_view kernel);

/// The best of several square and flat shapes, each as a matmul and as an inner product, with the
/// layout of weights that oneDNN likes best. Takes a fraction of a second.
ProductRate measure_product_rate(ProductType type, unsigned threads);

/// The rate that bounds products with weights which are quantised, bfloat16, or other floats: that of
/// int8, of bfloat16, or of float32. Where oneDNN has no fast form of the first two, or one that is
/// slower than float32's, then float32's. Null if none was measured for so many threads.
const ProductRate* product_limit(const std::vector<ProductRate>& rates, ProductType wanted,
                                 unsigned threads);

/// What the measure of a type is, if it is not its own: "oneDNN has no int8 product on this CPU but
/// a reference form (ref:any); ..."; else empty.
std::string product_note(const std::vector<ProductRate>& rates, ProductType wanted,
                         unsigned threads);

}  // namespace flowspec
