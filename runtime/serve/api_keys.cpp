#include "runtime/serve/api_keys.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/crypto.h>

#include "runtime/console/error.hpp"
#include "runtime/console/read_file.hpp"
#include "runtime/http/http_request.hpp"

namespace flowspec {

namespace {

constexpr std::size_t shortest_key = 8;
constexpr std::size_t most_key_file = std::size_t{1} << 20;

std::string_view trimmed(std::string_view line) {
  auto begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos)
    return {};
  return line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
}

bool is_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

ApiKeys ApiKeys::read(const std::string& file) {
  auto text = read_file(file, "file of API keys", most_key_file);
  std::vector<std::string> keys;
  std::size_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    auto end = std::min(rest.find('\n'), rest.size());
    auto key = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (key.empty() || key.starts_with('#'))
      continue;
    bool is_visible = std::ranges::all_of(key, [](char c) { return c > ' ' && c < 0x7f; });
    if (key.size() < shortest_key || !is_visible)
      throw RuntimeError(
          fmt::format("{}, line {}: a key has at least {} characters, and they are letters, digits "
                      "and signs of ASCII (openssl rand -hex 24 makes one)",
                      file, number, shortest_key));
    keys.emplace_back(key);
  }
  if (keys.empty())
    throw RuntimeError(
        fmt::format("{} has no key. A key is a line; openssl rand -hex 24 makes one", file));
  return ApiKeys(std::move(keys));
}

bool ApiKeys::let_in(std::optional<std::string_view> authorization) const {
  if (keys_.empty())
    return true;
  constexpr std::string_view scheme = "Bearer ";
  if (!authorization || authorization->size() < scheme.size() ||
      !same_field(authorization->substr(0, scheme.size()), scheme))
    return false;
  auto given = trimmed(authorization->substr(scheme.size()));
  bool is_right = false;
  for (const auto& key : keys_)
    is_right = is_equal(key, given) || is_right;
  return is_right;
}

}  // namespace flowspec
