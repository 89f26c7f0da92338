#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "models/base/types.hpp"
#include "models/sampling/text_sampler.hpp"

namespace flowspec::test {

/// Decodes with the model alone: one token at a time, all layers in one place, no actors. Returns the
/// choices of `count` tokens after the prompt.
std::vector<Choice> plain_choices(const std::filesystem::path& model, std::span<const Token> prompt,
                                  std::size_t count, const SamplerOptions& sampling,
                                  HiddenType hidden_type = HiddenType::f32);

/// The tokens alone.
std::vector<Token> plain_decoding(const std::filesystem::path& model, std::span<const Token> prompt,
                                  std::size_t count, const SamplerOptions& sampling = {},
                                  HiddenType hidden_type = HiddenType::f32);

}  // namespace flowspec::test
