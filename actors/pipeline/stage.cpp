#include "actors/pipeline/stage.hpp"

#include <chrono>
#include <map>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/pipeline/hop_actor.hpp"
#include "actors/support/spawn.hpp"
#include "messages/segment_writer.hpp"
#include "models/base/error.hpp"

namespace flowspec {

namespace {

/// Rounded up: "1 MiB is needed, 0 of 1 are taken" would be no reason to refuse anything.
std::uint64_t mebibytes(std::uint64_t bytes) {
  return (bytes + (1U << 20U) - 1) >> 20U;
}

class Stage : public HopActor {
 public:
  static constexpr const char* name = "stage";

  Stage(PipelineActor::pointer self, StageConfig config)
      : HopActor(self, config.stage, config.peers.pruner, config.probe),
        config_(std::move(config)) {}

  caf::result<StageStatsMessage> load() {
    auto model = config_.load();
    if (!model)
      return model.error();
    model_ = std::move(*model);
    input_.resize(std::size_t{model_->max_rows()} * model_->hidden_size());
    for (std::size_t i = 0; i < config_.taps.size(); ++i)
      if (model_->has_tap(config_.taps[i]))
        taps_.push_back({static_cast<std::uint32_t>(i), config_.taps[i], {}});
    return stats();
  }

  void open(const OpenMessage& message) {
    auto open = read(message);
    if (!open)
      return;
    auto id = open->session;
    auto previous = open->prefix_session;
    if (auto error = try_open(std::move(*open))) {
      report(Fault{id, 0, stage_, *error});
      // No hop behind this one needs to keep that session any longer.
      if (previous != no_session)
        self_->send(config_.peers.next, CloseMessage{{previous, false, {}}});
      return;
    }
    self_->send(config_.peers.next, message);
  }

  void close(const CloseMessage& message) {
    if (auto close = read(message)) {
      apply(close->prunes);
      auto prunes = sessions_.close(close->session, close->keep);
      if (!close->keep)
        prunes.clear();
      self_->send(config_.peers.next,
                  CloseMessage{{close->session, close->keep, std::move(prunes)}});
    }
  }

  void prunes(const PrunesMessage& message) {
    if (auto prunes = read(message))
      apply(prunes->prunes);
  }

  void segment(const SegmentMessage& message) {
    auto segment = read(message);
    if (!segment)
      return;
    apply(segment->prunes);
    if (auto error = shape_error(*segment)) {
      refuse(*segment, *error);
      end(segment->id);
    } else {
      compute(*segment);
    }
    if (stage_ == 0)
      self_->send(config_.peers.draft, ReadyMessage{{segment->id, 0}});
  }

 private:
  std::optional<std::string> try_open(Open open) {
    if (model_ == nullptr)
      return "the stage has no weights yet";
    if (open.prefix_session != no_session)
      return sessions_.resume(std::move(open));
    auto needed = model_->cache_bytes(open.slots);
    auto used = sessions_.stats().kv_bytes;
    if (needed > config_.kv_limit || used > config_.kv_limit - needed)
      return fmt::format(
          "the session needs {} MiB of KV for {} positions; {} of {} MiB are taken (--kv-memory of "
          "a node)",
          mebibytes(needed), open.slots, mebibytes(used), config_.kv_limit >> 20);
    try {
      auto claim = config_.memory ? config_.memory->claim(needed) : nullptr;
      auto cache = model_->make_cache(open.slots);
      cache.keep(std::move(claim));
      return sessions_.open(std::move(open), std::move(cache));
    } catch (const ModelError& e) {
      return fmt::format("no memory for the KV of {} positions: {}", open.slots, e.what());
    } catch (const std::exception& e) {
      return fmt::format("no memory for {} MiB of KV: {}", mebibytes(needed), e.what());
    }
  }

  std::optional<std::string> shape_error(const Segment& segment) const {
    if (model_ == nullptr)
      return "the stage has no weights yet";
    if (segment.rows.size() > model_->max_rows())
      return fmt::format("a segment of {} rows, at most {} were agreed", segment.rows.size(),
                         model_->max_rows());
    if (stage_ > 0) {
      if (segment.hidden.rows != segment.rows.size() ||
          segment.hidden.columns != model_->hidden_size())
        return fmt::format("hidden states of {} x {}, expected {} x {}", segment.hidden.rows,
                           segment.hidden.columns, segment.rows.size(), model_->hidden_size());
      if (segment.hidden.type != model_->hidden_type())
        return fmt::format("hidden states in {}, {} was agreed", name_of(segment.hidden.type),
                           name_of(model_->hidden_type()));
      return std::nullopt;
    }
    for (const Row& row : segment.rows)
      if (row.token < 0 || static_cast<std::uint32_t>(row.token) >= config_.vocab_size)
        return fmt::format("token {} is not in the vocabulary of {}", row.token,
                           config_.vocab_size);
    return std::nullopt;
  }

  void end(SegmentId segment) { self_->send(pruner_, SegmentEndMessage{{segment, stage_}}); }

  void compute(const Segment& segment) {
    std::vector<Fault> faults;
    auto live = sessions_.admit(segment, faults);
    report(faults);
    if (live.empty())
      return end(segment.id);

    auto start = self_->clock().now();
    try {
      auto out = forward(segment, live);
      auto busy = std::chrono::nanoseconds{self_->clock().now() - start};
      sessions_.count_computed(live.size(), static_cast<std::uint64_t>(busy.count()));
      send_features();
      self_->send(config_.peers.next, std::move(out));
    } catch (const std::exception& e) {
      refuse(segment, fmt::format("could not compute: {}", e.what()));
      end(segment.id);
    }
  }

  /// Computes the live rows straight into the message for the next hop.
  SegmentMessage forward(const Segment& segment, const std::vector<LiveRow>& live) {
    rows_.clear();
    path_slots_.clear();
    std::vector<std::size_t> ends;
    for (const LiveRow& row : live) {
      rows_.push_back(row.row);
      row.session->view.append_path(row.row.id, path_slots_);
      ends.push_back(path_slots_.size());
    }
    contexts_.clear();
    std::size_t begin = 0;
    for (std::size_t i = 0; i < live.size(); ++i) {
      const LiveRow& row = live[i];
      auto tail = std::span<const Slot>(path_slots_).subspan(begin, ends[i] - begin);
      contexts_.push_back(
          {&row.session->cache, row.row.position, row.slot, row.session->view.committed(), tail});
      begin = ends[i];
    }

    SegmentWriter writer{segment.id,
                         rows_,
                         model_->hidden_size(),
                         sessions_.applied(),
                         segment.awaits_more,
                         model_->hidden_type()};
    std::vector<LayerTap> taps;
    for (Tap& tap : taps_) {
      tap.values.resize(live.size() * model_->hidden_size());
      taps.push_back({tap.layer, tap.values});
    }
    about_to_compute();
    if (stage_ == 0) {
      tokens_.clear();
      for (const Row& row : rows_)
        tokens_.push_back(row.token);
      model_->forward_tokens(tokens_, contexts_, writer.hidden(), taps);
    } else {
      model_->forward(input(segment, live), contexts_, writer.hidden(), taps);
    }
    auto out = std::move(writer).finish();
    sessions_.forget_applied();
    return out;
  }

  /// Sends what was copied of `rows_` straight to the draft, which needs it once the rows are
  /// accepted. No later stage passes it on.
  void send_features() {
    auto size = model_->hidden_size();
    for (const Tap& tap : taps_) {
      std::map<SessionId, std::pair<Features, std::vector<float>>> by_session;
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        auto& [message, values] = by_session[rows_[i].session];
        message.nodes.push_back(rows_[i].id);
        auto row = std::span<const float>(tap.values).subspan(i * size, size);
        values.insert(values.end(), row.begin(), row.end());
      }
      for (auto& [id, entry] : by_session) {
        auto& [message, values] = entry;
        message.session = id;
        message.tap = tap.number;
        message.hidden = {static_cast<std::uint32_t>(message.nodes.size()), size, values, nullptr,
                          model_->hidden_type()};
        // As urgent as the prune that makes the draft wait for it.
        self_->send<caf::message_priority::high>(config_.peers.draft, FeaturesMessage{message});
      }
    }
  }

  /// The hidden states of the live rows; copied only if dead rows lie between them.
  std::span<const float> input(const Segment& segment, const std::vector<LiveRow>& live) {
    if (live.size() == segment.rows.size())
      return segment.hidden.values;
    auto out = input_.begin();
    for (const LiveRow& row : live) {
      auto hidden = segment.hidden.row(row.index);
      out = std::copy(hidden.begin(), hidden.end(), out);
    }
    return {input_.data(), live.size() * model_->hidden_size()};
  }

  /// Something that the draft reads and this stage computes.
  struct Tap {
    std::uint32_t number;
    std::uint32_t layer;
    /// Of the rows of the last forward: rows x hidden size.
    std::vector<float> values;
  };

  StageConfig config_;
  std::unique_ptr<StageModel> model_;
  std::vector<Tap> taps_;
  // Scratch memory, kept from call to call.
  std::vector<Row> rows_;
  std::vector<RowContext> contexts_;
  std::vector<Slot> path_slots_;
  std::vector<Token> tokens_;
  std::vector<float> input_;
};

PipelineActor::behavior_type stage(PipelineActor::stateful_pointer<HopState<Stage>> self,
                                   StageConfig config) {
  self->state.hop = std::make_unique<Stage>(self, std::move(config));
  return hop_behavior<Stage>(self);
}

}  // namespace

PipelineActor spawn_stage(caf::actor_system& system, StageConfig config, SpawnMode mode) {
  return spawn_with(system, mode, stage, std::move(config));
}

}  // namespace flowspec
