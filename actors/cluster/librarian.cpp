#include "actors/cluster/librarian.hpp"

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/cluster/node.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

LibrarianActor::behavior_type librarian(LibrarianActor::pointer self, std::shared_ptr<Node> node) {
  log_failures(self);
  return {
      [node](model_a, const std::string& name) -> caf::result<ModelCardMessage> {
        return text_error(ErrorCode::does_not_fit,
                          fmt::format("node {}: no card of {}", node->options().name, name));
      },
      [node](piece_a, const std::string&, const std::string& file,
             std::uint64_t) -> caf::result<FilePieceMessage> {
        return text_error(ErrorCode::does_not_fit,
                          fmt::format("node {}: no piece of {}", node->options().name, file));
      },
  };
}

}  // namespace

LibrarianActor spawn_librarian(caf::actor_system& system, std::shared_ptr<Node> node) {
  return system.spawn<caf::detached>(librarian, std::move(node));
}

}  // namespace flowspec
