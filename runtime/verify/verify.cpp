#include "runtime/verify/verify.hpp"

#include <optional>

#include <caf/all.hpp>

#include "runtime/bench/output_file.hpp"
#include "runtime/cluster/tls.hpp"
#include "runtime/console/failure.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/signals.hpp"
#include "runtime/membership/network.hpp"
#include "runtime/run/with_actors.hpp"
#include "runtime/verify/verification.hpp"

namespace flowspec {

namespace {

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

}  // namespace

ExitCode verify(const VerifyOptions& options) {
  try {
    Signals signals([](int) { leave(ExitCode::cancelled); });
    check_tls(options.network);
    const OutputFile json("--json", options.json_file);
    Verification verification(options);
    auto network = network_for(options.network, verification.cluster().nodes);
    return with_actors(verification.cluster(), network, [&](caf::actor_system& system) {
      try {
        return run(system, options, verification, json);
      } catch (const std::exception&) {
        return tell_failure();
      }
    });
  } catch (const std::exception&) {
    return tell_failure();
  }
}

}  // namespace flowspec
