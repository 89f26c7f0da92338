#include "models/numerics.hpp"

#include <dnnl.hpp>

#include "models/ops/dnnl_matrix.hpp"

namespace flowspec {

std::string numerics_id() {
  // Our own kernels do one sequence of float operations on every instruction set. The number counts
  // its versions: raise it with every change that gives other bits.
  std::string own = "flowspec-1";
  if (!dnnl_is_batch_invariant()) {
    return own;
  }
  const dnnl_version_t* version = dnnl_version();
  return own + "+f32/onednn-" + std::to_string(version->major) + "." +
         std::to_string(version->minor) + "." + std::to_string(version->patch) + "/avx512";
}

}  // namespace flowspec
