#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flowspec {

/// Names and values of header fields, in their order. Names may occur more than once.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

/// Whether two names of fields are the same: case does not count.
bool same_field(std::string_view a, std::string_view b);

/// What a client asks.
struct HttpRequest {
  /// In upper case, as sent: "GET", "POST", ...
  std::string method;
  /// Begins with "/", as sent: escapes (%20) stay. "*" for `OPTIONS *`.
  std::string path;
  /// What comes after "?", as sent; empty without one.
  std::string query;
  /// Fields of the head. (Those after a body in chunks are left out.)
  HttpFields fields;
  std::string body;
  /// The address of the client, without its port.
  std::string peer;

  /// The first field of this name; nothing if there is none.
  std::optional<std::string_view> field(std::string_view name) const;
};

/// A whole answer.
struct HttpAnswer {
  int status = 200;
  std::string content_type;
  std::string body;
  HttpFields fields;
};

}  // namespace flowspec
