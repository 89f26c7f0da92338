#pragma once
/// How far the target model follows the draft tree.

#include <optional>
#include <span>

#include "actors/tree/live_view.hpp"
#include "messages/types.hpp"

namespace flowspec {

/// Walks from the root along the children that have the target's own token, as far as rows have
/// arrived. `next`: the target's token after each row, by slot. Nothing if the root's row has not
/// arrived yet.
std::optional<AcceptedPath> accepted_path(SessionId session, const LiveView& view,
                                          std::span<const Token> next);

}  // namespace flowspec
