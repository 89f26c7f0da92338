#include "actors/pipeline/verifier.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/pipeline/hop_actor.hpp"
#include "actors/support/sampler_options.hpp"
#include "actors/support/spawn.hpp"
#include "actors/tree/accepted_path.hpp"
#include "models/sampling/text_sampler.hpp"

namespace flowspec {

namespace {

/// The verifier's state of a session beside its view of the tree.
struct Verified {
  /// The last version that a verdict was sent for; one verdict per version is enough, since it
  /// moves the root.
  std::optional<TreeVersion> reported;
  /// The tree continues in a segment that has not arrived.
  bool awaits_more = false;
  TextSampler sampler{};

  bool tells_logprobs() const { return sampler.options().logprobs > 0; }
  bool is_selective() const { return sampler.reads_text() || tells_logprobs(); }
};

/// What the target says behind a row.
struct ChosenRow {
  Token next = 0;
  /// The row may be on an accepted path, since it has the target's token, and so have the rows before it. Only
  /// of these the token is chosen where more is to be done for it than usual.
  bool is_followed = false;
  /// If the session wants it: how likely `next` was.
  TokenLogprob logprob{};
};

/// The live text down to a row, behind what is committed.
std::vector<Token> live_path(const LiveView& view, TreeNodeId id) {
  std::vector<Token> path;
  for (const auto* node = view.find(id); node != nullptr; node = view.find(node->parent))
    path.push_back(node->token);
  std::reverse(path.begin(), path.end());
  return path;
}

class Verifier : public HopActor {
 public:
  static constexpr const char* name = "verifier";

  Verifier(PipelineActor::pointer self, VerifierConfig config)
      : HopActor(self, config.stage, config.pruner, config.probe, Role::verifier),
        config_(std::move(config)) {}

  caf::result<StageStatsMessage> load() {
    auto head = config_.load();
    if (!head)
      return head.error();
    head_ = std::move(*head);
    features_.resize(std::size_t{config_.max_rows} * head_->hidden_size());
    logits_.resize(std::size_t{config_.max_rows} * head_->vocab_size());
    return stats();
  }

  void open(const OpenMessage& message) {
    auto open = read(message);
    if (!open || sessions_.is_parted(open->session))
      return;
    auto id = open->session;
    apply(open->prunes);
    // A new verifier needs nothing of what is cached.
    open->restores = open->restores || !sessions_.has(open->prefix_session);
    if (auto error = sessions_.open(std::move(*open)))
      return report(Fault{id, 0, stage_, *error});
    auto& session = *sessions_.find(id);
    session.restored = session.open.cached_tokens;  // it needs no keys and values
    verified_[id].sampler = {sampler_options(session.open.sampling), answer_begin(session.open)};
  }

  void grow(const GrowMessage& message) {
    if (auto grow = read(message))
      sessions_.grow(*grow);
  }

  /// What goes on does so under other numbers.
  KeptMessage part(SessionId last) {
    verified_.clear();
    return HopActor::part(last);
  }

  void restored(const RestoredMessage&) {}

  /// No hop follows.
  void bind(const StagePeers& peers, bool) {
    if (!peers.pruner || !peers.draft)
      return;
    pruner_ = peers.pruner;
    config_.draft = peers.draft;
  }

  void close(const CloseMessage& message) {
    if (auto close = read(message)) {
      apply(close->prunes);
      sessions_.close(close->session, close->keep);
      verified_.erase(close->session);
      self_->send(pruner_, ClosedMessage{{close->session}});
    }
  }

  void prunes(const PrunesMessage& message) {
    auto prunes = read(message);
    if (!prunes)
      return;
    apply(prunes->prunes);
    sessions_.forget_applied();
    // Rows that arrived ahead of their prune may be waiting below the new root.
    Verdict verdict;
    for (const Prune& prune : prunes->prunes)
      add_walk(prune.session, verdict);
    if (!verdict.paths.empty())
      self_->send(pruner_, VerdictMessage{verdict});
  }

  void segment(const SegmentMessage& message) {
    auto segment = read(message);
    if (!segment)
      return;
    apply(segment->prunes);
    sessions_.forget_applied();  // no hop follows that would want them
    Verdict verdict;
    verdict.ended.push_back(segment->id);
    std::set<SessionId> touched;
    for (const Prune& prune : segment->prunes)
      touched.insert(prune.session);
    if (auto error = shape_error(*segment))
      refuse(*segment, *error);
    else
      try_verify(*segment, touched);
    for (SessionId id : touched)
      add_walk(id, verdict);
    self_->send(pruner_, VerdictMessage{verdict});
  }

 private:
  std::optional<std::string> shape_error(const Segment& segment) const {
    if (head_ == nullptr)
      return "no weights have been loaded yet";
    if (segment.rows.size() > config_.max_rows)
      return fmt::format("a segment of {} rows, at most {} were agreed", segment.rows.size(),
                         config_.max_rows);
    if (segment.hidden.rows != segment.rows.size() ||
        segment.hidden.columns != head_->hidden_size())
      return fmt::format("hidden states of {} x {}, expected {} x {}", segment.hidden.rows,
                         segment.hidden.columns, segment.rows.size(), head_->hidden_size());
    if (segment.hidden.type != config_.hidden_type)
      return fmt::format("hidden states in {}, {} was agreed", name_of(segment.hidden.type),
                         name_of(config_.hidden_type));
    return std::nullopt;
  }

  void try_verify(const Segment& segment, std::set<SessionId>& touched) {
    try {
      verify(segment, touched);
    } catch (const std::exception& e) {
      refuse(segment, fmt::format("could not compute: {}", e.what()));
    }
  }

  void verify(const Segment& segment, std::set<SessionId>& touched) {
    std::vector<Fault> faults;
    auto live = sessions_.admit(segment, faults);
    report(faults);
    auto start = self_->clock().now();
    // The token after a prompt token is known; all other rows need the model.
    std::vector<const LiveRow*> asking;
    std::vector<const LiveRow*> known;
    for (const LiveRow& row : live) {
      touched.insert(row.row.session);
      auto& verified = verified_[row.row.session];
      verified.awaits_more = segment.awaits_more;
      const auto& prompt = row.session->open.prompt;
      bool in_prompt = row.row.position + 1 < prompt.size();
      (in_prompt ? known : asking).push_back(&row);
      if (in_prompt) {
        at(row.slot).next = prompt[row.row.position + 1];
        if (verified.is_selective()) {
          bool followed = is_followed(row);
          at(row.slot).is_followed = followed;
        }
      }
    }
    auto rows = asking;
    if (config_.send_features)
      rows.insert(rows.end(), known.begin(), known.end());
    if (!rows.empty()) {
      about_to_compute();
      auto features = normed(segment, rows);
      sample(segment.id, asking, features.first(asking.size() * head_->hidden_size()));
      if (config_.send_features)
        send_features(rows, features);
    }
    auto busy = std::chrono::nanoseconds{self_->clock().now() - start};
    sessions_.count_computed(segment.id, live, static_cast<std::uint64_t>(busy.count()), now_us());
  }

  /// The rows' hidden states after the final norm.
  std::span<const float> normed(const Segment& segment, std::span<const LiveRow* const> rows) {
    auto out = features_.begin();
    for (const LiveRow* row : rows) {
      auto hidden = segment.hidden.row(row->index);
      out = std::copy(hidden.begin(), hidden.end(), out);
    }
    std::span<float> features{features_.data(), rows.size() * head_->hidden_size()};
    head_->features(features, rows.size(), features);
    return features;
  }

  void sample(SegmentId segment, std::span<const LiveRow* const> rows,
              std::span<const float> features) {
    if (rows.empty())
      return;
    auto vocab = std::size_t{head_->vocab_size()};
    std::span<float> logits{logits_.data(), rows.size() * vocab};
    head_->logits(features, rows.size(), logits);
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (!rows[i]->session->dead)
        sample(segment, *rows[i], logits.subspan(i * vocab, vocab));
  }

  /// Whether a row may be on an accepted path. Parents have been asked before their children.
  bool is_followed(const LiveRow& row) {
    const auto* parent = row.session->view.find(row.row.parent);
    if (parent == nullptr)
      return true;
    const auto& before = at(parent->slot);
    return before.is_followed && before.next == row.row.token;
  }

  void choose(Verified& verified, const LiveRow& row, std::span<float> logits) {
    std::vector<Token> path;
    if (verified.is_selective()) {
      bool followed = is_followed(row);
      at(row.slot).is_followed = followed;
      if (!followed)
        return;
    }
    if (verified.sampler.reads_text()) {
      const LiveView& view = row.session->view;
      verified.sampler.follow(view.committed_tokens());
      path = live_path(view, row.row.id);
    }
    auto choice = verified.sampler.choose(logits, path, row.row.position + 1);
    auto& chosen = at(row.slot);
    chosen.next = choice.token;
    if (verified.tells_logprobs())
      chosen.logprob = token_logprob(choice);
  }

  /// If no token can be chosen from a row's logits, only that row's session ends.
  void sample(SegmentId segment, const LiveRow& row, std::span<float> logits) {
    try {
      choose(verified_[row.row.session], row, logits);
    } catch (const std::exception& e) {
      row.session->dead = true;
      report(
          Fault{row.row.session, segment, stage_, fmt::format("could not sample: {}", e.what())});
    }
  }

  /// Sent ahead of the verdict, so that the draft has the features when the root moves.
  void send_features(std::span<const LiveRow* const> rows, std::span<const float> features) {
    auto hidden_size = head_->hidden_size();
    std::map<SessionId, std::pair<Features, std::vector<float>>> by_session;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto& [message, values] = by_session[rows[i]->row.session];
      message.nodes.push_back(rows[i]->row.id);
      auto row = features.subspan(i * hidden_size, hidden_size);
      values.insert(values.end(), row.begin(), row.end());
    }
    for (auto& [id, entry] : by_session) {
      auto& [message, values] = entry;
      message.session = id;
      message.hidden.rows = static_cast<std::uint32_t>(message.nodes.size());
      message.hidden.columns = hidden_size;
      message.hidden.values = values;
      // As urgent as the prune that follows, so that the prune does not overtake it.
      self_->send<caf::message_priority::high>(config_.draft, FeaturesMessage{message});
    }
  }

  /// What is known of the row in this slot.
  ChosenRow& at(Slot slot) {
    if (slot >= chosen_.size())
      chosen_.resize(std::size_t{slot} + SlotPool::block_slots);
    return chosen_[slot];
  }

  void add_walk(SessionId id, Verdict& verdict) {
    auto* session = sessions_.find(id);
    if (session == nullptr || session->dead)
      return;
    auto& verified = verified_[id];
    if (verified.awaits_more || verified.reported == session->view.version())
      return;
    if (auto accepted =
            accepted_path(id, session->view, [this](Slot slot) { return at(slot).next; })) {
      verified.reported = accepted->version;
      if (verified.tells_logprobs())
        add_logprobs(*session, *accepted);
      verdict.paths.push_back(std::move(*accepted));
    }
  }

  /// Of a token of the prompt there is nothing to tell, but it has its place in the list.
  void add_logprobs(const HopSession& session, AcceptedPath& accepted) {
    for (const PathNode& step : accepted.path) {
      const auto* node = session.view.find(step.id);
      bool in_prompt = node->position + 1 < session.open.prompt.size();
      const auto& chosen = at(node->slot);
      accepted.logprobs.push_back(in_prompt ? TokenLogprob{chosen.next, 0, {}} : chosen.logprob);
    }
  }

  VerifierConfig config_;
  std::map<SessionId, Verified> verified_;
  /// By slot.
  std::vector<ChosenRow> chosen_;
  std::unique_ptr<LmHead> head_;
  std::vector<float> features_;
  std::vector<float> logits_;
};

PipelineActor::behavior_type verifier(PipelineActor::stateful_pointer<HopState<Verifier>> self,
                                      VerifierConfig config) {
  self->state.hop = std::make_unique<Verifier>(self, std::move(config));
  return hop_behavior<Verifier>(self);
}

}  // namespace

PipelineActor spawn_verifier(caf::actor_system& system, VerifierConfig config, SpawnMode mode) {
  return spawn_with(system, mode, verifier, std::move(config));
}

}  // namespace flowspec
