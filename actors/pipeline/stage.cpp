#include "actors/pipeline/stage.hpp"

#include <algorithm>
#include <chrono>
#include <map>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/pipeline/hop_actor.hpp"
#include "actors/pipeline/kept_output.hpp"
#include "actors/support/spawn.hpp"
#include "messages/limits.hpp"
#include "messages/segment_writer.hpp"
#include "models/base/error.hpp"

namespace flowspec {

namespace {

class Stage : public HopActor {
 public:
  static constexpr const char* name = "stage";

  StageStatsMessage stats() const {
    auto stats = sessions_.stats(now_us());
    stats.kv_bytes = pool_.bytes();
    stats.kv_slots = pool_.capacity();
    return StageStatsMessage{stats};
  }

  Stage(PipelineActor::pointer self, StageConfig config)
      : HopActor(self, config.stage, config.peers.pruner, config.probe),
        config_(std::move(config)) {}

  caf::result<StageStatsMessage> load() {
    auto model = config_.load();
    if (!model)
      return model.error();
    model_ = std::move(*model);
    input_.resize(std::size_t{model_->max_rows()} * model_->hidden_size());
    try {
      pool_ = KvPool(config_.kv, model_->cache_bytes(1),
                     [this](std::uint32_t slots) { return model_->make_cache(slots); });
      if (config_.keeps_output)
        output_ = KeptOutput(std::min<std::size_t>(pool_.capacity(), limits::slots),
                             model_->hidden_size());
    } catch (const std::bad_alloc&) {
      return text_error(ErrorCode::does_not_fit, "no address space for the KV: lower --kv-memory");
    }
    sessions_.use(pool_.slots());
    for (std::size_t i = 0; i < config_.taps.size(); ++i)
      if (model_->has_tap(config_.taps[i]))
        taps_.push_back({static_cast<std::uint32_t>(i), config_.taps[i], {}});
    return stats();
  }

  void open(const OpenMessage& message) {
    auto open = read(message);
    if (!open || sessions_.is_parted(open->session))
      return;
    auto id = open->session;
    auto previous = open->prefix_session;
    auto for_next = *open;
    if (auto error = try_open(*open))
      return report(Fault{id, 0, stage_, *error});
    auto& session = *sessions_.find(id);
    session.next_lacks = session.next_lacks && !session.is_empty();
    bool was_new = std::exchange(for_next.restores, session.next_lacks);
    for_next.prunes = sessions_.applied(previous);
    bool is_same = for_next.restores == was_new && for_next.prunes == open->prunes;
    self_->send(config_.peers.next, is_same ? message : OpenMessage{for_next});
    if (for_next.restores && session.is_restored())
      send_again(session);
  }

  void grow(const GrowMessage& message) {
    auto grow = read(message);
    auto* session = grow ? sessions_.find(grow->session) : nullptr;
    if (session == nullptr)
      return;
    try {
      reserve(grow->slots - std::min(grow->slots, session->open.slots), sessions_.promised());
      sessions_.grow(*grow);
    } catch (const std::exception& e) {
      session->dead = true;
      report(Fault{grow->session, 0, stage_, e.what()});
    }
    self_->send(config_.peers.next, message);
  }

  void restored(const RestoredMessage& message) {
    auto restored = read(message);
    auto* session = restored ? sessions_.find(restored->session) : nullptr;
    if (session == nullptr || session->dead)
      return;
    if (auto error = restored_error(*restored, *session)) {
      session->dead = true;
      return report(Fault{restored->session, 0, stage_, *error});
    }
    restore(*restored, *session);
  }

  void bind(const StagePeers& peers, bool is_new) {
    if (!peers.next || !peers.pruner || !peers.draft)
      return;
    config_.peers = peers;
    pruner_ = peers.pruner;
    next_is_new_ = is_new;
    if (is_new)
      sessions_.next_is_new();
  }

  void close(const CloseMessage& message) {
    if (auto close = read(message)) {
      apply(close->prunes);
      auto prunes = sessions_.close(close->session, close->keep);
      if (!close->keep)
        prunes.clear();
      if (sessions_.all().empty())
        pool_.released();
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
    try {
      apply(open.prunes);
      auto cached = sessions_.has(open.prefix_session) ? open.cached_tokens : 0;
      reserve(open.slots - std::min(open.slots, cached), sessions_.promised());
      auto id = open.session;
      auto error = sessions_.open(std::move(open));
      if (auto* session = error ? nullptr : sessions_.find(id)) {
        bool shares = session->is_restored() && !session->is_empty();
        session->has_output = !output_.empty() && (session->has_output || !shares);
        session->next_lacks = shares ? session->next_lacks : next_is_new_ && session->open.restores;
      }
      return error;
    } catch (const std::exception& e) {
      return fmt::format("the session does not fit: {} (--kv-memory of a node)", e.what());
    }
  }

  /// Throws ModelError.
  void reserve(std::uint32_t slots, std::uint64_t promised = 0) {
    pool_.reserve(slots, promised);
    if (!output_.empty() && !output_.reserve(pool_.slots()->usable(), config_.kv.memory))
      sessions_.forget_output();
  }

  std::optional<std::string> restored_error(const Restored& restored,
                                            const HopSession& session) const {
    if (restored.position != session.restored ||
        restored.count > session.open.cached_tokens - session.restored)
      return fmt::format("{} cached positions from {} on, {} of {} had been restored",
                         restored.count, restored.position, session.restored,
                         session.open.cached_tokens);
    if (restored.count > model_->max_rows())
      return fmt::format("{} cached positions at once, at most {} were agreed", restored.count,
                         model_->max_rows());
    if (stage_ == 0)
      return std::nullopt;  // the prompt has the tokens
    return hidden_error(restored.hidden, restored.count);
  }

  /// Computes cached positions from the input that the hop before had sent for them.
  void restore(const Restored& restored, HopSession& session) {
    auto committed = session.view.committed();
    contexts_.clear();
    for (auto position = restored.position; position < restored.position + restored.count;
         ++position)
      contexts_.push_back({pool_.cache(), position, committed[position], committed.first(position),
                           committed.subspan(position, 1)});
    std::vector<float> out(restored.count * std::size_t{model_->hidden_size()});
    auto start = self_->clock().now();
    about_to_compute();
    auto prompt = std::span(session.open.prompt);
    if (stage_ == 0)
      model_->forward_tokens(prompt.subspan(restored.position, restored.count), contexts_, out, {});
    else
      model_->forward(restored.hidden.values, contexts_, out, {});
    auto busy = std::chrono::nanoseconds{self_->clock().now() - start};
    sessions_.count_restored(restored.count, static_cast<std::uint64_t>(busy.count()));
    if (session.has_output)
      for (std::size_t i = 0; i < restored.count; ++i)
        keep(committed[restored.position + i], row_of(out, i));
    session.restored += restored.count;
    if (session.next_lacks)
      self_->send(config_.peers.next,
                  RestoredMessage{{session.open.session, restored.position, restored.count,
                                   tensor_of(out, restored.count)}});
    session.next_lacks = session.next_lacks && !session.is_restored();
  }

  /// Gives a new hop the input of the cached positions.
  void send_again(HopSession& session) {
    auto committed = session.view.committed();
    std::vector<float> rows;
    for (Position begin = 0; begin < committed.size();) {
      auto count =
          std::min<Position>(model_->max_rows(), static_cast<Position>(committed.size()) - begin);
      rows.clear();
      for (Position i = begin; i < begin + count; ++i) {
        auto row = output_.row(committed[i]);
        rows.insert(rows.end(), row.begin(), row.end());
      }
      self_->send(config_.peers.next,
                  RestoredMessage{{session.open.session, begin, count, tensor_of(rows, count)}});
      begin += count;
    }
    session.next_lacks = false;
  }

  std::span<const float> row_of(std::span<const float> values, std::size_t i) const {
    return values.subspan(i * model_->hidden_size(), model_->hidden_size());
  }

  Tensor tensor_of(std::span<const float> values, std::uint32_t rows) const {
    return {rows, model_->hidden_size(), values, nullptr, model_->hidden_type()};
  }

  void keep(Slot slot, std::span<const float> row) {
    std::ranges::copy(row, output_.row(slot).begin());
  }

  std::optional<std::string> hidden_error(const Tensor& hidden, std::size_t rows) const {
    if (hidden.rows != rows || hidden.columns != model_->hidden_size())
      return fmt::format("hidden states of {} x {}, expected {} x {}", hidden.rows, hidden.columns,
                         rows, model_->hidden_size());
    if (hidden.type != model_->hidden_type())
      return fmt::format("hidden states in {}, {} was agreed", name_of(hidden.type),
                         name_of(model_->hidden_type()));
    return std::nullopt;
  }

  std::optional<std::string> shape_error(const Segment& segment) const {
    if (model_ == nullptr)
      return "the stage has no weights yet";
    if (segment.rows.size() > model_->max_rows())
      return fmt::format("a segment of {} rows, at most {} were agreed", segment.rows.size(),
                         model_->max_rows());
    if (stage_ > 0)
      return hidden_error(segment.hidden, segment.rows.size());
    for (const Row& row : segment.rows)
      if (row.token < 0 || static_cast<std::uint32_t>(row.token) >= config_.vocab_size)
        return fmt::format("token {} is not in the vocabulary of {}", row.token,
                           config_.vocab_size);
    return std::nullopt;
  }

  void end(SegmentId segment) { self_->send(pruner_, SegmentEndMessage{{segment, stage_}}); }

  void compute(const Segment& segment) {
    auto start = self_->clock().now();
    try {
      // If there are fewer, those rows are refused that find none: many of them may be dead.
      reserve(std::min(static_cast<std::uint32_t>(segment.rows.size()), pool_.slots()->left()));
      std::vector<Fault> faults;
      auto live = sessions_.admit(segment, faults);
      report(faults);
      if (live.empty())
        return end(segment.id);
      auto out = forward(segment, live);
      auto busy = std::chrono::nanoseconds{self_->clock().now() - start};
      sessions_.count_computed(segment.id, live, static_cast<std::uint64_t>(busy.count()),
                               now_us());
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
          {pool_.cache(), row.row.position, row.slot, row.session->view.committed(), tail});
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
    for (std::size_t i = 0; i < live.size(); ++i)
      if (live[i].session->has_output)
        keep(live[i].slot, row_of(writer.hidden(), i));
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
  KvPool pool_;
  KeptOutput output_;
  std::vector<Tap> taps_;
  /// The next hop had nothing of earlier sessions when this one was bound to it.
  bool next_is_new_ = false;
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
