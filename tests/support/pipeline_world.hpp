#pragma once
/// A whole pipeline under CAF's deterministic scheduler, with every channel between two actors in
/// the test's hand: a message waits in its channel until the test delivers it. Order within a
/// channel holds, as it does in CAF; between channels the test decides.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <caf/actor.hpp>

#include "actors/policy/policy.hpp"
#include "actors/probe.hpp"
#include "messages/types.hpp"
#include "models/drafts/draft_model.hpp"

namespace flowspec::test {

struct WorldOptions {
  std::string model;
  std::uint32_t stages = 2;
  DraftPolicy policy;
  /// None: nothing is guessed.
  std::function<std::unique_ptr<DraftModel>()> draft;
  /// The draft reads the target's hidden states.
  bool send_features = false;
};

class PipelineWorld : private PipelineProbe {
 public:
  explicit PipelineWorld(WorldOptions options);
  ~PipelineWorld() override;

  /// Starts a session and lets it send its request; `expected`: the text of plain decoding, prompt
  /// included, that every hop's committed tokens must be a prefix of. Returns its number, from 1.
  SessionId submit(std::vector<Token> prompt, std::uint32_t max_tokens, SamplingParams sampling,
                   std::vector<Token> expected);
  void cancel(SessionId session);
  const std::optional<Report>& report(SessionId session) const;
  bool all_reported() const;

  /// Channels in which a message waits, as "from > to".
  std::vector<std::string> waiting() const;
  /// Delivers the next message of a channel, and lets its receiver and all actors work until they
  /// have only channels to wait for. False if none waits there.
  bool deliver(const std::string& channel);
  /// The same without letting the receivers work.
  bool pass(const std::string& channel);
  /// Lets all actors work; channels stand still.
  void settle();
  /// Delivers everything, in the order in which it was sent, until nothing is left but what waits
  /// in the channels `held`.
  void run(const std::set<std::string>& held = {});
  /// The next message of the channel is lost instead of delivered.
  void lose_next(const std::string& channel);
  /// Lets the actors' clock go on.
  void advance(std::chrono::milliseconds time);

  /// Runs one job, an actor's or a channel's, of those that `eligible` allows; of all where it
  /// allows none. False if there is no job at all.
  bool run_random(std::mt19937_64& random,
                  const std::function<bool(const std::string& channel)>& eligible);

  /// The way into a channel, for messages of the test's own.
  caf::actor channel(const std::string& name) const;

  /// Messages delivered so far.
  std::size_t deliveries() const { return deliveries_; }
  /// The first invariant that was found broken, if any.
  const std::optional<std::string>& broken() const { return broken_; }
  /// What a hop looked like after its last message.
  struct Hop {
    StageStats stats;
    std::map<SessionId, TreeVersion> versions;
  };
  Hop hop(std::uint32_t stage) const { return hops_.contains(stage) ? hops_.at(stage) : Hop{}; }
  /// KV slots in use at all hops.
  std::size_t slots_used() const;

 private:
  struct System;

  void after_hop(const HopSessions& hop) override;
  void after_draft(const Drafter& drafter, std::size_t in_flight) override;
  void run_job(std::size_t index);
  std::string channel_of(std::size_t job) const;

  WorldOptions options_;
  std::size_t deliveries_ = 0;
  std::optional<std::string> broken_;
  std::map<SessionId, std::vector<Token>> expected_;
  std::map<std::uint32_t, Hop> hops_;
  std::unique_ptr<System> system_;
};

}  // namespace flowspec::test
