#pragma once

#include <string>

namespace flowspec {

/// For people: the kernels that this process computes with, those of oneDNN that it has used so far, and
/// its numerics. Ends with a line break.
std::string kernels_text();

}  // namespace flowspec
