#pragma once
/// Requests to the pipeline of a run, and the wait for what comes of them.

#include <functional>
#include <string>

#include <caf/fwd.hpp>

#include "actors/cluster/coordinator.hpp"
#include "actors/pipeline/request.hpp"

namespace flowspec {

/// Starts a session of which `self` is the client. Gives its number. Throws RuntimeError.
SessionId submit(caf::scoped_actor& self, const CoordinatorActor& coordinator, Request request);

/// Waits for the next report of a session that `self` is the client of. Throws RuntimeError where
/// nothing comes for longer than sessions with the limits of `request` may be silent.
/// @param on_text  gets the text as it comes, of whatever session.
Report receive_report(caf::scoped_actor& self, const Request& request,
                      const std::function<void(const std::string&)>& on_text = {});

}  // namespace flowspec
