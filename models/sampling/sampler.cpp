#include "models/sampling/sampler.hpp"

#include <string>

#include "models/base/error.hpp"
#include "models/sampling/race.hpp"

namespace flowspec {

Token sample(std::span<const float> logits, const SamplerOptions& options, Position position) {
  return sample(LogitRow(logits), options, position);
}

Token sample(const LogitRow& row, const SamplerOptions& options, Position position) {
  if (!row.is_finite()) {
    throw ModelError("the model's logits for position " + std::to_string(position) +
                     " are not finite numbers, so there is no token to choose. A weight is NaN or "
                     "infinite, or too large to compute with: check the model's files against "
                     "their source, or convert the model again.");
  }
  if (!(options.temperature > 0))
    return row.best().token;
  const Noise noise(options.seed, position);
  Filter filter(row, options);
  for (;;) {
    Runner winner;
    find_winners(row, options.temperature, noise, filter.last(), {&winner, 1});
    const RankedToken token{row.logits()[static_cast<std::size_t>(winner.token)], winner.token};
    if (filter.keeps(token))
      return token.token;
    filter.cut_before(token);
  }
}

}  // namespace flowspec
