#include "runtime/commands/cluster_options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace flowspec {

namespace {

using Action = ClusterOptions::Action;

CLI::App* add(CLI::App& app, ClusterOptions& options, Action action, const char* name,
              const char* what) {
  auto* command = app.add_subcommand(name, what);
  command->callback([&options, action] { options.action = action; });
  return command;
}

}  // namespace

void add_cluster(CLI::App& app, ClusterOptions& options) {
  app.require_subcommand(1);
  add(app, options, Action::init, "init", "Make a cluster, with this machine as its first member")
      ->add_option("--name", options.name, "Name of this member (default: the machine's)");

  auto* invite = add(app, options, Action::invite, "invite",
                     "Print the one line by which another machine joins, and wait for it");
  invite
      ->add_option("--for", options.minutes,
                   fmt::format("Minutes that the invitation stands (default {})", options.minutes))
      ->check(CLI::Range(1, 24 * 60));
  invite->add_option("--listen", options.listen,
                     "Address to serve it on, host:port (default: port 7342 of all addresses)");
  invite->add_option("--renew", options.renew,
                     "A member that gets a new certificate by joining again");

  auto* join = add(app, options, Action::join, "join", "Join a cluster, or renew a certificate");
  join->add_option("invitation", options.invitation, "What `flowspec cluster invite` has printed")
      ->required();
  join->add_option("--name", options.name, "Name of this member (default: the machine's)");

  add(app, options, Action::list, "list", "Show the members")
      ->add_flag("--json", options.json, "Print one JSON object instead of a table");
  add(app, options, Action::remove, "remove", "Take a member's right to connect")
      ->add_option("name", options.name, "The member")
      ->required();
  add(app, options, Action::renew, "renew", "Renew the certificate of the cluster's first member");
  add(app, options, Action::crl, "crl", "Print the list of removed members, for `sync` elsewhere");
  add(app, options, Action::sync, "sync", "Take a list of removed members from a file")
      ->add_option("file", options.file,
                   "What `flowspec cluster crl` has printed; - reads it from "
                   "standard input")
      ->required();
}

}  // namespace flowspec
