#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flowspec {

/// Who may use the server: `Authorization: Bearer KEY`.
class ApiKeys {
 public:
  /// Everybody.
  ApiKeys() = default;
  /// One of these.
  explicit ApiKeys(std::vector<std::string> keys) : keys_(std::move(keys)) {}
  /// A key a line; empty lines and those that begin with # are left out. Throws RuntimeError if there is
  /// none, or if one is too short or has other characters than a header may have.
  static ApiKeys read(const std::string& file);

  bool are_needed() const { return !keys_.empty(); }
  /// Takes as long for every wrong key of one length.
  bool let_in(std::optional<std::string_view> authorization) const;

 private:
  std::vector<std::string> keys_;
};

}  // namespace flowspec
