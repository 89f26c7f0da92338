#pragma once
/// Judges every frame of CAF before CAF sees it. A peer reaches only what it was given.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "actors/cluster/wire/basp.hpp"
#include "actors/cluster/wire/given_actors.hpp"
#include "actors/cluster/wire/lanes.hpp"

namespace flowspec {

/// What a connection is inspected against.
struct InspectionRules {
  NodeKey own{};
  NodeKey peer{};
  /// This end has dialled.
  bool is_dialer = false;
  /// The one actor type that may be spawned from outside.
  std::string agent_name = "node_agent";
  /// The largest frames, with their header.
  std::size_t most_control_bytes = std::size_t{1} << 20;
  /// Of the data lane, where no larger ones are expected: a prompt, or a text's prunes.
  std::size_t most_data_bytes = std::size_t{16} << 20;
};

/// Of one connection; the actors that were given are shared with others. `note` is thread-safe; all
/// others are for one thread.
class FrameInspector {
 public:
  FrameInspector(InspectionRules rules, GivenActors& given)
      : rules_(std::move(rules)), given_(given) {
    given_.welcome(rules_.peer);
  }
  ~FrameInspector() { given_.leave(rules_.peer); }
  FrameInspector(const FrameInspector&) = delete;
  FrameInspector& operator=(const FrameInspector&) = delete;

  /// Nothing if the frame may come to this process, or why not. Needs the header only: asked before
  /// memory is taken.
  std::optional<std::string> judge_header(const BaspHeader& header, Lane lane) const;
  struct Verdict {
    /// CAF may have the frame. A frame that does not pass, but is no problem, is dropped: its
    /// receiver may have ended.
    bool passes = false;
    /// The rule that the frame breaks; the connection has to be closed.
    std::optional<std::string> problem;
  };
  Verdict judge(Bytes frame, Lane lane);

  struct Outgoing {
    Lane lane = Lane::control;
    /// Why the peer would refuse the frame.
    std::optional<std::string> problem;
  };
  /// Notes what a frame of this process tells the peer of, and finds its lane.
  Outgoing note(Bytes frame);

 private:
  using Problem = std::optional<std::string>;

  Problem judge_use(const BaspHeader& header, Lane lane) const;
  std::size_t most_bytes(const BaspHeader& header, Lane lane) const;
  bool may_reach(const BaspHeader& header, const BaspMessage& message) const;
  Problem judge_handshake(Bytes payload, const BaspHeader& header);
  Verdict judge_message(Bytes payload, const BaspHeader& header, Lane lane) const;
  Problem judge_kind(const BaspHeader& header, const BaspMessage& message, Lane lane) const;
  Problem judge_rights(const BaspHeader& header, const BaspMessage& message) const;
  Problem judge_named(const BaspHeader& header, const BaspMessage& message) const;
  Problem judge_watch(Bytes payload, const BaspHeader& header) const;
  void give_actors(const BaspHeader& header, const BaspMessage& message);

  InspectionRules rules_;
  GivenActors& given_;
  bool has_shaken_hands_ = false;
  int handshakes_ = 0;
};

}  // namespace flowspec
