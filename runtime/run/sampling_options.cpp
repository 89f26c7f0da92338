#include "runtime/run/sampling_options.hpp"

#include <CLI/CLI.hpp>

#include "models/sampling/filters.hpp"

namespace flowspec {

void add_sampler_options(CLI::App& app, SamplerOptions& options,
                         const std::string& temperature_help) {
  app.add_option("-t,--temperature", options.temperature, temperature_help);
  app.add_option("--top-k", options.top_k, "Choose among the k likeliest (0: all)");
  app.add_option("--top-p", options.top_p,
                 "Choose among the likeliest that together have this probability (1: all)");
  app.add_option("--min-p", options.min_p,
                 "Choose among those at least this many times as likely as the likeliest (0: all)");
}

void add_coupled_option(CLI::App& app, bool& coupled) {
  app.add_option(
         "--coupled", coupled,
         "The draft knows the dice that the model will throw, and learns how far it is off: "
         "on, off (default on); the text is the same")
      ->transform(CLI::IsMember({"on", "off"}));
}

}  // namespace flowspec
