#pragma once
/// How far the target model follows the draft tree.

#include <functional>
#include <optional>

#include "actors/tree/live_view.hpp"
#include "messages/types.hpp"

namespace flowspec {

/// Walks from the root along the children that have the target's own token, as far as rows have
/// arrived. `next`: the target's token after the row in a slot. Nothing if the root's row has not
/// arrived yet.
std::optional<AcceptedPath> accepted_path(SessionId session, const LiveView& view,
                                          const std::function<Token(Slot)>& next);

}  // namespace flowspec
