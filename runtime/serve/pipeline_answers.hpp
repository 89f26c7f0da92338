#pragma once
/// What the actors of a server share. For the files of this room that know CAF.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/cluster/coordinator.hpp"
#include "runtime/http/http_reply.hpp"
#include "runtime/openai/metrics.hpp"
#include "runtime/serve/live_sessions.hpp"
#include "runtime/serve/request_gate.hpp"
#include "runtime/serve/served_text.hpp"

namespace flowspec {

class PipelineAnswers {
 public:
  PipelineAnswers(caf::actor_system& its_system, CoordinatorActor its_coordinator,
                  openai::Metrics& its_metrics, std::string its_model, std::size_t most_running,
                  std::size_t most_waiting)
      : system(its_system),
        coordinator(std::move(its_coordinator)),
        metrics(its_metrics),
        model(std::move(its_model)),
        gate(most_running, most_waiting) {}

  caf::actor_system& system;
  const CoordinatorActor coordinator;
  openai::Metrics& metrics;
  const std::string model;
  RequestGate gate;
  LiveSessions live;

  /// Why the pipeline can do no more; empty: it can.
  std::string loss() const;
  void set_loss(const std::string& why);

  /// The actors that answer. False: no more are wanted.
  bool add(const caf::actor& answer);
  void remove(const caf::actor_addr& answer);
  /// No more from now on; returns those that there are.
  std::vector<caf::actor> close();

 private:
  mutable std::mutex mutex_;
  std::string loss_;
  std::map<caf::actor_addr, caf::actor> answers_;
  bool is_closed_ = false;
};

/// Makes the actor that answers one request: it owns the reply, has the sessions started when it is its
/// turn, passes on what they write, and ends them if the client goes or is too slow.
void spawn_answer(const std::shared_ptr<PipelineAnswers>& shared, PreparedAnswer prepared,
                  std::shared_ptr<HttpReply> reply);

/// Those that wait are refused; the others end with what they have.
void stop_answers(PipelineAnswers& shared);

}  // namespace flowspec
