#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runtime/http/http_request.hpp"
#include "runtime/http/request_reader.hpp"

namespace flowspec {

/// "Not Found", ...; empty for numbers that HTTP does not know.
std::string_view reason_of(int status);

/// What an answer says of its own length and of the connection.
struct ResponseFraming {
  /// Bytes of the body; nothing: it comes in chunks, or ends with the connection.
  std::optional<std::size_t> length;
  bool is_chunked = false;
  bool keeps_alive = true;
  bool is_http_1_0 = false;
};

/// Status line and fields, up to the empty line. Fields with control characters are left out, and
/// those that frame the answer are not taken from `fields`.
std::string response_head(int status, std::string_view content_type, const HttpFields& fields,
                          const ResponseFraming& framing);

/// One chunk of a body in chunks. Not for an empty one, which would be the end.
std::string chunk_text(std::string_view bytes);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

/// The body of an error, as OpenAI's API has it. `message` must need no escapes.
std::string error_body(const HttpProblem& problem);

}  // namespace flowspec
