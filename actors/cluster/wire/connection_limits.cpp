#include "actors/cluster/wire/connection_limits.hpp"

#include <fmt/format.h>

namespace flowspec {

ConnectionLimits::Count ConnectionLimits::count_of(const std::string& address) const {
  auto found = by_address_.find(address);
  return found == by_address_.end() ? Count{} : found->second;
}

std::optional<std::string> ConnectionLimits::refusal(const std::string& address) const {
  if (all_ - half_open_ >= options_.most)
    return fmt::format("there are {} connections already", all_ - half_open_);
  auto count = count_of(address);
  if (count.all - count.half_open >= options_.most_per_address)
    return fmt::format("there are {} connections from {} already", count.all - count.half_open,
                       address);
  return std::nullopt;
}

bool ConnectionLimits::is_crowded(const std::string& address) const {
  return count_of(address).half_open >= options_.most_half_open_per_address;
}

void ConnectionLimits::came(const std::string& address) {
  ++all_;
  ++half_open_;
  auto& entry = by_address_[address];
  ++entry.all;
  ++entry.half_open;
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
