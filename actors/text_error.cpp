#include "actors/text_error.hpp"

#include <caf/all.hpp>
#include <fmt/format.h>

namespace flowspec {

caf::error text_error(std::string text) {
  return caf::make_error(caf::sec::runtime_error, std::move(text));
}

std::string error_text(const caf::error& error) {
  const caf::message& context = error.context();
  if (context.match_elements<std::string>() && !context.get_as<std::string>(0).empty())
    return context.get_as<std::string>(0);
  if (error.category() == caf::atom("system"))
    return caf::to_string(static_cast<caf::sec>(error.code()));
  if (error.category() == caf::atom("exit"))
    return caf::to_string(static_cast<caf::exit_reason>(error.code()));
  return fmt::format("error {}", error.code());
}

}  // namespace flowspec
