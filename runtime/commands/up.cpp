#include "runtime/commands/up.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actors/support/machine.hpp"
#include "models/formats/hf_folder.hpp"
#include "runtime/console/child_program.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/signals.hpp"
#include "runtime/run/embedded.hpp"

namespace flowspec {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

/// A node that is told to end may take 2 s for it by itself.
constexpr std::chrono::seconds patience{5};

/// This program's own folder has the other one.
std::string node_program() {
  std::error_code error;
  auto program = fs::read_symlink("/proc/self/exe", error).parent_path() / "flowspec-node";
  return program.string();
}

Words network_words(const NetworkOptions& network) {
  Words words;
  auto add = [&](const char* option, const std::string& value) {
    if (!value.empty())
      words.insert(words.end(), {option, value});
  };
  add("--cert", network.tls.certificate);
  add("--key", network.tls.key);
  add("--ca", network.tls.ca);
  add("--crl", network.tls.crl);
  add("--secret-file", network.secret_file);
  if (network.tolerate != NetworkOptions{}.tolerate)
    add("--tolerate",
        fmt::format("{:.3f}", std::chrono::duration<double>(network.tolerate).count()));
  return words;
}

Words models_words(const UpOptions& options) {
  Words words{"--models"};
  for (const fs::path& folder : options.models)
    words.push_back(folder.string());
  if (options.models.empty())
    words.push_back(embedded_file("target.gguf").parent_path().string());
  return words;
}

std::string node_name(unsigned index) {
  return fmt::format("node-{}", index + 1);
}

Words node_words(const UpOptions& options, unsigned index) {
  const auto threads =
      options.threads != 0 ? options.threads : std::max(usable_cores() / options.nodes, 1U);
  const auto kv_mib =
      options.kv_mib != 0
          ? options.kv_mib
          : std::max<std::uint64_t>(
                (machine_memory().total >> 22U) / options.max_stages / options.nodes, 1);
  const auto port = options.first_port == 0 ? 0 : options.first_port + index;
  Words words{node_program(),
              "--name",
              node_name(index),
              "--port",
              std::to_string(port),
              "--threads",
              std::to_string(threads),
              "--max-stages",
              std::to_string(options.max_stages),
              "--kv-memory",
              std::to_string(kv_mib),
              "--keep-shards",
              std::to_string(options.keep_shards.count())};
  auto add = [&](const Words& more) { words.insert(words.end(), more.begin(), more.end()); };
  if (options.quiet)
    add({"--quiet"});
  add(network_words(options.network));
  add(models_words(options));
  return words;
}

/// A model of these folders, for the command line to try; empty: there is none on top.
std::string a_model(const std::vector<fs::path>& folders) {
  for (const fs::path& folder : folders) {
    if (HfFolder::is_model_folder(folder))
      return fs::absolute(folder).string();
    std::vector<fs::path> found;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator{};
         entry.increment(error)) {
      const auto& path = entry->path();
      std::error_code ignored;
      if ((path.extension() == ".gguf" && fs::is_regular_file(path, ignored)) ||
          (HfFolder::is_model_folder(path) && HfFolder::has_weights(path)))
        found.push_back(path);
    }
    if (!found.empty())
      return fs::absolute(*std::ranges::min_element(found)).string();
  }
  return "";
}

/// A word as a shell takes it.
std::string quoted(const std::string& word) {
  constexpr const char* plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=+@%";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos)
    return word;
  std::string text = "'";
  for (char c : word)
    text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string shell_line(const Words& words) {
  Words all;
  for (const std::string& word : words)
    all.push_back(quoted(word));
  return fmt::format("{}", fmt::join(all, " "));
}

/// The process that has started this one. Not its thread, whose end means nothing.
class Parent {
 public:
  Parent() {
    struct sigaction action {};
    const bool stays = ::sigaction(SIGHUP, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
    if (!stays && ::getppid() > 1)
      descriptor_ = static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0));
  }
  ~Parent() {
    if (descriptor_ >= 0)
      ::close(descriptor_);
  }
  Parent(const Parent&) = delete;
  Parent& operator=(const Parent&) = delete;

  /// Readable when it has ended; -1: that does not matter, or is not known.
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

struct LocalNode {
  LocalNode(const UpOptions& options, unsigned index)
      : name(node_name(index)), program(node_words(options, index)) {}

  std::string name;
  ChildProgram program;
  /// Empty until it listens.
  std::string address;
  bool has_ended = false;
};

/// All nodes, and the one thread that looks after them.
class LocalCluster {
 public:
  explicit LocalCluster(const UpOptions& options) : options_(options) {
    for (unsigned i = 0; i < options.nodes; ++i)
      nodes_.push_back(std::make_unique<LocalNode>(options, i));
  }

  ExitCode run() {
    while (running() > 0) {
      wait();
      // In this order: a node that ends with Ctrl-C has not failed.
      take_signals();
      for (const auto& node : nodes_) {
        read(*node);
        reap(*node);
      }
      announce();
      if (kill_at_ && Clock::now() >= *kill_at_)
        signal(SIGKILL);
    }
    return code_;
  }

 private:
  std::size_t running() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        nodes_, [](const auto& node) { return !node->has_ended; }));
  }

  void wait() {
    std::vector<pollfd> sources{{signals_.descriptor(), POLLIN, 0},
                                {stopping_ ? -1 : parent_.descriptor(), POLLIN, 0}};
    for (const auto& node : nodes_) {
      sources.push_back({node->program.output().descriptor(), POLLIN, 0});
      sources.push_back({node->program.error().descriptor(), POLLIN, 0});
    }
    ::poll(sources.data(), sources.size(), stopping_ ? 100 : -1);
    if (sources[1].revents != 0)
      stop();
  }

  void take_signals() {
    while (auto number = signals_.next())
      if (*number != SIGCHLD)
        stop();
  }

  /// The second time without patience.
  void stop() {
    kill_at_ = stopping_ ? Clock::now() : Clock::now() + patience;
    stopping_ = true;
    signal(SIGTERM);
  }

  void signal(int number) {
    for (const auto& node : nodes_)
      node->program.signal(number);
  }

  void read(LocalNode& node) {
    node.program.output().read([&](std::string_view line) {
      constexpr std::string_view mark = " listens on ";
      const auto found = line.find(mark);
      if (found == line.npos || !node.address.empty())
        return show(node, line);
      auto rest = line.substr(found + mark.size());
      node.address = rest.substr(0, rest.find(' '));
    });
    node.program.error().read([&](std::string_view line) { show(node, line); });
  }

  static void show(const LocalNode& node, std::string_view line) {
    tell_plainly(fmt::format("{} | {}\n", node.name, line));
  }

  void reap(LocalNode& node) {
    if (node.has_ended)
      return;
    const auto code = node.program.ended();
    if (!code)
      return;
    read(node);  // its last words
    node.has_ended = true;
    if (stopping_)
      return;
    tell(fmt::format("{} has ended {}", node.name, node.program.how_it_ended()));
    const bool starts_wrong = *code == static_cast<int>(ExitCode::usage);
    if (!announced_) {
      code_ = starts_wrong ? ExitCode::usage : ExitCode::failed;
      stop();
    } else if (running() == 0) {
      tell("no node is left");
      code_ = ExitCode::failed;
    }
  }

  /// Once all listen.
  void announce() {
    if (announced_ || stopping_ ||
        std::ranges::any_of(nodes_, [](const auto& node) { return node->address.empty(); }))
      return;
    announced_ = true;
    const auto generate = command("generate");
    if (options_.json) {
      using Json = nlohmann::ordered_json;
      auto list = Json::array();
      for (const auto& node : nodes_)
        list.push_back(
            {{"name", node->name}, {"address", node->address}, {"pid", node->program.id()}});
      print(Json{{"nodes", list}, {"generate", generate}}.dump(-1, ' ', false,
                                                               Json::error_handler_t::replace) +
            "\n");
      return;
    }
    std::string text;
    for (const auto& node : nodes_)
      text += fmt::format("{} listens on {}\n", node->name, node->address);
    // Nobody has to read it: the nodes serve all the same.
    print(fmt::format("{}\nTry them (Ctrl-C here ends them):\n  {} {}\n  {}\n", text,
                      shell_line(generate), quoted("Once upon a time"),
                      shell_line(command("nodes"))));
  }

  /// A command line that uses these nodes.
  Words command(const std::string& name) const {
    Words words{::program_invocation_name, name};
    for (const auto& node : nodes_)
      words.insert(words.end(), {"--node", node->address});
    if (const auto model = a_model(options_.models); name == "generate" && !model.empty())
      words.insert(words.end(), {"--model", model});
    const auto network = network_words(options_.network);
    words.insert(words.end(), network.begin(), network.end());
    return words;
  }

  const UpOptions& options_;
  SignalQueue signals_;
  Parent parent_;
  std::vector<std::unique_ptr<LocalNode>> nodes_;
  bool announced_ = false;
  bool stopping_ = false;
  std::optional<Clock::time_point> kill_at_;
  ExitCode code_ = ExitCode::ok;
};

}  // namespace

ExitCode up(const UpOptions& options) {
  return LocalCluster(options).run();
}

}  // namespace flowspec
