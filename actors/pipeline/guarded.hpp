#pragma once
/// What an actor of the pipeline does where a message can't be dealt with.

#include <exception>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <caf/expected.hpp>
#include <spdlog/spdlog.h>

#include "actors/pipeline/sessions_of.hpp"
#include "actors/support/text_error.hpp"
#include "messages/wire.hpp"

namespace flowspec {

/// The content of a message; one that can't be read is dropped with a line in the log. Whoever waits
/// for it has a limit.
template <class T>
std::optional<T> read_or_warn(const Wire<T>& message, std::string_view who) {
  auto content = message.read();
  if (content)
    return std::move(*content);
  spdlog::warn("{}: dropped a message: {}", who, error_text(content.error()));
  return std::nullopt;
}

/// Handles a message. An exception, for lack of memory perhaps, ends the sessions that the message
/// speaks of and no other: `fail` gets them, and the exception's text.
template <class T, class Handle, class Fail>
void guarded(const Wire<T>& message, const Handle& handle, const Fail& fail) {
  try {
    handle();
  } catch (const std::exception& e) {
    if (auto content = message.read())
      fail(sessions_of(*content), std::string(e.what()));
  }
}

}  // namespace flowspec
