/// `flowspec bench engine`: which of a chip's limits a run is measured by.

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "runtime/engine_bench/attention_bench.hpp"
#include "runtime/engine_bench/engine_report.hpp"
#include "runtime/engine_bench/product_rate.hpp"

namespace flowspec::test {
namespace {

EngineRun run(std::uint32_t rows, double bandwidth_share, double product_share) {
  return {"x", 1, 1, rows, {1}, bandwidth_share, product_share, "int8"};
}

}  // namespace

BOOST_AUTO_TEST_CASE(one_row_is_limited_by_memory) {
  BOOST_TEST(limit_of(run(1, 0.4, 0.1)).limit == "memory");
  BOOST_TEST(limit_of(run(1, 0.4, 0.1)).share == 0.4);
  // From the CPU's caches: more than memory gives.
  BOOST_TEST(limit_of(run(1, 3, 0.2)).share == 3);
}

BOOST_AUTO_TEST_CASE(many_rows_are_limited_by_what_they_are_nearer_to) {
  BOOST_TEST(limit_of(run(64, 0.1, 0.6)).limit == "int8");
  BOOST_TEST(limit_of(run(64, 0.1, 0.6)).share == 0.6);
  BOOST_TEST(limit_of(run(4, 0.7, 0.2)).limit == "memory");
  // Weights in the CPU's caches do not wait for memory.
  BOOST_TEST(limit_of(run(4, 1.7, 0.2)).limit == "int8");
}

BOOST_AUTO_TEST_CASE(without_a_measure_of_products_memory_is_the_limit) {
  EngineRun unknown = run(64, 0.1, 0);
  BOOST_TEST(limit_of(unknown).limit == "memory");
  unknown.bandwidth_share = 0;
  BOOST_TEST(limit_of(unknown).limit == "");
}

BOOST_AUTO_TEST_CASE(a_reference_form_of_onednn_is_no_measure) {
  BOOST_TEST(is_reference_form("ref:any"));
  BOOST_TEST(is_reference_form("ref_int8:any"));
  BOOST_TEST(!is_reference_form("brg:avx512_core_vnni"));
  BOOST_TEST(!is_reference_form("gemm:jit"));

  const std::vector<ProductRate> rates{{ProductType::f32, 2, 100e9, "gemm:jit"},
                                       {ProductType::int8, 2, 0, "ref:any"}};
  BOOST_TEST(product_limit(rates, ProductType::int8, 2) == &rates[0]);
  BOOST_TEST(
      product_note(rates, ProductType::int8, 2) ==
      "oneDNN has only a reference form of the int8 product on this CPU (ref:any): the measure "
      "is f32.");
}

BOOST_AUTO_TEST_CASE(a_type_without_a_product_or_with_a_slow_one_is_measured_by_floats) {
  std::vector<ProductRate> rates{{ProductType::f32, 1, 100e9, "brg:avx512_core"},
                                 {ProductType::bf16, 1, 0, ""}};
  BOOST_TEST(product_note(rates, ProductType::bf16, 1) ==
             "oneDNN has no bf16 product on this CPU: the measure is f32.");
  rates[1] = {ProductType::bf16, 1, 30e9, "gemm:jit"};
  BOOST_TEST(product_limit(rates, ProductType::bf16, 1) == &rates[0]);
  BOOST_TEST(
      product_note(rates, ProductType::bf16, 1) ==
      "oneDNN's bf16 product (gemm:jit) is slower than its f32 product on this CPU: the measure "
      "is f32.");
  rates[1].per_second = 300e9;
  BOOST_TEST(product_limit(rates, ProductType::bf16, 1) == &rates[1]);
  BOOST_TEST(product_note(rates, ProductType::bf16, 1) == "");
  BOOST_TEST(product_limit(rates, ProductType::bf16, 4) == nullptr);
}

BOOST_AUTO_TEST_CASE(floats_can_be_multiplied_everywhere) {
  const ProductRate rate = measure_product_rate(ProductType::f32, 1);
  BOOST_TEST(rate.per_second > 0);
  BOOST_TEST(!is_reference_form(rate.kernel));
}

BOOST_AUTO_TEST_CASE(attention_counts_keys_and_values_once_for_all_rows) {
  ModelConfig config;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 32;
  const AttentionTime time = measure_attention(config, KvType::f16, 100, 3, 1, 2);
  BOOST_TEST(time.bytes == 100U * 2 * 32 * 2 * 2);
  BOOST_TEST(time.operations == 3.0 * 4 * 32 * 100 * 4);
  BOOST_TEST(time.microseconds.size() == 2U);
  BOOST_TEST(time.median() > 0);
}

}  // namespace flowspec::test
