#include "actors/support/text_error.hpp"

#include <caf/all.hpp>
#include <fmt/format.h>

namespace flowspec {

namespace {

constexpr auto category = caf::atom("flowspec");

}  // namespace

caf::error text_error(ErrorCode code, std::string text) {
  return {static_cast<std::uint8_t>(code), category, caf::make_message(std::move(text))};
}

std::string error_text(const caf::error& error) {
  const caf::message& context = error.context();
  if (context.match_elements<std::string>() && !context.get_as<std::string>(0).empty())
    return context.get_as<std::string>(0);
  if (error == caf::sec::request_receiver_down ||
      error == caf::exit_reason::remote_link_unreachable)
    return "it was lost, or has ended";
  if (error.category() == caf::atom("system"))
    return caf::to_string(static_cast<caf::sec>(error.code()));
  if (error.category() == caf::atom("exit"))
    return caf::to_string(static_cast<caf::exit_reason>(error.code()));
  return fmt::format("error {}", error.code());
}

ErrorCode error_code(const caf::error& error) {
  auto largest = static_cast<std::uint8_t>(ErrorCode::internal);
  // The error may come from another machine.
  if (error.category() == category && error.code() > 0 && error.code() <= largest)
    return static_cast<ErrorCode>(error.code());
  if (error == caf::sec::request_timeout || error == caf::sec::request_receiver_down ||
      error == caf::exit_reason::remote_link_unreachable)
    return ErrorCode::node_lost;
  return error == caf::sec::invalid_argument ? ErrorCode::protocol : ErrorCode::internal;
}

}  // namespace flowspec
