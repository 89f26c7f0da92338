#include "tests/support/channel.hpp"

#include <caf/all.hpp>

#include "actors/type_ids.hpp"

namespace flowspec::test {

namespace {

void note(const Segment& segment, Delivery& delivery) {
  delivery.segment = segment.id;
  delivery.rows = segment.rows;
  delivery.awaits_more = segment.awaits_more;
  delivery.prunes = segment.prunes;
}

void note(const SentRows& grow, Delivery& delivery) {
  delivery.segment = grow.segment;
  delivery.rows = grow.rows;
}

void note(const Prunes& prunes, Delivery& delivery) {
  delivery.prunes = prunes.prunes;
  delivery.ended = prunes.ended;
}

void note(const Verdict& verdict, Delivery& delivery) {
  delivery.paths = verdict.paths;
  delivery.ended = verdict.ended;
}

void note(const SegmentEnd& end, Delivery& delivery) {
  delivery.ended = {end.segment};
}

void note(const Features& features, Delivery& delivery) {
  delivery.nodes = features.nodes;
}

template <class... Ts>
void note_any(const caf::message& message, Delivery& delivery) {
  auto one = [&]<class T>(const T*) {
    if (!message.match_elements<Wire<T>>())
      return;
    if (auto content = message.get_as<Wire<T>>(0).read())
      note(*content, delivery);
  };
  (one(static_cast<const Ts*>(nullptr)), ...);
}

caf::behavior channel(caf::event_based_actor* self, caf::actor target, ChannelState* state) {
  self->set_default_handler(
      [=](caf::scheduled_actor*, caf::message_view& content) -> caf::result<caf::message> {
        auto message = content.move_content_to_message();
        if (state->losing_restored > 0 && message.match_elements<RestoredMessage>()) {
          --state->losing_restored;
          return caf::delegated<caf::message>{};
        }
        if (state->losing > 0) {
          --state->losing;
          return caf::delegated<caf::message>{};
        }
        if (state->log != nullptr) {
          Delivery delivery{.channel = state->name};
          note_any<Segment, SentRows, Prunes, Verdict, SegmentEnd, Features>(message, delivery);
          state->log->push_back(std::move(delivery));
        }
        self->send(target, std::move(message));
        return caf::delegated<caf::message>{};
      });
  return {[](tick_a) {}};
}

}  // namespace

caf::actor spawn_channel(caf::actor_system& system, caf::actor target, ChannelState* state) {
  return system.spawn(channel, std::move(target), state);
}

}  // namespace flowspec::test
