#include "runtime/http/http_request.hpp"

#include <algorithm>

namespace flowspec {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool same_field(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string_view> HttpRequest::field(std::string_view name) const {
  auto found = std::ranges::find_if(
      fields, [name](const auto& field) { return same_field(field.first, name); });
  if (found == fields.end())
    return std::nullopt;
  return found->second;
}

}  // namespace flowspec
