#pragma once

#include <span>

#include "models/base/types.hpp"

namespace flowspec::kernels {

/// Rounds each value to the nearest of the type, ties to even. Values that are too large for
/// float16 become its largest, 65504, with their sign: such values are outliers whose size hardly
/// matters after the next norm, and an infinity would spoil the row. Infinities and NaNs stay, so
/// that broken weights are still noticed. bfloat16 has the range of float32; what would round to
/// infinity stays its largest number too.
void round_to(HiddenType type, std::span<float> values);

}  // namespace flowspec::kernels
