#pragma once

#include <string>

#include "runtime/commands/plan_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// The command `flowspec plan`: which node would compute what, and how fast. Throws RuntimeError and
/// ModelError.
ExitCode show_plan(PlanOptions options);

}  // namespace flowspec
