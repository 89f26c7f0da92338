#include <memory>

#include <fmt/format.h>

#include "runtime/bench/fault_run.hpp"
#include "runtime/bench/load_run.hpp"
#include "runtime/bench/runner.hpp"
#include "runtime/bench/setup.hpp"
#include "runtime/bench/virtual_world.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

/// Each load has a pipeline of its own, which knows nothing of those before.
std::vector<std::vector<Token>> run_virtual_loads(const Engine& engine,
                                                  const DeviceProfile& profile,
                                                  const std::vector<BenchPrompt>& prompts,
                                                  const BenchExtras& extras, BenchRun& run) {
  std::unique_ptr<VirtualWorld> world;
  auto carry = [&](Load load, std::size_t round) {
    world = std::make_unique<VirtualWorld>(engine, run.what, profile,
                                           WorldChoices{.devices = extras.devices});
    auto zero = world->now();
    auto log = world->carry(std::move(load));
    if (extras.trace != nullptr && round == 1)
      *extras.trace = world->recording().trace(zero);
    return CarriedLoad{std::move(log), zero, &world->recording()};
  };
  return run_loads(engine, prompts, carry, run);
}

}  // namespace

BenchRun run_virtual(const BenchCase& what, const std::vector<BenchPrompt>& prompts,
                     const BenchExtras& extras) {
  const auto profile = profile_of(what);
  if (!profile)
    throw RuntimeError("virtual time needs a device profile; name one, such as paper-7b");
  check_faults(what, *profile);
  const Engine engine(spec_of(what, profile));
  BenchRun run;
  run.what = what;
  run.hidden_type = engine.hidden_type();
  if (!what.load.at_once.empty()) {
    auto loaded = run_virtual_loads(engine, *profile, prompts, extras, run);
    if (extras.texts != nullptr)
      *extras.texts = std::move(loaded);
    return run;
  }
  VirtualWorld world(engine, what, *profile, {.devices = extras.devices});
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
