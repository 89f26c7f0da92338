#include "models/ops/dnnl_kernels.hpp"

#include <mutex>
#include <set>

namespace flowspec {
namespace {

struct Names {
  std::mutex mutex;
  std::set<std::string> names;
};

Names& all() {
  static Names names;
  return names;
}

}  // namespace

void note_dnnl_kernel(const std::string& name) {
  const std::lock_guard lock(all().mutex);
  all().names.insert(name);
}

std::vector<std::string> dnnl_kernels_in_use() {
  const std::lock_guard lock(all().mutex);
  return {all().names.begin(), all().names.end()};
}

}  // namespace flowspec
