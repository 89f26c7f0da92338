// What nodes of different CPUs agree on, and the functions that make their tables equal.
#include "models/numerics.hpp"

#include <cmath>
#include <random>
#include <string>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/base/portable_math.hpp"
#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

const std::string own = "flowspec-7";
const std::string with_dnnl = "flowspec-7+f32/onednn-2.6.3/avx512";

BOOST_AUTO_TEST_CASE(processes_agree_on_what_both_can_compute_with) {
  BOOST_TEST(common_numerics(own, own).value() == own);
  BOOST_TEST(common_numerics(with_dnnl, with_dnnl).value() == with_dnnl);
  BOOST_TEST(common_numerics(own, with_dnnl).value() == own);
  BOOST_TEST(common_numerics(with_dnnl, own).value() == own);
  BOOST_TEST(common_numerics(with_dnnl, "flowspec-7+f32/onednn-3.7.2/avx512").value() == own);
  BOOST_TEST(!common_numerics(own, "flowspec-8").has_value());
  BOOST_TEST(!common_numerics(with_dnnl, "flowspec-8+f32/onednn-2.6.3/avx512").has_value());
}

BOOST_AUTO_TEST_CASE(a_process_computes_with_its_own_kernels_when_asked_to) {
  BOOST_TEST((form_of_numerics(with_dnnl, with_dnnl) == LinearForm::f32));
  BOOST_TEST((form_of_numerics(own, with_dnnl) == LinearForm::packed));
  BOOST_TEST((form_of_numerics(own, own) == LinearForm::packed));
  BOOST_TEST(!form_of_numerics(with_dnnl, own).has_value());
  BOOST_TEST(!form_of_numerics("flowspec-8", own).has_value());
  BOOST_TEST(!form_of_numerics("", own).has_value());
}

BOOST_AUTO_TEST_CASE(processes_share_the_families_that_both_have) {
  const std::string amx = "+bf16/onednn-2.6.3/amx";
  const std::string avx512 = "+bf16/onednn-2.6.3/avx512_bf16";
  BOOST_TEST(common_numerics(with_dnnl + amx, with_dnnl + amx).value() == with_dnnl + amx);
  BOOST_TEST(common_numerics(with_dnnl + amx, own + amx).value() == own + amx);
  BOOST_TEST(common_numerics(with_dnnl + amx, with_dnnl).value() == with_dnnl);
  BOOST_TEST(common_numerics(with_dnnl, own + amx).value() == own);
  // The instructions add in other orders.
  BOOST_TEST(common_numerics(with_dnnl + amx, with_dnnl + avx512).value() == with_dnnl);
  BOOST_TEST(common_numerics(own + amx, own + avx512).value() == own);
  BOOST_TEST((form_of_numerics(own + amx, with_dnnl + amx) == LinearForm::bf16));
  BOOST_TEST((form_of_numerics(with_dnnl + amx, with_dnnl + amx) == LinearForm::f32_and_bf16));
  BOOST_TEST((form_of_numerics(with_dnnl, with_dnnl + amx) == LinearForm::f32));
  BOOST_TEST((form_of_numerics(own, with_dnnl + amx) == LinearForm::packed));
  BOOST_TEST(!form_of_numerics(own + avx512, with_dnnl + amx).has_value());
  BOOST_TEST(!form_of_numerics(own + amx, with_dnnl).has_value());
  BOOST_TEST(!form_of_numerics(own + "+q8/other", with_dnnl + amx).has_value());
  BOOST_TEST(has_bf16_family(own + amx));
  // Hidden states of that type are something else.
  BOOST_TEST(!has_bf16_family(with_hidden_type(with_dnnl, HiddenType::bf16)));
  BOOST_TEST(with_hidden_type(own + amx, HiddenType::bf16) == own + "/bf16" + amx);
  BOOST_TEST(!common_numerics(own + amx, own + "/bf16" + amx).has_value());
}

BOOST_AUTO_TEST_CASE(rounded_hidden_states_are_part_of_the_id) {
  const auto bf16 = [](const std::string& id) { return with_hidden_type(id, HiddenType::bf16); };
  BOOST_TEST(with_hidden_type(own, HiddenType::f32) == own);
  BOOST_TEST(with_hidden_type(with_dnnl, HiddenType::f32) == with_dnnl);
  BOOST_TEST(bf16(own) == "flowspec-7/bf16");
  BOOST_TEST(bf16(with_dnnl) == "flowspec-7/bf16+f32/onednn-2.6.3/avx512");
  BOOST_TEST(with_hidden_type(own, HiddenType::f16) == "flowspec-7/f16");
  // Nodes agree within a type, and never across types.
  BOOST_TEST(common_numerics(bf16(own), bf16(with_dnnl)).value() == bf16(own));
  BOOST_TEST((form_of_numerics(bf16(own), bf16(with_dnnl)) == LinearForm::packed));
  BOOST_TEST((form_of_numerics(bf16(with_dnnl), bf16(with_dnnl)) == LinearForm::f32));
  for (const auto& other : {with_dnnl, with_hidden_type(with_dnnl, HiddenType::f16)}) {
    BOOST_TEST(!common_numerics(bf16(with_dnnl), other).has_value());
    BOOST_TEST(!form_of_numerics(bf16(with_dnnl), other).has_value());
    BOOST_TEST(!form_of_numerics(bf16(own), other).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_model_depends_on_the_families_that_its_matrices_use) {
  const TempFolder folder;
  const auto id_of = [&](const LlamaShape& shape, const LlamaTypes& types,
                         NumericsChoice choice = NumericsChoice::automatic) {
    write_llama_gguf(folder / "model.gguf", shape, types, 3);
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    return numerics_id(file, read_config(file), choice);
  };
  const std::string best = numerics_id();
  const std::string kernels = own_numerics(best);
  const auto plus = best.find("+bf16/");
  const std::string f32_id = best.substr(0, plus);
  const std::string bf16_id = kernels + (plus == best.npos ? "" : best.substr(plus));
  constexpr TensorType f32 = TensorType::f32;
  constexpr TensorType bf16 = TensorType::bf16;
  constexpr TensorType q8 = TensorType::q8_0;
  BOOST_TEST(id_of({}, {f32, f32, f32}) == f32_id);
  BOOST_TEST(id_of({}, {q8, f32, q8}) == f32_id);
  BOOST_TEST(id_of({}, {q8, q8, f32}) == f32_id);
  BOOST_TEST(id_of({}, {q8, bf16, q8}) == bf16_id);
  BOOST_TEST(id_of({}, {q8, q8, bf16}) == bf16_id);
  BOOST_TEST(id_of({}, {q8, f32, bf16}) == best);
  // Rows of the embedding are copied; norms are always F32.
  BOOST_TEST(id_of({}, {f32, q8, q8}) == kernels);
  BOOST_TEST(id_of({}, {bf16, q8, q8}) == kernels);
  LlamaShape tied;
  tied.tied = true;
  BOOST_TEST(id_of(tied, {f32, q8, q8}) == f32_id);
  BOOST_TEST(id_of(tied, {bf16, q8, q8}) == bf16_id);
  // What the user wants.
  BOOST_TEST(id_of({}, {q8, f32, bf16}, NumericsChoice::exact) == kernels);
  BOOST_CHECK_EXCEPTION(
      id_of({}, {q8, f32, q8}, NumericsChoice::bf16), ModelError, [](const ModelError& e) {
        return std::string(e.what()).find("no BF16 matrices") != std::string::npos;
      });
  if (has_bf16_family(best))
    BOOST_TEST(id_of({}, {q8, bf16, q8}, NumericsChoice::bf16) == bf16_id);
  else
    BOOST_CHECK_THROW(id_of({}, {q8, bf16, q8}, NumericsChoice::bf16), ModelError);
}

BOOST_AUTO_TEST_CASE(portable_functions_are_close_to_the_library_s) {
  std::mt19937_64 random(3);
  const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  double worst = 0;
  const auto compare = [&worst](double actual, double expected, double size) {
    worst = std::max(worst, std::abs(actual - expected) / size);
  };
  for (int i = 0; i < 100'000; ++i) {
    const double angle = 1e6 * std::pow(uniform(), 5);
    const portable::SinCos turn = portable::sin_cos(angle);
    compare(turn.sin, std::sin(angle), 1);
    compare(turn.cos, std::cos(angle), 1);
    const double x = 80 * (uniform() - 0.5);
    compare(portable::exp(x), std::exp(x), std::exp(x));
    compare(portable::log(std::exp(x)), std::log(std::exp(x)), std::max(1.0, std::abs(x)));
    const double base = 1e4 + 1e6 * uniform();
    const double power = std::pow(base, -uniform());
    compare(portable::pow(base, std::log(power) / std::log(base)), power, 30 * power);
  }
  BOOST_TEST(worst < 4e-16);
  BOOST_TEST(portable::pow(10000, 0) == 1.0);
  BOOST_TEST(portable::sin_cos(0).cos == 1.0);
  BOOST_TEST(std::isnan(portable::sin_cos(1e300).sin));
}

}  // namespace
