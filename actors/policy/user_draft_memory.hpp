#pragma once

#include <string>

#include "actors/policy/draft_memory.hpp"

namespace flowspec {

/// What was learnt of this draft with this model, and of these places, in the user's cache folder.
/// @param pair   names both models, by their content.
/// @param place  says where the layers are computed, and how.
DraftMemory user_draft_memory(const std::string& pair, const std::string& place);

}  // namespace flowspec
