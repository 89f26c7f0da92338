#include "models/numerics.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include <dnnl.hpp>

#include "models/base/error.hpp"
#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"
#include "models/ops/bf16/matrix.hpp"
#include "models/ops/dnnl_matrix.hpp"

namespace flowspec {
namespace {

// Our own kernels do the same sequence of float operations on every instruction set. The number is
// its version: raise it with every change that gives other bits. tests/unit/golden_test.cpp has the
// bits of this version.
constexpr std::string_view own_kernels = "flowspec-3";

std::string onednn() {
  const dnnl_version_t* version = dnnl_version();
  return "onednn-" + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch);
}

std::string f32_family() {
  return "f32/" + onednn() + "/avx512";
}

std::string bf16_family(bf16::Form form) {
  return "bf16/" + onednn() + "/" + std::string(bf16::name_of(form));
}

/// The parts of an id after its first plus.
std::vector<std::string_view> families_of(std::string_view id) {
  std::vector<std::string_view> families;
  for (auto plus = id.find('+'); plus != std::string_view::npos;) {
    const auto next = id.find('+', plus + 1);
    families.push_back(id.substr(plus + 1, next == id.npos ? next : next - plus - 1));
    plus = next;
  }
  return families;
}

bool is_f32(std::string_view family) {
  return family.starts_with("f32/");
}

bool is_bf16(std::string_view family) {
  return family.starts_with("bf16/");
}

/// The matrices that rows are multiplied by.
template <class Use>
void for_each_matrix(const ModelFiles& files, const ModelConfig& config, const Use& use) {
  const auto use_named = [&](const std::string& name) {
    if (const TensorInfo* tensor = files.find(name))
      use(*tensor);
  };
  for (std::uint32_t layer = 0; layer < config.layers; ++layer)
    for (const char* matrix :
         {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      use_named("blk." + std::to_string(layer) + "." + matrix + ".weight");
  use_named(config.tied_embeddings ? "token_embd.weight" : "output.weight");
}

/// What of a model oneDNN may multiply by.
struct Matrices {
  bool has_f32 = false;
  /// Inputs of the BF16 matrices.
  std::set<std::size_t> bf16_inputs;

  Matrices(const ModelFiles& files, const ModelConfig& config) {
    for_each_matrix(
        files, config,
        [this](const TensorInfo& tensor) {
          has_f32 = has_f32 || tensor.type == TensorType::f32;
          if (tensor.type == TensorType::bf16)
            bf16_inputs.insert(tensor.shape.front());
        });
  }

  /// Why oneDNN does not multiply by all the BF16 matrices in this process; empty if it does.
  std::string bf16_lack() const {
    for (const std::size_t inputs : bf16_inputs)
      if (std::string lack = bf16::lack_for(inputs); !lack.empty())
        return lack;
    return {};
  }
};

std::string id_of(bool f32, bool bf16) {
  std::string id(own_kernels);
  if (f32 && dnnl_is_batch_invariant())
    id += "+" + f32_family();
  if (bf16 && bf16::family().form)
    id += "+" + bf16_family(*bf16::family().form);
  return id;
}

}  // namespace

std::string numerics_id() {
  return id_of(true, true);
}

std::string own_numerics(std::string_view id) {
  return std::string(id.substr(0, id.find('+')));
}

bool has_bf16_family(std::string_view id) {
  return std::ranges::any_of(families_of(id), is_bf16);
}

std::string numerics_id(const ModelFiles& files, const ModelConfig& config) {
  const Matrices matrices(files, config);
  // The family's tests take time and memory, which most models can do without.
  return id_of(matrices.has_f32, !matrices.bf16_inputs.empty() && matrices.bf16_lack().empty());
}

std::string numerics_id(const ModelFiles& files, const ModelConfig& config, NumericsChoice choice) {
  std::string id = numerics_id(files, config);
  if (choice == NumericsChoice::exact)
    return own_numerics(id);
  if (choice == NumericsChoice::automatic || has_bf16_family(id))
    return id;
  const Matrices matrices(files, config);
  throw ModelError(
      matrices.bf16_inputs.empty()
          ? files.path().string() +
                " has no BF16 matrices, so that --numerics bf16 cannot be: leave it out"
          : "--numerics bf16 cannot be: " + matrices.bf16_lack() + ". Leave it out");
}

std::string with_hidden_type(std::string_view id, HiddenType type) {
  std::string result = own_numerics(id);
  const std::string_view rest = id.substr(result.size());
  if (type != HiddenType::f32)
    result.append("/").append(name_of(type));
  return result.append(rest);
}

std::optional<std::string> common_numerics(const std::string& a, const std::string& b) {
  std::string common = own_numerics(a);
  if (common != own_numerics(b))
    return std::nullopt;
  const std::vector<std::string_view> others = families_of(b);
  for (const std::string_view family : families_of(a))
    if (std::ranges::find(others, family) != others.end())
      common.append("+").append(family);
  return common;
}

std::optional<LinearForm> form_of_numerics(std::string_view wanted, std::string_view own) {
  if (own_numerics(wanted) != own_numerics(own))
    return std::nullopt;
  const std::vector<std::string_view> known = families_of(own);
  bool f32 = false;
  bool bf16 = false;
  for (const std::string_view family : families_of(wanted)) {
    if (std::ranges::find(known, family) == known.end())
      return std::nullopt;
    f32 = f32 || is_f32(family);
    bf16 = bf16 || is_bf16(family);
  }
  if (f32)
    return bf16 ? LinearForm::f32_and_bf16 : LinearForm::f32;
  return bf16 ? LinearForm::bf16 : LinearForm::packed;
}

}  // namespace flowspec
