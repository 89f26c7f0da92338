#include "runtime/membership/network.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "runtime/console/error.hpp"
#include "runtime/console/output.hpp"
#include "runtime/membership/membership.hpp"

namespace flowspec {

namespace {

bool is_of_this_machine(const Address& address) {
  auto resolved = resolve(address.host, address.port);
  // What cannot be found is told by whoever connects.
  return !resolved.addresses.empty() &&
         std::ranges::all_of(resolved.addresses, &HostAddress::is_loopback);
}

/// Nothing if there is none, or this user has no place for one.
std::optional<Membership> membership_of_user() {
  try {
    Membership membership;
    if (membership.exists())
      return membership;
  } catch (const RuntimeError&) {
    return std::nullopt;
  }
  return std::nullopt;
}

void check_validity(const CertificateFacts& own, bool is_owner, Seconds now) {
  if (own.validity.until > now + renewal_time)
    return;
  auto remedy = is_owner ? std::string("say `flowspec cluster renew`")
                         : fmt::format(
                               "say `flowspec cluster invite --renew {}` on the machine that "
                               "made the cluster, and join here by the line that it prints",
                               own.name);
  if (own.validity.until <= now)
    throw RuntimeError(fmt::format("the certificate of this member, {}, has expired on {}: {}",
                                   own.name, date_text(own.validity.until), remedy));
  tell(fmt::format("the certificate of this member, {}, expires on {}: {}", own.name,
                   date_text(own.validity.until), remedy));
}

}  // namespace

NetworkOptions network_for(NetworkOptions network, const std::vector<Address>& addresses) {
  if (network.tls.enabled() || !network.secret_file.empty())
    return network;
  auto membership = membership_of_user();
  if (!membership) {
    if (network.member)
      throw RuntimeError(
          "--member: this user belongs to no cluster. Make one by `flowspec cluster init`, or join "
          "one by the line that `flowspec cluster invite` prints elsewhere");
    return network;
  }
  if (!network.member && std::ranges::all_of(addresses, is_of_this_machine))
    return network;
  check_validity(membership->own(), membership->is_owner(), seconds_now());
  network.tls = membership->files();
  return network;
}

}  // namespace flowspec
