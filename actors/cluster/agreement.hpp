#pragma once

#include <cstdint>
#include <string>

#include "models/base/types.hpp"
#include "models/ops/linear_form.hpp"

namespace flowspec {

class Node;

/// How a part of a pipeline multiplies on this node, so that all of them get the same text. Throws
/// ModelError where versions or numerics do not agree.
LinearForm check_agreement(const Node& node, std::uint32_t protocol, const std::string& numerics,
                           HiddenType hidden_type);

}  // namespace flowspec
