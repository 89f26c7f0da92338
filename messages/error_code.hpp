#pragma once

#include <cstdint>
#include <string_view>

namespace flowspec {

/// What can go wrong, across the system. Texts beside it say the cause and the remedy; what is to
/// be done about it (an exit code, another try) is decided by the code, never by the text.
enum class ErrorCode : std::uint8_t {
  /// Wrong options, a prompt that leaves no room, what makes no sense.
  bad_request = 1,
  /// A file of a model that is missing, damaged or not supported.
  model,
  /// Memory, KV, stages, a model or instructions that a machine does not have.
  does_not_fit,
  /// A node, or a part of the pipeline, that was there is not any more, or does not answer.
  node_lost,
  /// A peer that speaks otherwise than was agreed.
  protocol,
  /// Whoever asked does not want it any more.
  cancelled,
  /// All else.
  internal,
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
    case ErrorCode::internal:
      break;
  }
  return "internal";
}

}  // namespace flowspec
