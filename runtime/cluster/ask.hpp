#pragma once

#include <chrono>
#include <optional>

#include <caf/all.hpp>

#include "actors/support/text_error.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// Asks an actor and waits for its answer, a single T. Throws RuntimeError with the actor's error
/// text, or if no answer comes in time. Only for start and end: no actor may wait for another.
template <class T, class Handle, class... Args>
T ask(caf::scoped_actor& self, const Handle& actor, std::chrono::milliseconds limit,
      Args&&... args) {
  std::optional<T> answer;
  std::string error;
  auto code = ErrorCode::internal;
  self->request(actor, limit, std::forward<Args>(args)...)
      .receive([&](T& value) { answer = std::move(value); },
               [&](const caf::error& e) {
                 code = error_code(e);
                 error = e == caf::sec::request_timeout ? "no answer in time" : error_text(e);
               });
  if (!answer)
    throw RuntimeError(code, error);
  return std::move(*answer);
}

}  // namespace flowspec
