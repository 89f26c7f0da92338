#pragma once
/// Who has how much of the hops' KV: the coordinator's account, by which it admits texts, lets them grow,
/// and finds beginnings that another text has computed. Plain C++.
///
/// It counts blocks of positions, though hops take single slots: all hops hold the same positions, so one
/// account is right for all. What a hop holds beyond committed positions, live rows of trees, is bounded by
/// the policy and not counted here. Texts with a common beginning share its whole blocks, as in the radix
/// tree of SGLang (arXiv 2312.07104) with vLLM's chained hashes of blocks; hashes only find a text, its
/// tokens decide.

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "messages/types.hpp"

namespace flowspec {

class KvBook {
 public:
  /// A text's name for as long as it is known, in order of age. Hops know it by another number, which
  /// changes when it opens again.
  using TextId = std::uint64_t;
  /// Positions of a block.
  static constexpr Position block = 16;

  struct Wish {
    std::span<const Token> prompt;
    /// Positions of prompt and answer together.
    Position most = 0;
    /// It takes KV as it grows; else, all of it now.
    bool grows = false;
    /// It uses what others have computed, and others use what it has.
    bool shares = false;
  };
  struct Start {
    enum class When {
      now,
      when_there_is_room,
      /// A text that runs is about to compute the same beginning.
      after_another,
    };
    When when = When::now;
    /// The hops' number of the text that has the first `cached` tokens.
    SessionId source = no_session;
    Position cached = 0;
    /// Positions that it may go up to for now.
    Position limit = 0;
  };

  /// Positions that all texts may have together.
  void resize(std::uint32_t positions);
  std::uint32_t capacity() const { return capacity_ * block; }
  std::uint32_t used() const { return *used_ * block; }
  /// Whether so long a text ever fits.
  bool fits(Position most) const { return blocks(most) <= capacity_; }

  /// Begins a text, if `when` is now. Throws away kept texts where there is no room, the longest unused
  /// first: see `take_evicted`.
  Start start(TextId id, SessionId number, const Wish& wish);
  /// Tokens have been accepted, the first at this position; all but the last are committed. Whether there
  /// is more now that others can share, or be given the room of.
  bool advance(TextId id, Position position, std::span<const Token> tokens);
  /// The text needs more positions soon.
  bool wants_more(TextId id) const;
  /// It cannot go on without more.
  bool is_stuck(TextId id) const;
  /// The new limit; nothing if there is no room.
  std::optional<Position> grow(TextId id);
  /// The text has ended on all hops, which keep what is committed of it, or nothing.
  void stop(TextId id, bool keep);

  /// What the text began with is of no use on some hop: if it is kept, it is thrown away.
  void distrust_source(TextId id);

  /// The pipeline has been made again, and `cached` says how many tokens of a text all hops have, or can
  /// be given. A new hop holds no blocks in common.
  template <class Cached>
  void part(Cached cached);
  /// A text that was running goes on under another number. False: there is no room for it any more, and it
  /// has stopped.
  bool go_on(TextId id, SessionId number);

  /// The hops' numbers of kept texts.
  std::vector<SessionId> kept_numbers() const;
  Position limit(TextId id) const { return texts_.at(id).limit; }
  /// The hops' numbers of kept texts that are to be forgotten; each once.
  std::vector<SessionId> take_evicted() { return std::exchange(evicted_, {}); }

 private:
  struct Block {
    explicit Block(std::shared_ptr<std::uint32_t> counter) : used(std::move(counter)) { ++*used; }
    ~Block() { --*used; }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    std::shared_ptr<std::uint32_t> used;
  };
  struct Text {
    SessionId number = no_session;
    std::vector<Token> tokens;
    Position prompt = 0;
    Position committed = 0;
    Position limit = 0;
    Position most = 0;
    bool grows = false;
    bool shares = false;
    bool runs = true;
    /// Something has been heard of it: what opens it has passed all hops, which know its number.
    bool is_heard = false;
    /// Hops may not share its KV with others any more, only restore it for them.
    bool apart = false;
    TextId source = 0;
    std::uint64_t last_used = 0;
    std::vector<std::shared_ptr<Block>> blocks;
    /// Of its whole blocks, each with all before it.
    std::vector<std::uint64_t> hashes;
  };
  struct Found {
    TextId text = 0;
    Position cached = 0;
    bool is_awaited = false;
  };

  static std::uint32_t blocks(Position positions) { return (positions + block - 1) / block; }
  Found find(std::span<const Token> prompt) const;
  Start try_start(TextId id, SessionId number, const Wish& wish, const Found& found);
  bool make_room(std::uint32_t blocks, TextId except);
  void take(Text& text, std::uint32_t blocks);
  void index(TextId id, Text& text);
  void remove_from_index(TextId id, const Text& text);
  void evict(TextId id);
  /// A text begins with this one's KV, and may not have been opened on all hops yet.
  bool is_being_shared(TextId id) const;
  std::uint32_t growing() const;
  void part_text(Text& text);

  std::uint32_t capacity_ = 0;
  std::shared_ptr<std::uint32_t> used_ = std::make_shared<std::uint32_t>(0);
  std::map<TextId, Text> texts_;
  std::unordered_map<std::uint64_t, std::set<TextId>> index_;
  std::vector<SessionId> evicted_;
  std::uint64_t clock_ = 0;
};

template <class Cached>
void KvBook::part(Cached cached) {
  std::vector<TextId> gone;
  for (auto& [id, text] : texts_) {
    text.committed = std::min<Position>(text.committed, cached(text.number));
    text.apart = true;
    if (text.runs)
      part_text(text);
    else if (text.committed < block)
      gone.push_back(id);
  }
  for (TextId id : gone)
    evict(id);
}

}  // namespace flowspec
