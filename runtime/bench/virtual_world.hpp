#pragma once
/// A pipeline on emulated devices, and its virtual clock. Everything runs on the calling thread.

#include <cstdint>
#include <functional>
#include <memory>

#include "actors/emulation/timing.hpp"
#include "actors/pipeline/request.hpp"
#include "messages/types.hpp"
#include "runtime/bench/bench_run.hpp"
#include "runtime/bench/load_client.hpp"
#include "runtime/bench/recording.hpp"
#include "runtime/cluster/profile.hpp"
#include "runtime/run/engine.hpp"

namespace flowspec {

struct EmulationConfig;

struct WorldChoices {
  /// Changes the emulated devices; empty: they are as the profile says.
  std::function<void(EmulationConfig&)> devices = {};
  /// Devices that have no stage, and can take any.
  std::uint32_t spares = 0;
  /// Lost stages are made again. Else the run ends with the first one.
  bool recovers = true;
  /// Stages keep what they have sent, see StageSpec.
  bool keeps_output = true;
};

/// Stages are made by homes, see actors/emulation/home.hpp, and made again by the coordinator, as on nodes.
class VirtualWorld {
 public:
  /// All arguments have to outlive it. Throws RuntimeError and ModelError.
  VirtualWorld(const Engine& engine, const BenchCase& what, const DeviceProfile& profile,
               WorldChoices choices);
  ~VirtualWorld();
  VirtualWorld(const VirtualWorld&) = delete;
  VirtualWorld& operator=(const VirtualWorld&) = delete;

  EmulationTime now() const;
  const Recording& recording() const;

  /// Runs one session to its end, also a failed one. Its limits and client are set here. Throws
  /// RuntimeError if it comes to no end; `name` says which it is.
  Report run(Request request, const std::string& name);

  /// Runs many sessions to their ends. Throws RuntimeError as run() does, and if one of them fails.
  LoadLog carry(Load load);

  /// Does something at that moment. What it throws ends the call that runs the world.
  void at(EmulationTime time, std::function<void()> act);
  /// The device that has the stage is lost, which is noticed at once: as soon as word of it can have
  /// travelled over the link. Throws RuntimeError if the stage is lost already.
  void lose(std::uint32_t stage);
  /// For a run that has ended with a stage: waits for what the other devices compute, makes all stages
  /// again, and loads them.
  void make_again();

 private:
  struct System;
  std::unique_ptr<System> system_;
};

}  // namespace flowspec
