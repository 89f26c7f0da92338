#include "actors/emulation/home.hpp"

#include <caf/all.hpp>

#include "actors/emulation/later.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

class Home {
 public:
  static constexpr const char* name = "emulated_home";

  void init(caf::event_based_actor* self, HomeMakers make, EmulationSpan way) {
    self_ = self;
    log_failures(self);
    make_ = std::move(make);
    way_ = way;
  }

  /// The answer comes when it has travelled so many ways.
  template <class... Answer>
  auto answer(int ways, const Answer&... content) {
    auto promise = self_->make_response_promise<caf::typed_response_promise<Answer...>>();
    later_.after(self_, ways * way_, [=] {
      auto copy = promise;
      copy.deliver(content...);
    });
    return caf::result<Answer...>{promise};
  }

  caf::result<PipelineActor, ControlActor> spawn_stage(const StageSpecMessage& message,
                                                       const StagePeers& peers) {
    auto spec = message.read();
    if (!spec)
      return spec.error();
    try {
      auto stage = make_.stage(*spec, peers);
      return answer(2, stage.stage, stage.control);
    } catch (const std::exception& e) {
      return text_error(ErrorCode::does_not_fit, e.what());
    }
  }

  caf::result<caf::actor> spawn_part(const PartSpecMessage& message, const TreePrunerActor& pruner,
                                     const DraftActor& draft) {
    auto spec = message.read();
    if (!spec)
      return spec.error();
    if (!make_.part)
      return text_error(ErrorCode::does_not_fit, "an emulated device makes stages only");
    return answer(2, make_.part(*spec, pruner, draft));
  }

  void act(std::uint64_t number) { later_.act(number); }

 private:
  caf::event_based_actor* self_ = nullptr;
  HomeMakers make_;
  EmulationSpan way_{};
  Later later_;
};

caf::behavior home(caf::stateful_actor<Home>* self, HomeMakers make, EmulationSpan way) {
  auto& state = self->state;
  state.init(self, std::move(make), way);
  return {
      [&state](tick_a, std::uint64_t number) { state.act(number); },
      [&state](hello_a) { return state.answer(2, NodeInfoMessage{}); },
      [&state](speed_a, const std::string&, std::uint16_t) {
        return state.answer(2, NodeInfoMessage{});
      },
      [&state](link_a, const std::string&, std::uint16_t) {
        return state.answer(2, NodeInfoMessage{});
      },
      [](probe_a, const std::string&, std::uint16_t) {},
      [](lost_a, std::uint32_t, const std::string&) {},
      [&state](status_a) { return state.answer(2, std::vector<StageStatsMessage>{}); },
      [&state, self](connect_a, const std::string&, std::uint16_t) {
        return state.answer(6, self->node());
      },
      [&state](bind_a, const caf::actor&, const std::vector<caf::actor>&,
               const std::vector<caf::node_id>&) { return state.answer(2, done_a_v); },
      [&state](spawn_st_a, const StageSpecMessage& spec, const PipelineActor& next,
               const TreePrunerActor& pruner, const DraftActor& draft) {
        return state.spawn_stage(spec, {next, pruner, draft});
      },
      [&state](spawn_pt_a, const PartSpecMessage& spec, const TreePrunerActor& pruner,
               const DraftActor& draft) { return state.spawn_part(spec, pruner, draft); },
      [](model_a, const std::string&) { return ModelCardMessage{}; },
      [](piece_a, const std::string&, const std::string&, std::uint64_t) {
        return FilePieceMessage{};
      },
  };
}

}  // namespace

NodeAgentActor spawn_home(caf::actor_system& system, HomeMakers make, EmulationSpan way) {
  return caf::actor_cast<NodeAgentActor>(system.spawn(home, std::move(make), way));
}

}  // namespace flowspec
