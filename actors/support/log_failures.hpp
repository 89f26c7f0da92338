#pragma once

#include <exception>
#include <string>

#include <caf/all.hpp>
#include <spdlog/spdlog.h>

#include "actors/support/text_error.hpp"

namespace flowspec {

/// Logs what CAF would print to standard output, which is reserved for the answer: an exception,
/// which ends the actor with its text as the reason, and messages that the actor has no handler
/// for, which are dropped.
template <class Self>
void log_failures(Self* self) {
  self->set_exception_handler([](caf::scheduled_actor* actor, std::exception_ptr& exception) {
    std::string text = "an unknown exception";
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception& e) {
      text = e.what();
    } catch (...) {
    }
    spdlog::error("{}: {}", actor->name(), text);
    return text_error(ErrorCode::internal, text);
  });
  self->set_default_handler(caf::drop);
  self->set_down_handler([](caf::scheduled_actor*, caf::down_msg&) {});
}

}  // namespace flowspec
