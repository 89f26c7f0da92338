#pragma once

#include <vector>

#include "models/base/types.hpp"
#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"
#include "models/layers/cpu_stage_model.hpp"

namespace flowspec::test {

/// The logits of every token of a text, text.size() x vocab_size, computed in one segment.
/// @param options  all except the layers, which are always all of the model.
std::vector<float> plain_logits(const ModelFiles& files, const ModelConfig& config,
                                const std::vector<Token>& text, StageOptions options = {});

}  // namespace flowspec::test
