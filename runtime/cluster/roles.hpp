#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "messages/setup_types.hpp"

namespace flowspec {

/// Where verifier, draft and tree pruner run, each: "here", "last" (the last stage's node), or a node, by
/// its address or its name; empty: nothing was said.
struct Roles {
  std::string verifier;
  std::string draft;
  std::string pruner;

  bool empty() const { return verifier.empty() && draft.empty() && pruner.empty(); }
  const std::string& of(Part part) const;
};

/// From "draft=NODE,verifier=last". Throws RuntimeError; `where` is for messages.
Roles parse_roles(const std::string& text, const std::string& where = "--place");
/// The same from pairs.
void set_role(Roles& roles, const std::string& role, const std::string& place,
              const std::string& where);

/// The same, with the last stage's node for parts of which nothing was said and whose weights are not on
/// this machine. Throws RuntimeError for one of these that is to be here.
Roles roles_with_weights(Roles roles, bool has_target, bool has_draft);

/// A node by its names.
struct NamedNode {
  std::string address;
  std::string name;
};

/// By part: the number of its node, or nothing for here. Throws RuntimeError for a place that is none of
/// the nodes, or that is the name of two.
/// @param last   the last stage's node.
/// @param other  where the parts go that nothing was said of.
std::array<std::optional<std::size_t>, 3> place_roles(const Roles& roles,
                                                      const std::vector<NamedNode>& nodes,
                                                      std::size_t last, const std::string& other);

}  // namespace flowspec
