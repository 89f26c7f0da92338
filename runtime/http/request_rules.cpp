#include "runtime/http/request_rules.hpp"

#include <algorithm>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace flowspec {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return result;
}

bool is_digits(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Names, and IPv4 addresses. (Underscores are in no domain name, but in names of containers.)
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 &&
         std::ranges::all_of(
             text,
             [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                      c == '_';
             });
}

bool has(const std::vector<std::string>& list, std::string_view item) {
  return std::ranges::any_of(
      list, [item](const std::string& one) { return one == "*" || same_field(one, item); });
}

/// Splits an absolute URL. False if it is none of http or https.
bool split_url(std::string_view url, std::string_view& authority, std::string_view& rest) {
  auto scheme = url.find("://");
  if (scheme == std::string_view::npos ||
      !(same_field(url.substr(0, scheme), "http") || same_field(url.substr(0, scheme), "https")))
    return false;
  url.remove_prefix(scheme + 3);
  auto end = std::min(url.find_first_of("/?"), url.size());
  authority = url.substr(0, end);
  rest = url.substr(end);
  return true;
}

/// Whether the page that sends the request is one of this server's own.
bool is_own_origin(std::string_view origin, std::string_view host) {
  std::string_view authority;
  std::string_view rest;
  return split_url(origin, authority, rest) && rest.empty() && same_field(authority, host);
}

std::optional<HttpProblem> split_target(HttpRequest& request, std::string& host) {
  std::string target;
  target.swap(request.path);
  std::string_view rest = target;
  if (target == "*" && request.method == "OPTIONS") {
    request.path = "*";
    return std::nullopt;
  }
  if (!target.starts_with('/')) {
    std::string_view authority;
    if (!split_url(target, authority, rest))
      return HttpProblem{400, "the target of the request has to begin with a slash"};
    host = authority;
  }
  // Clients leave a fragment out; who does not is not helped with guessing.
  rest = rest.substr(0, rest.find('#'));
  auto mark = rest.find('?');
  request.path = rest.substr(0, mark);
  if (mark != std::string_view::npos)
    request.query = rest.substr(mark + 1);
  if (request.path.empty())
    request.path = "/";
  return std::nullopt;
}

}  // namespace

bool is_loopback_name(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost"))
    return true;
  std::string text(host);
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1)
    return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::optional<HostAndPort> parse_host(std::string_view text) {
  HostAndPort result;
  std::string all = lower(text);
  std::string_view rest = all;
  if (rest.starts_with('[')) {
    auto end = rest.find(']');
    if (end == std::string_view::npos)
      return std::nullopt;
    result.host = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    in6_addr address{};
    if (::inet_pton(AF_INET6, result.host.c_str(), &address) != 1)
      return std::nullopt;
  } else {
    auto end = std::min(rest.find(':'), rest.size());
    result.host = rest.substr(0, end);
    rest.remove_prefix(end);
    if (result.host.ends_with('.'))
      result.host.pop_back();
    if (!is_name(result.host))
      return std::nullopt;
  }
  if (rest.starts_with(':'))
    result.port = rest.substr(1);
  else if (!rest.empty())
    return std::nullopt;
  if (!is_digits(result.port) || result.port.size() > 5)
    return std::nullopt;
  return result;
}

std::optional<HttpProblem> check_request(HttpRequest& request, const HttpRules& rules) {
  std::string host(request.field("Host").value_or(""));
  if (auto problem = split_target(request, host))
    return problem;
  auto parsed = parse_host(host);
  // HTTP/1.0 knows no Host; an empty one is allowed where a target has no authority.
  if (!parsed && !host.empty())
    return HttpProblem{400, "the field Host names no host"};
  if (!rules.is_local)
    return std::nullopt;
  if (parsed && !is_loopback_name(parsed->host) && !has(rules.allowed_hosts, parsed->host))
    return HttpProblem{403,
                       "this server answers only to the names of this machine (localhost, "
                       "127.0.0.1); its configuration may allow others"};
  auto origin = request.field("Origin");
  bool is_reading = request.method == "GET" || request.method == "HEAD";
  if (origin && !is_reading && !is_own_origin(*origin, host) && !is_allowed_origin(request, rules))
    return HttpProblem{403,
                       "pages of other origins may not use this server; its configuration may "
                       "allow some"};
  return std::nullopt;
}

bool is_allowed_origin(const HttpRequest& request, const HttpRules& rules) {
  auto origin = request.field("Origin");
  return origin && has(rules.allowed_origins, *origin);
}

bool is_preflight(const HttpRequest& request) {
  return request.method == "OPTIONS" && request.field("Origin") &&
         request.field("Access-Control-Request-Method");
}

HttpFields cors_fields(const HttpRequest& request, const HttpRules& rules) {
  if (!is_allowed_origin(request, rules))
    return {};
  HttpFields fields{{"Access-Control-Allow-Origin", std::string(*request.field("Origin"))},
                    {"Vary", "Origin"}};
  if (!is_preflight(request))
    return fields;
  fields.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS");
  // Not "*", which leaves Authorization out.
  fields.emplace_back(
      "Access-Control-Allow-Headers",
      std::string(
          request.field("Access-Control-Request-Headers").value_or("Authorization, Content-Type")));
  fields.emplace_back("Access-Control-Max-Age", "600");
  return fields;
}

}  // namespace flowspec
