#include "runtime/run/submit.hpp"

#include <optional>

#include <caf/all.hpp>

#include "actors/support/text_error.hpp"
#include "runtime/cluster/ask.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

SessionId submit(caf::scoped_actor& self, const CoordinatorActor& coordinator, Request request) {
  request.client = caf::actor_cast<caf::actor>(self);
  return ask<SessionId>(self, coordinator, std::chrono::seconds(10), submit_a_v,
                        std::move(request));
}

Report receive_report(caf::scoped_actor& self, const Request& request,
                      const std::function<void(TextDelta&)>& on_text) {
  // Sessions report by themselves within these limits; if one does not, the wait still ends.
  auto limit = 2 * request.progress_limit + request.close_limit + std::chrono::seconds(10);
  std::optional<Report> report;
  std::string error;
  while (!report && error.empty())
    self->receive(
        [&](const TextDeltaMessage& message) {
          auto delta = message.read();
          if (delta && on_text)
            on_text(*delta);
        },
        [&](const ReportMessage& message) {
          if (auto content = message.read())
            report = std::move(*content);
          else
            error = error_text(content.error());
        },
        caf::after(limit) >> [&] { error = "the session gives no sign of life"; });
  if (!report)
    throw RuntimeError(ErrorCode::internal, error);
  return std::move(*report);
}

}  // namespace flowspec
