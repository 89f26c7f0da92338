#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "models/ops/linear_form.hpp"

namespace flowspec {

class ModelFiles;
struct ModelConfig;

/// Names what this process computes with at best: the version of our own kernels, whose bits are
/// the same on every CPU, and oneDNN's where it multiplies by float32 weights, for instance
/// "flowspec-2" or "flowspec-2+f32/onednn-2.6.3/avx512". Whoever can compute with an id can also
/// compute with the part before its plus, which leaves oneDNN out.
///
/// Two processes that compute with one id get the same bits, so all nodes of a run agree on one.
std::string numerics_id();

/// The part of an id that stands for our own kernels: "flowspec-2".
std::string own_numerics(std::string_view id);

/// Names what this process computes with at best for this model: without float32 matrices oneDNN
/// has nothing to do with it.
std::string numerics_id(const ModelFiles& files, const ModelConfig& config);

/// The best id that two processes can both compute with; nothing where their own kernels differ.
std::optional<std::string> common_numerics(const std::string& a, const std::string& b);

/// How a process that can compute with `own` at best multiplies when it is asked for `wanted`;
/// nothing where it cannot compute with that.
std::optional<LinearForm> form_of_numerics(std::string_view wanted, std::string_view own);

}  // namespace flowspec
