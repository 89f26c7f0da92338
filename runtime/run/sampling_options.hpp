#pragma once

#include <string>

namespace CLI {
class App;
}

namespace flowspec {

struct SamplerOptions;

/// Adds --temperature, --top-k, --top-p and --min-p.
/// @param temperature_help  what --help says of the temperature.
void add_sampler_options(CLI::App& app, SamplerOptions& options,
                         const std::string& temperature_help);

/// Adds --coupled.
void add_coupled_option(CLI::App& app, bool& coupled);

}  // namespace flowspec
