#pragma once
/// All modes, each in a file of its own.
///
/// | mode        | what it does                                                              |
/// |-------------|---------------------------------------------------------------------------|
/// | `ar`        | plain decoding: one token in flight                                       |
/// | `chunk-pp`  | a tree in level order, in stages + 1 chunks, verified when all are back   |
/// | `pruned-pp` | the same in score order, every chunk verified and the rest pruned at once |
/// | `pipedec`   | a level of the tree per segment, a token per level                        |
/// | `chain`     | a chain of guesses as one segment, nothing else in flight                 |
/// | `chain-pp`  | the same in flight: a chain that always grows, its stale end pruned       |
/// | `flowspec`  | score order, verified and pruned at once, and the tree always grows       |

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "actors/policy/modes/mode.hpp"
#include "actors/policy/policy.hpp"

namespace flowspec {

/// The policy of a mode for a pipeline of `stages` stages; nothing for an unknown mode.
std::optional<DraftPolicy> mode_policy(std::string_view mode, std::uint32_t stages);

/// Names of all modes.
const std::vector<std::string_view>& mode_names();
/// Names of the modes of the published comparison (arXiv 2507.02620), and of plain decoding.
const std::vector<std::string_view>& published_mode_names();

DraftPolicy ar_policy(std::uint32_t stages);
DraftPolicy chunk_pp_policy(std::uint32_t stages);
DraftPolicy pruned_pp_policy(std::uint32_t stages);
DraftPolicy pipedec_policy(std::uint32_t stages);
DraftPolicy chain_policy(std::uint32_t stages);
DraftPolicy chain_pp_policy(std::uint32_t stages);
DraftPolicy flowspec_policy(std::uint32_t stages);

/// What all modes but `flowspec` have in common: they work in rounds, so nothing is kept for a root
/// that was not foreseen, and everything that is drafted is sent.
DraftPolicy rounds_policy(const Mode& mode, std::uint32_t stages);

/// Draft forwards of the published trees: the root, then six levels.
constexpr std::uint32_t published_forwards = 7;

}  // namespace flowspec
