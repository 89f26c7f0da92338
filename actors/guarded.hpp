#pragma once
/// What an actor of the pipeline does where a message can't be dealt with.

#include <exception>
#include <set>
#include <string>

#include "actors/sessions_of.hpp"
#include "messages/wire.hpp"

namespace flowspec {

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
