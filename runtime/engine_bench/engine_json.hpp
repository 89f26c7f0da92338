#pragma once
/// Internal to engine_bench/: the header drags the JSON library in.

#include <nlohmann/json.hpp>

#include "runtime/engine_bench/engine_report.hpp"

namespace flowspec {

/// All figures of a report, as `--json` writes them.
nlohmann::ordered_json json_of(const EngineReport& report);

}  // namespace flowspec
