#pragma once
/// Home folders that come together by `flowspec cluster`: each stands for a machine.

#include <filesystem>
#include <string>

#include "tests/support/temp_folder.hpp"
#include "tests/system/programs.hpp"

namespace flowspec::test {

/// A port of this machine that was free a moment ago.
std::string free_port();

class Home {
 public:
  /// `place`: what command lines begin with, see Network::on.
  explicit Home(Arguments place = {});
  /// Whether it has a network of its own, where all ports are free.
  bool has_network() const { return !place_.empty(); }

  Arguments command(const std::string& program, const Arguments& arguments) const;
  Result flowspec(const Arguments& arguments, const std::string& input = {}) const;
  Result cluster(const Arguments& arguments, const std::string& input = {}) const;
  void init(const std::string& name) const;
  std::filesystem::path folder() const { return folder_ / "flowspec" / "cluster"; }

  /// Names of the members that `list` shows, those that were removed with a "!".
  std::string members() const;

  /// A short text of target.gguf.
  Result generate(const std::string& node, const Arguments& more = {}) const;

 private:
  Arguments place_;
  TempFolder folder_;
};

/// `flowspec cluster invite`.
class Invite {
 public:
  /// Waits until it listens: on a free port of 127.0.0.1, in a network of its own where a user's does.
  explicit Invite(const Home& home, const Arguments& more = {});
  /// The line to paste, without the command.
  const std::string& line() const { return line_; }
  Process& process() { return process_; }

 private:
  Process process_;
  std::string line_;
};

/// The newcomer becomes a member by an invitation.
void join(const Home& owner, const Home& newcomer, const std::string& name);

void check_works(const Result& result);

}  // namespace flowspec::test
