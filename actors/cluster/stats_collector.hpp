#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include <caf/all.hpp>

#include "actors/type_ids.hpp"

namespace flowspec {

/// Asks all of `hops` for their statistics and answers `self`'s current request with those that
/// came in time, in the order of the hops; a hop that is gone, or computes for longer than the
/// limit, is left out. The request overtakes the segments in the hops' queues.
template <class Self>
caf::result<std::vector<StageStatsMessage>> collect_stats(Self* self,
                                                          const std::vector<caf::actor>& hops) {
  struct Collected {
    std::vector<StageStatsMessage> stats;
    std::size_t open;
    caf::typed_response_promise<std::vector<StageStatsMessage>> promise;

    void one_less() {
      if (--open > 0)
        return;
      std::erase_if(stats, [](const StageStatsMessage& message) { return message.empty(); });
      promise.deliver(std::move(stats));
    }
  };
  if (hops.empty())
    return std::vector<StageStatsMessage>{};
  using Promise = caf::typed_response_promise<std::vector<StageStatsMessage>>;
  auto collected = std::make_shared<Collected>(
      Collected{std::vector<StageStatsMessage>(hops.size()), hops.size(),
                self->template make_response_promise<Promise>()});
  // A caf::duration, since with a std::chrono limit CAF 0.17 forgets the priority.
  const caf::duration limit{std::chrono::seconds(4)};
  for (std::size_t i = 0; i < hops.size(); ++i) {
    auto receive = [&](auto response) {
      response.then(
          [collected, i](const StageStatsMessage& message) {
            collected->stats[i] = message;
            collected->one_less();
          },
          [collected](const caf::error&) { collected->one_less(); });
    };
    receive(self->template request<caf::message_priority::high>(hops[i], limit, stats_a_v));
  }
  return collected->promise;
}

}  // namespace flowspec
