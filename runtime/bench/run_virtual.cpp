#include <fmt/format.h>

#include "runtime/bench/fault_run.hpp"
#include "runtime/bench/runner.hpp"
#include "runtime/bench/setup.hpp"
#include "runtime/bench/virtual_world.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

BenchRun run_virtual(const BenchCase& what, const std::vector<BenchPrompt>& prompts,
                     const BenchExtras& extras) {
  const auto profile = profile_of(what);
  if (!profile)
    throw RuntimeError("virtual time needs a device profile; name one, such as paper-7b");
  check_faults(what, *profile);
  const Engine engine(spec_of(what, profile));
  VirtualWorld world(engine, what, *profile, {.devices = extras.devices});
  BenchRun run;
  run.what = what;
  run.hidden_type = engine.hidden_type();
  auto zero = world.now();
  std::vector<DecodeWindow> windows;
  std::vector<std::vector<Token>> texts;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    auto request = request_of(engine, what, prompts[i], i);
    auto start = world.now();
    auto report = world.run(std::move(request), fmt::format("prompt {}", i + 1));
    windows.push_back(add_report(report, start, i, run));
    texts.push_back(std::move(report.tokens));
  }
  world.recording().count(windows, run);
  if (extras.trace != nullptr)
    *extras.trace = world.recording().trace(zero);
  if (!what.faults.empty())
    run_faults(engine, *profile, prompts, texts, extras, run);
  if (extras.texts != nullptr)
    *extras.texts = std::move(texts);
  return run;
}

}  // namespace flowspec
