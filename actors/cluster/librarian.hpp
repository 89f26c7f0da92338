#pragma once
/// What a node tells of its models to those who have none: all but the weights. Runs on a thread of its
/// own, since it reads disks.

#include <memory>

#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

class Node;

using LibrarianActor = caf::typed_actor<
    // As NodeAgentActor is asked to.
    replies_to<model_a, std::string>::with<ModelCardMessage>,
    replies_to<piece_a, std::string, std::string, std::uint64_t>::with<FilePieceMessage>>;

/// Errors name the node.
LibrarianActor spawn_librarian(caf::actor_system& system, std::shared_ptr<Node> node);

}  // namespace flowspec
