#include "models/kernels_text.hpp"

#include <vector>

#include "models/numerics.hpp"
#include "models/ops/bf16/family.hpp"
#include "models/ops/dnnl_kernels.hpp"
#include "models/ops/packed/kernels.hpp"

namespace flowspec {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::string kernels_text() {
  std::vector<std::string> all;
  for (const packed::KernelSet* set : packed::available_kernels())
    all.emplace_back(set->name);
  std::string text = "Kernels: " + std::string(packed::kernels_in_use().name) +
                     "; this machine can run " + joined(all) + ". ";
  if (const std::vector<std::string> names = dnnl_kernels_in_use(); !names.empty())
    text += "oneDNN's: " + joined(names) + ". ";
  text += "Numerics: " + numerics_id() + ".\n";
  if (const std::string& lack = bf16::family().lack; !lack.empty())
    text += "Not by oneDNN, BF16 weights: " + lack + ".\n";
  return text;
}

}  // namespace flowspec
