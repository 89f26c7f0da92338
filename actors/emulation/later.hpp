#pragma once
/// What an actor does after some time of its clock.

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include <caf/all.hpp>

#include "actors/emulation/timing.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

class Later {
 public:
  /// At once if there is no time to wait. `self` passes (tick_a, number) on to act().
  void after(caf::event_based_actor* self, EmulationSpan span, std::function<void()> act) {
    if (span <= EmulationSpan::zero())
      return act();
    acts_.emplace(++last_, std::move(act));
    self->delayed_send(self, span, tick_a_v, last_);
  }

  void act(std::uint64_t number) {
    if (auto act = acts_.extract(number); !act.empty())
      act.mapped()();
  }

 private:
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::function<void()>> acts_;
};

}  // namespace flowspec
