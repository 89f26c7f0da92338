#include "runtime/verify/verify.hpp"

#include <cstdio>
#include <cstdlib>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "runtime/bench/output_file.hpp"
#include "runtime/signals.hpp"
#include "runtime/system_config.hpp"
#include "runtime/verify/verification.hpp"

namespace flowspec {

namespace {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

ExitCode run(caf::actor_system& system, const VerifyOptions& options, Verification& verification,
             const OutputFile& json) {
  const Tokenizer& tokenizer = verification.model().tokenizer;
  auto text = [&](Token token) { return tokenizer.text(token); };
  auto temperature = options.sampling.temperature;
  auto on_run = [&](const VerifyRun& done, const VerifyReport& report) {
    if (!options.quiet || !done.passed())
      print(verify_line(done) + verify_findings(done, report, text));
  };
  if (!options.quiet)
    print(verify_header(temperature));
  auto report = verification.run(system, verification.model(), on_run);
  for (const VerifyFit& fit : report.fits)
    if (!options.quiet || !fit.passed())
      print(verify_line(fit, temperature));
  if (!options.quiet)
    print(verify_result(report));
  if (json.is_wanted())
    json.write(verify_json(report));
  return report.passed() ? ExitCode::ok : ExitCode::failed;
}

ExitCode tell(ExitCode code, const char* error) {
  fmt::print(stderr, "flowspec: {}\n", error);
  return code;
}

}  // namespace

ExitCode verify(const VerifyOptions& options) {
  auto code = ExitCode::ok;
  try {
    Signals signals([](int) { std::_Exit(static_cast<int>(ExitCode::cancelled)); });
    check_tls(options.network.tls);
    const OutputFile json("--json", options.json_file);
    Verification verification(options);
    SystemConfig config;
    if (!options.nodes.empty() || !options.cluster_file.empty())
      config.enable_network(options.network);
    std::optional<ExitLimit> exit_limit;  // outlives the system
    caf::actor_system system(config);
    try {
      code = run(system, options, verification, json);
    } catch (const RuntimeError& e) {
      code = tell(e.code(), e.what());
    }
    exit_limit.emplace(3, static_cast<int>(code));
  } catch (const RuntimeError& e) {
    code = tell(e.code(), e.what());
  } catch (const std::exception& e) {
    code = tell(ExitCode::usage, e.what());
  }
  return code;
}

}  // namespace flowspec
