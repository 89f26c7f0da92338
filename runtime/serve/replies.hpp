#pragma once

#include <string>

#include "runtime/http/http_reply.hpp"
#include "runtime/openai/api_error.hpp"
#include "runtime/openai/metrics.hpp"

namespace flowspec {

inline constexpr const char* json_type = "application/json";

/// Answers, and counts the answer.
void respond(HttpReply& reply, openai::Metrics& metrics, int status, const char* type,
             std::string body, const HttpFields& fields = {});
void refuse(HttpReply& reply, openai::Metrics& metrics, const openai::ApiError& error);

}  // namespace flowspec
