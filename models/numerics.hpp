#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "models/base/types.hpp"
#include "models/ops/linear_form.hpp"

namespace flowspec {

class ModelFiles;
struct ModelConfig;

/// The best numerics that this process has: the version of our own kernels, whose bits are the same
/// on every CPU, and the version of oneDNN if it multiplies by float32 weights. For instance
/// "flowspec-3" or "flowspec-3+f32/onednn-2.6.3/avx512". A process that can compute with an id can
/// also compute with the part before its plus, which leaves oneDNN out.
///
/// Two processes that compute with the same id get the same bits, so all nodes of a run agree on
/// one.
std::string numerics_id();

/// The part of an id that stands for our own kernels: "flowspec-3".
std::string own_numerics(std::string_view id);

/// The best numerics that this process has for this model: oneDNN is left out if the model has no
/// float32 matrices.
std::string numerics_id(const ModelFiles& files, const ModelConfig& config);

/// The same id for hidden states that are rounded after every layer: "flowspec-3/bf16". Those of
/// float32 change nothing. A process can compute with every type.
std::string with_hidden_type(std::string_view id, HiddenType type);

/// The best id that both processes can compute with; nothing if their own kernels differ.
std::optional<std::string> common_numerics(const std::string& a, const std::string& b);

/// How a process whose best id is `own` has to multiply to compute with `wanted`; nothing if it
/// cannot.
std::optional<LinearForm> form_of_numerics(std::string_view wanted, std::string_view own);

}  // namespace flowspec
