/// A server over two nodes under mixed load, in KV that is too small for all: no request fails, and nothing
/// grows. A minute; FLOWSPEC_LOAD_SECONDS=3600 makes it an hour.

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <random>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tests/support/paths.hpp"
#include "tests/system/server.hpp"

using namespace flowspec::test;
using Clock = std::chrono::steady_clock;

namespace {

std::chrono::seconds length() {
  const char* seconds = std::getenv("FLOWSPEC_LOAD_SECONDS");
  return std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 45);
}

/// What a process holds.
struct Held {
  std::size_t threads = 0;
  std::size_t descriptors = 0;
  std::size_t memory_kib = 0;
};

Held held_by(int pid) {
  namespace fs = std::filesystem;
  Held held;
  auto folder = fs::path("/proc") / std::to_string(pid);
  held.threads = static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder / "task"), fs::directory_iterator()));
  held.descriptors = static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder / "fd"), fs::directory_iterator()));
  std::ifstream status(folder / "status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:"))
      held.memory_kib = std::stoul(line.substr(6));
  return held;
}

/// One client after another, each with what clients ask for.
class Load {
 public:
  explicit Load(int port) : port_(port) {}

  void run(Clock::duration time) {
    auto end = Clock::now() + time;
    std::vector<std::thread> clients;
    for (unsigned i = 0; i < 10; ++i)
      clients.emplace_back([this, i, end] {
        std::mt19937 random(seed_ + i);
        while (Clock::now() < end)
          try {
            ask(random);
          } catch (const std::exception& e) {
            note(false, e.what());
          }
      });
    for (auto& client : clients)
      client.join();
    seed_ += 100;
  }

  std::vector<std::string> failures;
  std::vector<double> first_token_ms;
  std::size_t answers = 0;
  std::size_t gone = 0;

 private:
  static Json request(std::mt19937& random) {
    static const std::string system =
        "Lily and Tom are friends. They have a red ball, a small dog and a big garden, and they "
        "like to play there when the sun shines. ";
    static const char* const beginnings[] = {"Once upon a time", "One day, Lily", "The dog was",
                                             "Tom said that he"};
    auto content = std::string(random() % 2 == 0 ? system : "") + beginnings[random() % 4];
    Json body{{"messages", Json::array({{{"role", "user"}, {"content", content}}})},
              {"max_tokens", 1 + random() % 150},
              {"temperature", random() % 2},
              {"seed", random() % 5}};
    if (random() % 4 == 0)
      body["repetition_penalty"] = 1.2;
    if (random() % 4 == 0)
      body["stop"] = Json::array({"ball", "."});
    if (random() % 5 == 0)
      body["logprobs"] = true;
    return body;
  }

  void ask(std::mt19937& random) {
    auto body = request(random);
    HttpClient client(port_);
    auto begin = Clock::now();
    if (random() % 3 == 0) {
      auto answer = client.ask(request_text("POST", "/v1/chat/completions", body.dump()));
      note(answer.status == 200 && answer.body.find("\"finish_reason\"") != std::string::npos,
           answer.body);
      return;
    }
    body["stream"] = true;
    client.send(request_text("POST", "/v1/chat/completions", body.dump(), "Connection: close\r\n"));
    auto first = client.read_until("\"content\":\"\"");
    first += client.read_until("\"delta\":");
    auto ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    if (random() % 6 == 0) {
      client.reset();
      std::lock_guard lock(mutex_);
      ++gone;
      return;
    }
    auto rest = client.rest();
    note(rest.find("[DONE]") != std::string::npos && rest.find("\"error\"") == std::string::npos,
         first + rest);
    std::lock_guard lock(mutex_);
    first_token_ms.push_back(ms);
  }

  void note(bool is_well, const std::string& text) {
    std::lock_guard lock(mutex_);
    ++answers;
    if (!is_well)
      failures.push_back(text);
  }

  int port_;
  unsigned seed_ = 1;
  std::mutex mutex_;
};

double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values.at(static_cast<std::size_t>(q * static_cast<double>(values.size() - 1)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(mixed_load_fails_no_request_and_leaves_nothing_behind) {
  const std::filesystem::path models = source_path("models/embedded");
  // KV for some 1,200 tokens of all texts.
  NodeProcess first("first", models, {"--kv-memory", "2"});
  NodeProcess second("second", models, {"--kv-memory", "2"});
  Server server({"--node", first.address(), "--node", second.address()});
  Load load(server.port());

  const std::vector<std::pair<std::string, int>> programs{
      {"the server", server.process().id()},
      {"the first node", first.process().id()},
      {"the second node", second.process().id()}};
  auto all_held = [&] {
    std::vector<Held> all;
    for (const auto& [name, pid] : programs)
      all.push_back(held_by(pid));
    return all;
  };
  // Memory that was used once stays with its process.
  load.run(length() / 3);
  auto before = all_held();
  load.run(length() * 2 / 3);
  auto after = all_held();

  for (const auto& failure : load.failures)
    BOOST_ERROR(failure);
  BOOST_TEST(load.answers > 0U);
  for (std::size_t i = 0; i < programs.size(); ++i)
    BOOST_TEST_CONTEXT(programs[i].first) {
      BOOST_TEST(after[i].threads <= before[i].threads + 1);
      BOOST_TEST(after[i].descriptors <= before[i].descriptors + 4);
      BOOST_TEST(after[i].memory_kib <= before[i].memory_kib + before[i].memory_kib / 10 + 8192);
      fmt::print("{}: {} -> {} threads, {} -> {} descriptors, {} -> {} KiB\n", programs[i].first,
                 before[i].threads, after[i].threads, before[i].descriptors, after[i].descriptors,
                 before[i].memory_kib, after[i].memory_kib);
    }
  if (!load.first_token_ms.empty())
    fmt::print("{} answers, {} clients gone; first token after {:.0f} ms (median), {:.0f} (99 %)\n",
               load.answers, load.gone, quantile(load.first_token_ms, 0.5),
               quantile(load.first_token_ms, 0.99));
}
