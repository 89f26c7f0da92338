#include "actors/cluster/wire/connection_limits.hpp"

#include <fmt/format.h>

namespace flowspec {

std::optional<std::string> ConnectionLimits::admit(const std::string& address) {
  auto found = by_address_.find(address);
  auto count = found == by_address_.end() ? Count{} : found->second;
  if (all_ >= options_.most)
    return fmt::format("there are {} connections already", all_);
  if (half_open_ >= options_.most_half_open)
    return fmt::format("there are {} connections already that have not greeted", half_open_);
  if (count.all >= options_.most_per_address)
    return fmt::format("there are {} connections from {} already", count.all, address);
  if (count.half_open >= options_.most_half_open_per_address)
    return fmt::format("there are {} connections from {} already that have not greeted",
                       count.half_open, address);
  ++all_;
  ++half_open_;
  auto& entry = by_address_[address];
  ++entry.all;
  ++entry.half_open;
  return std::nullopt;
}

void ConnectionLimits::greeted(const std::string& address) {
  auto found = by_address_.find(address);
  if (found == by_address_.end() || found->second.half_open == 0)
    return;
  --found->second.half_open;
  --half_open_;
}

void ConnectionLimits::left(const std::string& address, bool had_greeted) {
  auto found = by_address_.find(address);
  if (found == by_address_.end())
    return;
  if (!had_greeted)
    greeted(address);
  --all_;
  if (--found->second.all == 0)
    by_address_.erase(found);
}

}  // namespace flowspec
