#include "runtime/verify/verify_plan.hpp"

#include <set>

#include <fmt/format.h>

#include "runtime/console/error.hpp"

namespace flowspec {

std::vector<std::uint32_t> verify_stages(const VerifyOptions& options, std::uint32_t layers,
                                         std::size_t nodes) {
  for (std::uint32_t count : options.stages)
    if (count > layers)
      throw RuntimeError(
          fmt::format("--stages asks for {} stages, but the model has {} layers, and every stage "
                      "needs one",
                      count, layers));
  if (!options.stages.empty())
    return options.stages;
  std::set<std::uint32_t> counts{1, 2, 4, 7};
  if (nodes > 0)
    counts.insert(static_cast<std::uint32_t>(nodes));
  counts.erase(counts.upper_bound(layers), counts.end());
  return {counts.begin(), counts.end()};
}

std::vector<VerifyCase> plan_verify(const std::vector<std::string>& modes,
                                    const std::vector<std::string>& drafts,
                                    const std::vector<std::uint32_t>& stages) {
  std::vector<VerifyCase> cases;
  for (std::uint32_t count : stages)
    for (const std::string& mode : modes) {
      if (mode == "ar") {
        cases.push_back({mode, "none", count});
        continue;
      }
      for (const std::string& draft : drafts)
        cases.push_back({mode, draft, count});
    }
  return cases;
}

}  // namespace flowspec
