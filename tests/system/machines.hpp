#pragma once
/// Machines that are members of one cluster: one asks, the others are nodes.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/network.hpp"
#include "tests/system/home.hpp"

namespace flowspec::test {

class Machines {
 public:
  enum class Where {
    /// In a network of their own, each with an address.
    network,
    /// On 127.0.0.1, each with a port: nothing can be cut.
    loopback,
  };

  /// All run, with names n1, n2, …
  Machines(std::size_t nodes, Where where);

  std::size_t nodes() const { return nodes_.size(); }
  /// Only in a network. The asker is its host 0, node n1 its host 1.
  Network& network() { return *network_; }
  /// Numbers of nodes begin with 1, as their names.
  std::string address(std::size_t node) const { return nodes_.at(node - 1).address; }
  /// As messages have it: "n1 (10.77.0.2:7341)".
  std::string label(std::size_t node) const;
  Process& node(std::size_t node) { return *nodes_.at(node - 1).process; }
  /// A new process in place of one that has ended or is killed here.
  void start(std::size_t node);
  /// Ends the process by a signal, which may take a while.
  void end(std::size_t node, int signal);

  /// What all nodes have told so far.
  std::string told() const;

  /// What the asker runs.
  Arguments command(const Arguments& arguments) const;

  /// Nothing is cut or stopped any more, and all nodes run.
  void mend();
  /// What nodes that do nothing still have, in words; waits until that is nothing, or for `patience`.
  std::string left_over();

 private:
  struct Node {
    std::unique_ptr<Home> home;
    std::string address;
    std::unique_ptr<Process> process;
    bool is_ending = false;
  };
  std::optional<Network> network_;
  std::unique_ptr<Home> asker_;
  std::vector<Node> nodes_;
};

/// A text that the asker writes over nodes: standard output has the text, standard error what
/// happened.
class Text {
 public:
  struct Places {
    std::vector<std::size_t> stages;
    std::vector<std::size_t> spares;
  };

  /// The text of this length, undisturbed in one process.
  static std::string undisturbed(std::size_t tokens);

  Text(Machines& machines, const Places& places, std::size_t tokens, const Arguments& more = {});

  /// Waits until it is so long; fails the test if it never is.
  void wait_for_bytes(std::size_t bytes);
  /// Waits until standard error has this; fails the test if it never has.
  void wait_for_words(const std::string& words);
  /// Waits for its end, and compares. Whether it is this text.
  bool check(const std::string& expected);
  void check_words(const std::string& words);
  Process& process() { return *process_; }

 private:
  /// What it and the nodes have told so far.
  std::string told() const;

  const Machines& machines_;
  std::unique_ptr<Process> process_;
};

}  // namespace flowspec::test
