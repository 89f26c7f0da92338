#include "runtime/commands/cluster_command.hpp"

#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>

#include "actors/support/machine.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/read_file.hpp"
#include "runtime/console/signals.hpp"
#include "runtime/console/text_table.hpp"
#include "runtime/membership/inviter.hpp"
#include "runtime/membership/joiner.hpp"
#include "runtime/membership/membership.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

std::string own_name(const ClusterOptions& options) {
  auto name = options.name.empty() ? machine_name() : options.name;
  check_member_name(name);
  return name;
}

/// By which others may reach this machine.
std::vector<std::string> own_addresses(int family) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0)
    return {};
  std::vector<std::string> found;
  for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != family)
      continue;
    HostAddress address;
    address.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    std::memcpy(&address.storage, entry->ifa_addr, address.size);
    if (!address.is_loopback() && !address.is_link_local())
      found.push_back(address.text());
  }
  ::freeifaddrs(list);
  return found;
}

/// All addresses of a kind that this machine has.
std::string usual_host() {
  return own_addresses(AF_INET).empty() && !own_addresses(AF_INET6).empty() ? "::" : "0.0.0.0";
}

/// What others have to connect to when this machine listens there.
std::string reachable_host(const HostAddress& listens_on) {
  auto host = listens_on.text();
  if (host != "0.0.0.0" && host != "::")
    return host;
  auto own = own_addresses(listens_on.family());
  if (own.empty())
    throw RuntimeError(
        "this machine has no address that others can reach. Give --listen host:port");
  if (own.size() > 1)
    tell(fmt::format("this machine has other addresses, which may stand in the line as well: {}",
                     fmt::join(own.begin() + 1, own.end(), ", ")));
  return own.front();
}

ExitCode init(const ClusterOptions& options) {
  Membership membership;
  membership.init(own_name(options), seconds_now());
  auto own = membership.own();
  print(
      fmt::format("A cluster, with {} as its first member until {}, is in {}\n"
                  "Invite another machine: flowspec cluster invite\n",
                  own.name, date_text(own.validity.until), one_line(membership.folder().string())));
  return ExitCode::ok;
}

ExitCode invite(const ClusterOptions& options) {
  Membership membership;
  if (!membership.is_owner() && membership.exists())
    throw RuntimeError(
        "only the machine that made the cluster has the authority's key, and can invite");
  auto authority = membership.authority();
  if (!options.renew.empty())
    membership.check_member(options.renew);
  Address address{usual_host(), invitation_port};
  if (!options.listen.empty())
    address = parse_address(options.listen);
  auto listens_on = listen_address(address, true);
  auto line = make_invitation({reachable_host(listens_on), address.port}, authority);
  Inviter::Events events;
  events.admit = [&](const JoinRequest& request) {
    return membership.admit(request, options.renew, seconds_now());
  };
  events.tell = [](const std::string& text) { print(text + "\n"); };
  auto until = std::chrono::steady_clock::now() + std::chrono::minutes(options.minutes);
  Inviter inviter(listens_on, membership.own_identity(), authority, {line.secret, until}, events);
  Signals signals([&](int) { inviter.stop(); });
  print(
      fmt::format("Say this on the other machine, within {} minutes; it is good for one:\n\n"
                  "  flowspec cluster join {}\n\n",
                  options.minutes, encode(line)));
  switch (inviter.serve()) {
    case Inviter::End::used:
      return ExitCode::ok;
    case Inviter::End::lapsed:
      throw RuntimeError(ErrorCode::internal, "the invitation has lapsed, and nobody has joined");
    case Inviter::End::locked:
      throw RuntimeError(
          ErrorCode::internal,
          "the invitation has ended, for too many wrong secrets, and nobody has joined");
    case Inviter::End::stopped:
      break;
  }
  return ExitCode::cancelled;
}

ExitCode join(const ClusterOptions& options) {
  auto line = parse_invitation(options.invitation);
  Membership membership;
  std::string name;
  if (!membership.exists()) {
    name = own_name(options);
  } else if (fingerprint_of(membership.authority()) != line.fingerprint) {
    throw RuntimeError(
        fmt::format("this user belongs to another cluster already, in {}. To leave it for good, "
                    "move that folder "
                    "away",
                    one_line(membership.folder().string())));
  } else if (membership.is_owner()) {
    throw RuntimeError(
        "this user made the cluster, and belongs to it. Say the line on the other machine");
  } else {
    name = options.name.empty() ? membership.own().name : own_name(options);
  }
  Signals signals([](int) { leave(ExitCode::cancelled); });
  auto key = make_key();
  membership.accept(ask_to_join(line, name, key), key, seconds_now());
  auto own = membership.own();
  print(fmt::format(
      "{} is a member until {}. Offer this machine: flowspec node --listen 0.0.0.0:{}\n", own.name,
      date_text(own.validity.until), default_port));
  return ExitCode::ok;
}

Json json_of(const std::vector<Member>& members, const Membership& membership) {
  auto list = Json::array();
  for (const Member& member : members)
    list.push_back(
        {{"name", member.name},
         {"serial", member.serial},
         {"since", date_text(member.validity.since)},
         {"until", date_text(member.validity.until)},
         {"removed", member.removed ? Json(date_text(*member.removed)) : Json(nullptr)}});
  return {{"folder", membership.folder().string()},
          {"owner", membership.is_owner()},
          {"members", list}};
}

ExitCode list(const ClusterOptions& options) {
  Membership membership;
  auto members = membership.members();
  std::erase_if(members, [](const Member& member) { return member.is_replaced; });
  if (options.json) {
    print(json_of(members, membership).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return ExitCode::ok;
  }
  TextTable table({"member", "since", "until", "state"});
  auto now = seconds_now();
  for (const Member& member : members) {
    std::string state = member.is_owner ? "owner" : "member";
    if (member.removed)
      state = "removed " + date_text(*member.removed);
    else if (member.validity.until <= now)
      state = "expired";
    table.add(
        {member.name, date_text(member.validity.since), date_text(member.validity.until), state});
  }
  auto text = table.text();
  for (const Member& member : members)
    text += fmt::format("{}: serial {}\n", member.name, member.serial);
  if (!membership.is_owner())
    text += "The other members are listed where the cluster was made.\n";
  print(text);
  return ExitCode::ok;
}

ExitCode remove(const ClusterOptions& options) {
  Membership membership;
  membership.remove(options.name, seconds_now());
  print(fmt::format(
      "{} is removed: this machine refuses it from its next connection on. The others do once they "
      "have the new list; say on each: ssh {} flowspec cluster crl | flowspec cluster sync -\n",
      one_line(options.name), membership.own().name));
  return ExitCode::ok;
}

ExitCode renew() {
  Membership membership;
  membership.renew_owner(seconds_now());
  auto own = membership.own();
  print(
      fmt::format("{} has a new certificate, until {}\n", own.name, date_text(own.validity.until)));
  return ExitCode::ok;
}

ExitCode sync(const ClusterOptions& options) {
  Signals signals([](int) { leave(ExitCode::cancelled); });  // standard input may never end
  constexpr std::size_t most = std::size_t{16} << 20U;
  auto text = options.file == "-" ? read_standard_input("revocation list", most)
                                  : read_file(options.file, "revocation list", most);
  print(Membership().sync(text) ? "The newer list of removed members is used from now on\n"
                                : "This list of removed members stands already\n");
  return ExitCode::ok;
}

}  // namespace

ExitCode run_cluster(const ClusterOptions& options) {
  using Action = ClusterOptions::Action;
  switch (options.action) {
    case Action::init:
      return init(options);
    case Action::invite:
      return invite(options);
    case Action::join:
      return join(options);
    case Action::list:
      return list(options);
    case Action::remove:
      return remove(options);
    case Action::renew:
      return renew();
    case Action::crl:
      print(Membership().revocation_list());
      return ExitCode::ok;
    case Action::sync:
      return sync(options);
  }
  return ExitCode::failed;
}

}  // namespace flowspec
