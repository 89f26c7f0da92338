#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "models/base/types.hpp"
#include "models/ops/linear_form.hpp"

namespace flowspec {

class ModelFiles;
struct ModelConfig;

/// What a user wants the products of a run to be computed by.
enum class NumericsChoice : std::uint8_t {
  /// The best that all machines of the run have.
  automatic,
  /// Our own kernels.
  exact,
  /// oneDNN's bfloat16 products; an error where they cannot be.
  bf16,
};

/// The best numerics that this process has: the version of our own kernels, whose bits are the same
/// on every CPU, then for each type of weights that oneDNN multiplies by ("family") its version, and what
/// it does it with. For instance "flowspec-3",
/// "flowspec-3+f32/onednn-2.6.3/avx512+bf16/onednn-2.6.3/amx". A process that can compute with an id
/// can also compute with one that leaves families out.
///
/// Two processes that compute with the same id get the same bits, so all nodes of a run agree on
/// one. models/ops/bf16/family.hpp says why that can be said of bfloat16.
std::string numerics_id();

/// The part of an id that stands for our own kernels: "flowspec-3".
std::string own_numerics(std::string_view id);

/// Whether oneDNN multiplies by bfloat16 weights.
bool has_bf16_family(std::string_view id);

/// The best numerics that this process has for this model: families are left out that the model has no
/// matrices for, and that of bfloat16 if oneDNN does not compute these matrices as it should.
std::string numerics_id(const ModelFiles& files, const ModelConfig& config);

/// The same as the user wants it. Throws ModelError, with a reason, if this process or the model cannot.
std::string numerics_id(const ModelFiles& files, const ModelConfig& config, NumericsChoice choice);

/// The same id for hidden states that are rounded after every layer: "flowspec-3/bf16". Those of
/// float32 change nothing. A process can compute with every type.
std::string with_hidden_type(std::string_view id, HiddenType type);

/// The best id that both processes can compute with: the families that both have. Nothing if their own
/// kernels, or types of hidden states, differ.
std::optional<std::string> common_numerics(const std::string& a, const std::string& b);

/// How a process whose best id is `own` has to multiply to compute with `wanted`; nothing if it
/// cannot.
std::optional<LinearForm> form_of_numerics(std::string_view wanted, std::string_view own);

}  // namespace flowspec
