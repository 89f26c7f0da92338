#pragma once
/// How an actor of the pipeline handles a message that it cannot process.

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

/// The content of a message. One that cannot be read is logged and dropped; whoever waits for it
/// has a time limit.
template <class T>
std::optional<T> read_or_warn(const Wire<T>& message, std::string_view who) {
  auto content = message.read();
  if (content)
    return std::move(*content);
  spdlog::warn("{}: dropped a message: {}", who, error_text(content.error()));
  return std::nullopt;
}

/// Handles a message. An exception (out of memory, for example) ends the sessions of this message
/// and no other: `fail` gets these sessions and the text of the exception.
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
