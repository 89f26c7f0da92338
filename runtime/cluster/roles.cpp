#include "runtime/cluster/roles.hpp"

#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/console/error.hpp"

namespace flowspec {

const std::string& Roles::of(Part part) const {
  return part == Part::verifier ? verifier : part == Part::draft ? draft : pruner;
}

void set_role(Roles& roles, const std::string& role, const std::string& place,
              const std::string& where) {
  auto* found = role == "verifier" ? &roles.verifier
                : role == "draft"  ? &roles.draft
                : role == "pruner" ? &roles.pruner
                                   : nullptr;
  if (found == nullptr)
    throw RuntimeError(fmt::format(
        "{}: \"{}\" is none of verifier, draft, and pruner (stages are placed by --split, or by a "
        "cluster file's layers)",
        where, role));
  if (place.empty())
    throw RuntimeError(
        fmt::format("{}: where is the {} to be? Say here, last, or a node", where, role));
  if (!found->empty())
    throw RuntimeError(fmt::format("{} places the {} twice", where, role));
  *found = place;
}

Roles parse_roles(const std::string& text, const std::string& where) {
  Roles roles;
  std::istringstream in(text);
  for (std::string entry; std::getline(in, entry, ',');) {
    auto equals = entry.find('=');
    if (equals == std::string::npos)
      throw RuntimeError(fmt::format("{}: \"{}\" is not of the form draft=NODE", where, entry));
    set_role(roles, entry.substr(0, equals), entry.substr(equals + 1), where);
  }
  if (roles.empty())
    throw RuntimeError(
        fmt::format("{} names nothing: write for example draft=NODE,verifier=last", where));
  return roles;
}

Roles roles_with_weights(Roles roles, bool has_target, bool has_draft) {
  auto fill = [](std::string& place, const char* part) {
    if (place.empty())
      place = "last";
    if (place == "here")
      throw RuntimeError(
          fmt::format("--place {0}=here: the {0} needs weights that are not on this machine. Say "
                      "last, or a node, or copy the model here",
                      part));
  };
  if (!has_target) {
    fill(roles.verifier, "verifier");
    // One trip less for every verdict.
    if (roles.pruner.empty())
      roles.pruner = "last";
  }
  if (!has_draft)
    fill(roles.draft, "draft");
  return roles;
}

std::array<std::optional<std::size_t>, 3> place_roles(const Roles& roles,
                                                      const std::vector<NamedNode>& nodes,
                                                      std::size_t last, const std::string& other) {
  std::array<std::optional<std::size_t>, 3> places;
  for (auto part : {Part::verifier, Part::draft, Part::pruner}) {
    const auto& place = roles.of(part).empty() ? other : roles.of(part);
    auto& found = places.at(static_cast<std::size_t>(part));
    if (place == "here")
      continue;
    if (place == "last") {
      found = last;
      continue;
    }
    std::vector<std::string> known;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      known.push_back(fmt::format("{} ({})", nodes[i].name, nodes[i].address));
      if (place != nodes[i].address && place != nodes[i].name)
        continue;
      if (found)
        throw RuntimeError(
            fmt::format("--place: two nodes have the name {}: give the address", place));
      found = i;
    }
    if (!found)
      throw RuntimeError(
          fmt::format("--place: {} is none of the nodes: {}", place, fmt::join(known, ", ")));
  }
  return places;
}

}  // namespace flowspec
