#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/verify/verify_options.hpp"

namespace flowspec {

/// One line of the table: a pipeline that has to write what plain decoding writes.
struct VerifyCase {
  std::string mode;
  /// As for `flowspec generate`.
  std::string draft;
  std::uint32_t stages = 1;
  friend bool operator==(const VerifyCase&, const VerifyCase&) = default;
};

/// Numbers of stages to try. The default is 1, 2, 4, 7 and the number of nodes, without those for
/// which the model has too few layers. Throws RuntimeError if an explicit number does not fit.
std::vector<std::uint32_t> verify_stages(const VerifyOptions& options, std::uint32_t layers,
                                         std::size_t nodes);

/// Every combination, by stages, then mode, then draft. Plain decoding in a pipeline (`ar`) has no
/// draft and comes once per number of stages.
std::vector<VerifyCase> plan_verify(const std::vector<std::string>& modes,
                                    const std::vector<std::string>& drafts,
                                    const std::vector<std::uint32_t>& stages);

}  // namespace flowspec
