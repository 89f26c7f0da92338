#include "actors/tree/accepted_path.hpp"

namespace flowspec {

std::optional<AcceptedPath> accepted_path(SessionId session, const LiveView& view,
                                          const std::function<Token(Slot)>& next) {
  const auto* node = view.find(view.root());
  if (node == nullptr)
    return std::nullopt;
  AcceptedPath accepted;
  accepted.session = session;
  accepted.version = view.version();
  while (node != nullptr) {
    accepted.path.push_back({node->id, node->parent, node->token});
    accepted.next = next(node->slot);
    node = view.child(node->id, accepted.next);
  }
  return accepted;
}

}  // namespace flowspec
