#pragma once

#include <cstddef>
#include <string>

namespace CLI {
class App;
}

namespace flowspec {

struct SamplerOptions;

/// Adds --temperature, --top-k, --top-p, --min-p, the penalties and --logit-bias.
/// @param temperature_help  what --help says of the temperature.
void add_sampler_options(CLI::App& app, SamplerOptions& options,
                         const std::string& temperature_help);

/// Adds --logprobs.
void add_logprobs_option(CLI::App& app, SamplerOptions& options);

/// Throws RuntimeError for options that make no sense.
/// @param vocab_size  of the model; 0: not known yet.
void check(const SamplerOptions& options, std::size_t vocab_size = 0);

/// Adds --coupled.
void add_coupled_option(CLI::App& app, bool& coupled);

}  // namespace flowspec
