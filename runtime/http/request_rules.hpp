#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/http/http_request.hpp"
#include "runtime/http/request_reader.hpp"

namespace flowspec {

/// "localhost", "127.0.0.1", "::1", and what else means this machine: a host without port and brackets.
bool is_loopback_name(std::string_view host);

/// A Host field, or the part of a URL between "//" and the next "/": the host in lower case, without
/// brackets and a dot at its end, and the port as written (empty: none). Nothing if it is malformed.
struct HostAndPort {
  std::string host;
  std::string port;
};
std::optional<HostAndPort> parse_host(std::string_view text);

/// Who may ask, beyond HTTP's own rules.
struct HttpRules {
  /// Only names of this machine and `allowed_hosts`, and no pages of other origins.
  bool is_local = false;
  std::vector<std::string> allowed_hosts;
  std::vector<std::string> allowed_origins;
};

/// Splits the target, which `request.path` holds, into path and query (an absolute URL's host goes
/// before that of the field Host), and looks whether the request keeps the rules. Nothing: it does.
std::optional<HttpProblem> check_request(HttpRequest& request, const HttpRules& rules);

/// Whether pages of the request's origin may read answers, by `allowed_origins`.
bool is_allowed_origin(const HttpRequest& request, const HttpRules& rules);
/// Whether a browser asks what a page of another origin may do.
bool is_preflight(const HttpRequest& request);
/// The fields that tell a browser so; none if it may do nothing.
HttpFields cors_fields(const HttpRequest& request, const HttpRules& rules);

}  // namespace flowspec
