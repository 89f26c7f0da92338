#include "models/numerics.hpp"

#include <dnnl.hpp>

#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"
#include "models/ops/dnnl_matrix.hpp"

namespace flowspec {
namespace {

// Our own kernels do the same sequence of float operations on every instruction set. The number is
// its version: raise it with every change that gives other bits. tests/unit/golden_test.cpp has the
// bits of this version.
constexpr std::string_view own_kernels = "flowspec-3";

bool multiplies_by_f32(const ModelFiles& files, const ModelConfig& config) {
  const auto is_f32 = [&](const std::string& name) {
    const TensorInfo* tensor = files.find(name);
    return tensor != nullptr && tensor->type == TensorType::f32;
  };
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    for (const char* matrix :
         {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      if (is_f32("blk." + std::to_string(layer) + "." + matrix + ".weight"))
        return true;
  }
  return is_f32(config.tied_embeddings ? "token_embd.weight" : "output.weight");
}

}  // namespace

std::string numerics_id() {
  std::string own(own_kernels);
  if (!dnnl_is_batch_invariant())
    return own;
  const dnnl_version_t* version = dnnl_version();
  return own + "+f32/onednn-" + std::to_string(version->major) + "." +
         std::to_string(version->minor) + "." + std::to_string(version->patch) + "/avx512";
}

std::string own_numerics(std::string_view id) {
  return std::string(id.substr(0, id.find('+')));
}

std::string numerics_id(const ModelFiles& files, const ModelConfig& config) {
  const std::string id = numerics_id();
  return multiplies_by_f32(files, config) ? id : own_numerics(id);
}

std::string with_hidden_type(std::string_view id, HiddenType type) {
  std::string result = own_numerics(id);
  const std::string_view rest = id.substr(result.size());
  if (type != HiddenType::f32)
    result.append("/").append(name_of(type));
  return result.append(rest);
}

std::optional<std::string> common_numerics(const std::string& a, const std::string& b) {
  if (a == b)
    return a;
  const std::string own = own_numerics(a);
  return own == own_numerics(b) ? std::optional(own) : std::nullopt;
}

std::optional<LinearForm> form_of_numerics(std::string_view wanted, std::string_view own) {
  if (wanted == own_numerics(own))
    return LinearForm::packed;
  return wanted == own ? std::optional(LinearForm::automatic) : std::nullopt;
}

}  // namespace flowspec
