#include "runtime/serve/replies.hpp"

#include <utility>

namespace flowspec {

void respond(HttpReply& reply, openai::Metrics& metrics, int status, const char* type,
             std::string body, const HttpFields& fields) {
  metrics.http_answered(status);
  auto all = fields;
  all.emplace_back("Cache-Control", "no-store");
  reply.respond(status, type, std::move(body), all);
}

void refuse(HttpReply& reply, openai::Metrics& metrics, const openai::ApiError& error) {
  HttpFields fields;
  if (error.retry_after_s)
    fields.emplace_back("Retry-After", std::to_string(*error.retry_after_s));
  if (error.status == 401)
    fields.emplace_back("WWW-Authenticate", "Bearer");
  respond(reply, metrics, error.status, json_type, openai::error_body(error), fields);
}

}  // namespace flowspec
