#pragma once
/// A whole pipeline under CAF's deterministic scheduler, with every channel between two actors in
/// the test's hand: a message waits in its channel until the test delivers it. Order within a
/// channel holds, as it does in CAF; between channels the test decides.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <caf/actor.hpp>

#include "actors/pipeline/probe.hpp"
#include "actors/policy/policy.hpp"
#include "messages/types.hpp"
#include "messages/wire.hpp"
#include "models/drafts/draft_model.hpp"
#include "tests/support/channel.hpp"

namespace flowspec::test {

struct WorldOptions {
  std::string model;
  std::uint32_t stages = 2;
  DraftPolicy policy;
  /// None: nothing is guessed.
  std::function<std::unique_ptr<DraftModel>()> draft;
  /// The draft reads the target's hidden states.
  bool send_features = false;
  /// Sessions know the tokens that end a text.
  bool knows_end = false;
  /// The draft's steps wait in a channel "draft > draft": two messages for each forward.
  bool holds_drafting = false;
  /// Called with the number of a stage, or of the verifier, that is about to compute; what it
  /// throws is as if the computation did.
  std::function<void(std::uint32_t stage)> before_compute;
  /// Control messages reach the stages through relays, as on another machine.
  bool has_relays = false;
  /// Keep what has been delivered, and the nodes of all hops.
  bool keeps_log = false;
};

/// For sessions that follow one another and keep their KV.
struct Conversation {
  SessionId prefix_session = no_session;
  Position cached_tokens = 0;
  /// The same for all of them; 0: what the session needs.
  Position position_limit = 0;
  /// The KV stays for a session to come.
  bool keep = false;
  /// To the pipeline the session has the number of this one; 0: its own.
  SessionId same_number_as = 0;
};

class PipelineWorld : private PipelineProbe {
 public:
  explicit PipelineWorld(WorldOptions options);
  ~PipelineWorld() override;

  /// Starts a session and lets it send its request; `expected`: the text of plain decoding, prompt
  /// included, that every hop's committed tokens must be a prefix of. Returns its number, from 1.
  SessionId submit(std::vector<Token> prompt, std::uint32_t max_tokens, SamplingParams sampling,
                   std::vector<Token> expected, const Conversation& conversation = {});
  void cancel(SessionId session);
  /// What the pruner tells the client of this request: the text of the fault, empty if there is
  /// none.
  std::string fault_of(const OpenMessage& request);
  const std::optional<Report>& report(SessionId session) const;
  bool all_reported() const;
  /// Pieces of text, empty ones too, that the session's client has got.
  std::size_t pieces(SessionId session) const;

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
  /// Asks the coordinator for the statistics of all hops, the draft last, with what waits at the
  /// hops still ahead of them; then lets all actors work.
  std::vector<StageStats> statistics();
  /// Lets the actors' clock go on.
  void advance(std::chrono::milliseconds time);

  /// Runs the job that `choose` names by its index, an actor's or a channel's. It is given the
  /// channels of all jobs, in the order in which they became ready; an actor's is the empty text.
  /// False if there is no job at all.
  using Choose = std::function<std::size_t(const std::vector<const std::string*>& channels)>;
  bool run_chosen(const Choose& choose);

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
    /// With `keeps_log`: ids of the live nodes, parents before children.
    std::map<SessionId, std::vector<TreeNodeId>> live;
    std::map<SessionId, std::vector<Token>> committed;
  };
  Hop hop(std::uint32_t stage) const { return hops_.contains(stage) ? hops_.at(stage) : Hop{}; }
  /// With `keeps_log`: what has been delivered so far.
  const std::vector<Delivery>& log() const { return log_; }
  /// The last delivery of a channel; throws where there is none.
  const Delivery& last(const std::string& channel) const;
  /// KV slots in use at all hops.
  std::size_t slots_used() const;

 private:
  struct System;

  void after_hop(const HopSessions& hop) override;
  void before_compute(std::uint32_t stage) override {
    if (options_.before_compute)
      options_.before_compute(stage);
  }
  void after_draft(const Drafter& drafter, std::size_t in_flight) override;
  void run_job(std::size_t index);
  const std::string& channel_of(std::size_t job) const;

  WorldOptions options_;
  std::size_t deliveries_ = 0;
  std::optional<std::string> broken_;
  std::map<SessionId, std::vector<Token>> expected_;
  std::map<std::uint32_t, Hop> hops_;
  std::vector<Delivery> log_;
  std::vector<const std::string*> ready_;
  std::unique_ptr<System> system_;
};

}  // namespace flowspec::test
