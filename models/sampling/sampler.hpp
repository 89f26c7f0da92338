#pragma once

#include <span>

#include "models/sampling/filters.hpp"

namespace flowspec {

/// Chooses the token for `position` from one row of logits, which must not be empty. Penalties and
/// biases have been applied (`TextSampler` does both). The result
/// depends only on the arguments, and is the same on every machine.
///
/// Temperature 0 (or less): the largest logit. Else, of the tokens that the filters keep (see
/// `Filter`), the one with the largest logit / temperature + g, where g is the Gumbel noise of
/// (seed, position, token) as noise.hpp defines it. Ties always go to the lower token. Throws
/// ModelError if a logit is NaN or infinite: the model is broken.
Token sample(std::span<const float> logits, const SamplerOptions& options, Position position);
/// The same for a row that has been looked through.
Token sample(const LogitRow& row, const SamplerOptions& options, Position position);

}  // namespace flowspec
