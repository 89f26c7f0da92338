#include "runtime/bench/fault.hpp"

#include <charconv>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

/// A day: far more than any text takes.
constexpr double latest_s = 86400;

template <class Number>
bool read_number(std::string_view& text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{})
    return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool skip(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word))
    return false;
  text.remove_prefix(word.size());
  return true;
}

/// "5s", "1500ms"; none for anything else.
std::optional<std::chrono::microseconds> read_time(std::string_view text) {
  double number = 0;
  if (!read_number(text, number))
    return std::nullopt;
  if (text == "ms")
    number /= 1000;
  else if (text != "s")
    return std::nullopt;
  // Also false for what is no number.
  if (!(number >= 0 && number <= latest_s) || std::signbit(number))
    return std::nullopt;
  return std::chrono::round<std::chrono::microseconds>(std::chrono::duration<double>(number));
}

}  // namespace

BenchFault parse_fault(const std::string& text) {
  std::string_view rest = text;
  BenchFault fault;
  if (skip(rest, "kill:stage") && read_number(rest, fault.stage) && skip(rest, "@"))
    if (auto after = read_time(rest)) {
      fault.after = *after;
      return fault;
    }
  throw RuntimeError(fmt::format(
      "--fault {}: has to be like kill:stage2@5s or kill:stage0@1500ms: the stage's "
      "number, and how long after a text's first token its device is lost, at most {} s",
      text, latest_s));
}

std::string text_of(std::span<const BenchFault> faults) {
  std::string text;
  for (const BenchFault& fault : faults) {
    auto us = fault.after.count();
    text += fmt::format("{}kill:stage{}@{}", text.empty() ? "" : ",", fault.stage,
                        us % 1000000 == 0 ? fmt::format("{}s", us / 1000000)
                                          : fmt::format("{}ms", static_cast<double>(us) / 1000));
  }
  return text;
}

const char* name_of(FaultWay way) {
  switch (way) {
    case FaultWay::replay:
      return "replay";
    case FaultWay::without_log:
      return "without the log";
    case FaultWay::full_read:
      break;
  }
  return "full re-read";
}

}  // namespace flowspec
