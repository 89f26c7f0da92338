#include "actors/pipeline/wiring.hpp"

#include <algorithm>

namespace flowspec {

std::string Wiring::name(std::uint32_t part) const {
  if (part < stages_)
    return "stage " + std::to_string(part);
  return part == verifier() ? "verifier" : part == draft() ? "draft" : "pruner";
}

std::string Wiring::words(std::uint32_t part) const {
  if (part < stages_)
    return name(part);
  return part == pruner() ? "the tree pruner" : "the " + name(part);
}

std::vector<std::uint32_t> Wiring::receivers(std::uint32_t part) const {
  if (part < stages_)
    return {part + 1, pruner(), draft()};
  if (part == verifier())
    return {pruner(), draft()};
  if (part == draft())
    return {0, pruner()};
  std::vector<std::uint32_t> all{draft()};
  for (std::uint32_t hop = 0; hop <= stages_; ++hop)
    all.push_back(hop);
  return all;
}

std::vector<std::uint32_t> Wiring::senders(std::uint32_t part) const {
  std::vector<std::uint32_t> all;
  for (std::uint32_t other = 0; other < parts(); ++other) {
    auto to = receivers(other);
    if (std::ranges::find(to, part) != to.end())
      all.push_back(other);
  }
  return all;
}

}  // namespace flowspec
