#pragma once
/// One party's view of the live nodes of one session: which rows may be computed, which slots hold
/// their context, and which slots are free. Stages and the verifier keep one each. Views of
/// different parties may have different versions at the same time; the rule of life makes that
/// harmless.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "messages/types.hpp"
#include "models/kv/slot_pool.hpp"

namespace flowspec {

/// The result of showing a row or a prune to a view.
struct ViewResult {
  enum class Kind {
    applied,  ///< admitted, or the prune moved the root
    ignored,  ///< a dead row, or a prune that had been applied before
    invalid,  ///< against the protocol; `error` says why
  };
  Kind kind = Kind::applied;
  Slot slot = 0;
  std::string error;

  explicit operator bool() const { return kind == Kind::applied; }
};

class LiveView {
 public:
  struct Node {
    TreeNodeId id = no_node;
    TreeNodeId parent = no_node;
    Token token = 0;
    Position position = 0;
    Slot slot = 0;
  };

  /// `root`: the id of the first root, which is at position 0. Committed and live rows take slots of the
  /// pool, and give them back with the view.
  LiveView(TreeNodeId root, std::shared_ptr<SlotPool> pool);
  /// Begins behind tokens whose keys and values are still to come, to slots that are taken now. Throws
  /// ModelError if there are too few.
  LiveView(TreeNodeId root, std::shared_ptr<SlotPool> pool, std::span<const Token> cached);
  /// Begins behind the first `shared` committed positions of another view, and shares their slots. These
  /// positions have to be committed there.
  LiveView(TreeNodeId root, const LiveView& other, Position shared);
  ~LiveView();
  LiveView(LiveView&&) noexcept = default;
  LiveView& operator=(LiveView&&) = delete;

  /// The rule of life: a row is live if its id is the root or its parent is live. A live row gets a
  /// slot. Dead rows are ignored; a repeated id, a wrong position or a lack of slots is invalid.
  ViewResult admit(const Row& row);

  /// Commits the path and frees everything that is neither the new root nor below it. A prune that
  /// does not raise the version is ignored, so that a prune may arrive by several ways; a gap, or a
  /// path that is not a chain of live nodes from the root, is invalid.
  ViewResult apply(const Prune& prune);

  /// Frees everything that has not been committed.
  void forget_live();

  TreeVersion version() const { return version_; }
  TreeNodeId root() const { return root_; }
  /// Slots of the committed positions 0, 1, ...
  std::span<const Slot> committed() const { return committed_; }
  std::span<const Token> committed_tokens() const { return committed_tokens_; }
  /// Live nodes, parents before children.
  std::span<const Node> live() const { return live_; }
  const Node* find(TreeNodeId id) const;
  /// The live child of `parent` that has this token, or null.
  const Node* child(TreeNodeId parent, Token token) const;
  /// Appends the slots from the oldest live ancestor of `id` down to `id` itself.
  void append_path(TreeNodeId id, std::vector<Slot>& out) const;

  /// Slots that it holds, shared ones included.
  std::uint32_t held() const {
    return static_cast<std::uint32_t>(committed_.size() + live_.size());
  }

  /// Checks the view against itself; the text names the first broken invariant. For tests and
  /// debug builds.
  std::optional<std::string> broken_invariant() const;

 private:
  std::optional<Slot> take();

  TreeVersion version_ = 0;
  TreeNodeId root_;
  /// Null: moved from.
  std::shared_ptr<SlotPool> pool_;
  std::optional<Slot> last_taken_;
  std::vector<Slot> committed_;
  std::vector<Token> committed_tokens_;
  std::vector<Node> live_;
  std::unordered_map<TreeNodeId, std::size_t> index_;
};

}  // namespace flowspec
