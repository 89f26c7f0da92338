#pragma once
/// A whole pipeline under CAF's deterministic scheduler, in which the test controls every channel
/// between two actors: a message waits in its channel until the test delivers it. Messages of one
/// channel stay in order, as in CAF; the test decides the order between channels.

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <caf/actor.hpp>

#include "actors/pipeline/probe.hpp"
#include "actors/policy/policy.hpp"
#include "messages/setup_types.hpp"
#include "messages/types.hpp"
#include "messages/wire.hpp"
#include "models/drafts/draft_model.hpp"
#include "tests/support/channel.hpp"

namespace flowspec::test {

struct WorldOptions {
  std::string model;
  std::uint32_t stages = 2;
  DraftPolicy policy;
  /// Empty: no draft, nothing is guessed.
  std::function<std::unique_ptr<DraftModel>()> draft;
  /// The draft reads the target's hidden states.
  bool send_features = false;
  /// It reads what enters these layers instead, which the stages send.
  std::vector<std::uint32_t> taps = {};
  /// Sessions know the tokens that end a text.
  bool knows_end = false;
  /// The draft's steps wait in a channel "draft > draft": two messages for each forward.
  bool holds_drafting = false;
  /// Called before a stage or the verifier computes, with its number; an exception that it throws
  /// counts as one of the computation.
  std::function<void(std::uint32_t stage)> before_compute;
  /// Record all deliveries, and the live nodes of all hops.
  bool keeps_log = false;
  /// The stages are made by as many agents, as on nodes of a cluster, and sessions are started by a
  /// coordinator, which makes lost stages again; 0: there are neither. All sessions have the same text.
  std::uint32_t homes = 0;
  /// With `homes`: those that have verifier, draft, and pruner; nothing: they are not on homes.
  std::array<std::optional<std::uint32_t>, 3> part_homes = {};
  /// Stages keep what they send.
  bool keeps_output = true;
  /// KV slots of every stage; 0: as many as there is memory for.
  std::uint32_t kv_slots = 0;
  /// The same of the draft model.
  std::uint32_t draft_kv_slots = 0;
};

/// For sessions that continue each other and keep their KV.
struct Conversation {
  /// Without `homes`: whose KV is shared, and how much of it.
  SessionId prefix_session = no_session;
  Position cached_tokens = 0;
  /// Keep the KV for a later session; with `homes`, also use what others have.
  bool keep = false;
  /// With `homes`: KV is taken as the text grows.
  bool grows = false;
  /// The pipeline sees the session under the number of this one; 0: under its own.
  SessionId same_number_as = 0;
};

class PipelineWorld : private PipelineProbe {
 public:
  explicit PipelineWorld(WorldOptions options);
  ~PipelineWorld() override;

  /// Starts a session, which sends its request. `expected` is the text of plain decoding, prompt
  /// included: every hop's committed tokens must be a prefix of it. Returns the session's number,
  /// from 1.
  SessionId submit(std::vector<Token> prompt, std::uint32_t max_tokens, SamplingParams sampling,
                   std::vector<Token> expected, const Conversation& conversation = {});
  void cancel(SessionId session);
  /// With `homes`: what the coordinator says to a request that it does not take.
  std::string refusal(std::vector<Token> prompt, std::uint32_t max_tokens);
  /// What a session has kept is of no use any more.
  void evict(SessionId session);
  /// With `homes`: the agent of a home is lost, with its parts of the pipeline.
  void lose_home(std::uint32_t home);
  /// With `homes`: the stage ends by itself.
  void lose_stage(std::uint32_t stage);
  /// With `homes`: the stage's home says that it has ended, and it goes on.
  void give_up_stage(std::uint32_t stage);
  /// With `homes`: the home of a part says that this does not reach the one at that place in the list of its
  /// receivers (see wiring.hpp).
  void cut(std::uint32_t part, std::uint32_t receiver);
  /// Segments of the draft that have not ended, after its last message.
  std::size_t in_flight() const { return in_flight_; }
  /// Rows that stages have computed, restored ones too.
  std::size_t rows_computed(std::uint32_t stage) const;
  /// The pruner's answer to the client that sends this request: the text of the fault, empty if
  /// there is none.
  std::string fault_of(const OpenMessage& request);
  const std::optional<Report>& report(SessionId session) const;
  bool all_reported() const;
  /// How many pieces of text, including empty ones, the session's client has received.
  std::size_t pieces(SessionId session) const;
  /// What it has been told of tokens.
  const std::vector<TokenLogprob>& logprobs(SessionId session) const;

  /// Channels with a waiting message, as "from > to".
  std::vector<std::string> waiting() const;
  /// Delivers the next message of a channel, then runs its receiver and all actors until only
  /// messages in channels are left. False if the channel is empty.
  bool deliver(const std::string& channel);
  /// The same without running the receivers.
  bool pass(const std::string& channel);
  /// Runs all actors, but delivers nothing from channels.
  void settle();
  /// Delivers all messages in the order in which they were sent, except those of the channels
  /// `held`.
  void run(const std::set<std::string>& held = {});
  /// Drops the next message of the channel instead of delivering it.
  void lose_next(const std::string& channel);
  /// The same with the next message that restores what a new hop lacks.
  void lose_restored(const std::string& channel);
  /// Asks the coordinator for the statistics of all hops, the draft's last. Messages that already
  /// wait at the hops come before the request. Then runs all actors.
  std::vector<StageStats> statistics();
  /// Advances the actors' clock.
  void advance(std::chrono::milliseconds time);

  /// Runs one job, of an actor or a channel. `choose` gets the channel names of all jobs, in the
  /// order in which they became ready (an actor's job has an empty name), and returns the index of
  /// the job to run. False if there is no job.
  using Choose = std::function<std::size_t(const std::vector<const std::string*>& channels)>;
  bool run_chosen(const Choose& choose);
  /// While `choose` is asked: the kind of actor whose job that is, for instance "coordinator".
  std::string_view actor_of(std::size_t job) const;

  /// The entry of a channel, for messages that the test sends itself.
  caf::actor channel(const std::string& name) const;

  /// Messages delivered so far.
  std::size_t deliveries() const { return deliveries_; }
  /// Describes the first broken invariant, if any.
  const std::optional<std::string>& broken() const { return broken_; }
  /// The state of a hop after its last message.
  struct Hop {
    StageStats stats;
    std::map<SessionId, TreeVersion> versions;
    /// With `keeps_log`: ids of the live nodes, parents before children.
    std::map<SessionId, std::vector<TreeNodeId>> live;
    std::map<SessionId, std::vector<Token>> committed;
  };
  Hop hop(std::uint32_t stage) const { return hops_.contains(stage) ? hops_.at(stage) : Hop{}; }
  /// With `keeps_log`: the deliveries so far.
  const std::vector<Delivery>& log() const { return log_; }
  /// The last delivery of a channel; throws if there is none.
  const Delivery& last(const std::string& channel) const;
  /// KV slots in use at all hops.
  std::size_t slots_used() const;

 private:
  struct System;

  void make_homes();
  const std::vector<Token>& expected_of(SessionId session) const;
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
  std::size_t in_flight_ = 0;
  std::optional<std::string> broken_;
  std::map<SessionId, std::vector<Token>> expected_;
  std::map<std::uint32_t, Hop> hops_;
  std::vector<Delivery> log_;
  std::vector<const std::string*> ready_;
  std::unique_ptr<System> system_;
};

}  // namespace flowspec::test
