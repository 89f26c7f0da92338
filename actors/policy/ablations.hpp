#pragma once
/// The mode `flowspec` with one of its mechanisms switched off, to see what each is worth.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "actors/policy/policy.hpp"

namespace flowspec {

/// `flowspec` without one of its mechanisms; nothing for an unknown name:
///
/// | name            | what is switched off                                              |
/// |-----------------|-------------------------------------------------------------------|
/// | `score-order`   | nodes leave level by level                                        |
/// | `pruning`       | stages hear of prunes only with later segments                    |
/// | `context-aware` | expanded nodes are not expanded again with fresh features         |
/// | `score-aware`   | the draft stops after 7 forwards for a root                       |
/// | `adoption`      | a root that is not in the pipeline starts with an empty tree      |
/// | `late-dispatch` | nodes leave as soon as they have a score                          |
/// | `asynchrony`    | lock-step: a segment returns, 7 draft forwards, a segment leaves,  |
/// |                 | and with it the news of what has died                            |
/// | `coupling`      | the draft guesses what is likely, without the target's noise      |
/// | `calibration`   | guesses have the probability that the draft's logits say          |
/// | `lookup`        | the tree has the draft's guesses only, none of prompt look-up     |
std::optional<DraftPolicy> without(std::string_view mechanism, DraftPolicy policy,
                                   std::uint32_t stages);

/// Names of all mechanisms that `without` knows.
const std::vector<std::string_view>& ablation_names();

}  // namespace flowspec
