#include "models/numerics.hpp"

#include <dnnl.hpp>

namespace flowspec {
namespace {

// By what dense linears choose their kernels by. Newer instruction sets do not change f32 products.
const char* instruction_set() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto has = [isa](dnnl::cpu_isa wanted) {
    const auto bits = static_cast<unsigned>(wanted);
    return (isa & bits) == bits;
  };
  if (has(dnnl::cpu_isa::avx512_core)) {
    return "avx512";
  }
  if (has(dnnl::cpu_isa::avx2)) {
    return "avx2";
  }
  return has(dnnl::cpu_isa::avx) ? "avx" : "sse41";
}

}  // namespace

std::string numerics_id() {
  // Products with quantised weights have one sequence of float operations on every instruction set;
  // the number counts its versions.
  const dnnl_version_t* version = dnnl_version();
  return "int8-1+f32/onednn-" + std::to_string(version->major) + "." +
         std::to_string(version->minor) + "." + std::to_string(version->patch) + "/" +
         instruction_set();
}

}  // namespace flowspec
