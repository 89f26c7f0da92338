#pragma once

#include <string>
#include <vector>

#include "runtime/cluster/forecast.hpp"

namespace flowspec {

/// A plan, with what it was made of.
struct PlanReport {
  std::string model;
  std::string mode;
  /// Tokens of a session.
  std::uint32_t context = 0;
  std::vector<PlanCandidate> nodes;
  PlanRequest request;
  Plan plan;
};

/// Tables for people, in lines of 80 columns: nodes, links, stages, what was left out.
std::string plan_table(const PlanReport& report);
/// One JSON object.
std::string plan_json(const PlanReport& report);
/// The same where there is no plan.
std::string plan_json_error(const std::string& error);

}  // namespace flowspec
