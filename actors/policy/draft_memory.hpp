#pragma once

#include <functional>
#include <optional>

#include "actors/policy/calibration.hpp"
#include "actors/policy/controller.hpp"

namespace flowspec {

/// What runs tell each other of a pair of models and of the machines that compute them.
struct DraftMemory {
  /// Of an earlier run with the same models.
  std::optional<Calibration::Scales> scales;
  /// Of an earlier run with the same models on the same machines.
  std::optional<Controller::Learnt> speeds;
  /// Called on the draft's thread when a session has ended; may be empty.
  std::function<void(const Calibration::Scales&, const std::optional<Controller::Learnt>&)> keep;
};

}  // namespace flowspec
