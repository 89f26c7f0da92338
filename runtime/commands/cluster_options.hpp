#pragma once
/// Options of `flowspec cluster`.

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace flowspec {

struct ClusterOptions {
  enum class Action { init, invite, join, list, remove, renew, crl, sync };
  Action action = Action::list;
  /// Of a member; empty: this machine's.
  std::string name;
  /// invite: how long the invitation stands, in minutes.
  std::uint32_t minutes = 15;
  /// invite: where it is served.
  std::string listen;
  /// invite: the member that gets a new certificate; empty: a new member is invited.
  std::string renew;
  /// join: what `invite` has printed.
  std::string invitation;
  /// sync: the file with the revocation list; "-": standard input.
  std::string file;
  bool json = false;
};

void add_cluster(CLI::App& app, ClusterOptions& options);

}  // namespace flowspec
