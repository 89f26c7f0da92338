#pragma once
/// Sends requests to the pipeline of a run, and waits for their reports.

#include <functional>
#include <string>

#include <caf/fwd.hpp>

#include "actors/cluster/coordinator.hpp"
#include "actors/pipeline/request.hpp"

namespace flowspec {

/// Starts a session with `self` as its client. Returns its number. Throws RuntimeError.
SessionId submit(caf::scoped_actor& self, const CoordinatorActor& coordinator, Request request);

/// Waits for the next report of a session whose client is `self`. Throws RuntimeError if nothing
/// arrives for longer than sessions with the limits of `request` may be silent.
/// @param on_text  gets the text of any such session as it arrives, and may take it.
Report receive_report(caf::scoped_actor& self, const Request& request,
                      const std::function<void(TextDelta&)>& on_text = {});

}  // namespace flowspec
