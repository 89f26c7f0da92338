#include "actors/tree/accepted_path.hpp"

namespace flowspec {

std::optional<AcceptedPath> accepted_path(SessionId session, const LiveView& view,
                                          std::span<const Token> next) {
  const auto* node = view.find(view.root());
  if (node == nullptr)
    return std::nullopt;
  AcceptedPath walk;
  walk.session = session;
  walk.version = view.version();
  while (node != nullptr) {
    walk.path.push_back({node->id, node->parent, node->token});
    walk.next = next[node->slot];
    node = view.child(node->id, walk.next);
  }
  return walk;
}

}  // namespace flowspec
