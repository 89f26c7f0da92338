#pragma once

#include <cstdint>
#include <string_view>

namespace flowspec {

/// Kinds of errors, across the whole system. The text of an error says the cause and the remedy;
/// what is done about it (an exit code, another try) is decided by the code, never by the text.
enum class ErrorCode : std::uint8_t {
  /// Wrong options, a prompt that leaves no room for an answer, a request that makes no sense.
  bad_request = 1,
  /// A model file that is missing, damaged or not supported.
  model,
  /// A machine lacks memory, KV, stages, a model or CPU instructions.
  does_not_fit,
  /// A node, or a part of the pipeline, has gone or does not answer.
  node_lost,
  /// A peer breaks the protocol.
  protocol,
  /// The client does not want it any more.
  cancelled,
  /// Everything else.
  internal,
  /// Too many others wait already: ask later.
  busy,
};

/// "bad request", "does not fit", ...
constexpr std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_request:
      return "bad request";
    case ErrorCode::model:
      return "model";
    case ErrorCode::does_not_fit:
      return "does not fit";
    case ErrorCode::node_lost:
      return "node lost";
    case ErrorCode::protocol:
      return "protocol";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::internal:
      break;
  }
  return "internal";
}

}  // namespace flowspec
