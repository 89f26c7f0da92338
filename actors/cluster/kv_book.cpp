#include "actors/cluster/kv_book.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include <xxhash.h>

namespace flowspec {

namespace {

/// Positions that a text gets at a time, beyond those it has: fewer messages, more that may lie idle.
constexpr Position generous_step = 256;
constexpr Position least_step = 2 * KvBook::block;
/// A text asks for more when so few are left: a trip through the pipeline later it needs them.
constexpr Position early = 96;
/// With so few, guesses do not fit any more.
constexpr Position late = 24;

std::uint64_t hash_of(std::span<const Token> tokens, std::uint64_t before) {
  return XXH3_64bits_withSeed(tokens.data(), tokens.size_bytes(), before);
}

}  // namespace

void KvBook::resize(std::uint32_t positions) {
  capacity_ = positions / block;
}

KvBook::Start KvBook::start(TextId id, SessionId number, const Wish& wish) {
  assert(!texts_.contains(id));
  Found found = wish.shares ? find(wish.prompt) : Found{};
  if (found.is_awaited)
    return {Start::When::after_another};
  auto start = try_start(id, number, wish, found);
  // What else the kept text has may be what takes the room.
  if (start.when != Start::When::now && found.text != 0 && !texts_.at(found.text).runs)
    start = try_start(id, number, wish, Found{});
  return start;
}

KvBook::Start KvBook::try_start(TextId id, SessionId number, const Wish& wish, const Found& found) {
  auto prompt = static_cast<Position>(wish.prompt.size());
  auto shared = found.cached / block;
  if (found.text != 0 && texts_.at(found.text).apart)
    shared = 0;
  auto limit = wish.most;
  if (wish.grows)
    limit = std::min(limit, prompt + generous_step);
  // Whoever runs already needs room to grow more urgently.
  auto spare = growing();
  auto room = [&] { return make_room(blocks(limit) - shared + spare, found.text); };
  if (!room() && wish.grows) {
    limit = std::min(wish.most, prompt + least_step);
    room();
  }
  auto needed = blocks(limit) - shared;
  bool is_alone = std::ranges::none_of(texts_, [](const auto& one) { return one.second.runs; });
  if (*used_ + needed + (is_alone ? 0 : spare) > capacity_)
    return {Start::When::when_there_is_room};

  Text& text = texts_[id];
  text.number = number;
  text.tokens.assign(wish.prompt.begin(), wish.prompt.end());
  text.prompt = prompt;
  text.committed = found.cached;
  text.limit = limit;
  text.most = wish.most;
  text.grows = wish.grows;
  text.shares = wish.shares;
  text.source = found.text;
  Start start{Start::When::now, no_session, found.cached, limit};
  if (found.text != 0) {
    Text& source = texts_.at(found.text);
    source.last_used = ++clock_;
    start.source = source.number;
    text.blocks.assign(source.blocks.begin(), source.blocks.begin() + shared);
  }
  take(text, blocks(limit));
  if (text.shares)
    index(id, text);
  return start;
}

/// The longest beginning that a text has computed, in whole blocks, but not the whole prompt, since the
/// output at its last token is needed.
KvBook::Found KvBook::find(std::span<const Token> prompt) const {
  Found found;
  Found awaited;
  std::uint64_t hash = 0;
  for (Position end = block; end < prompt.size(); end += block) {
    hash = hash_of(prompt.subspan(end - block, block), hash);
    auto entry = index_.find(hash);
    if (entry == index_.end())
      break;
    for (auto id = entry->second.rbegin(); id != entry->second.rend(); ++id) {
      const Text& text = texts_.at(*id);
      if (!std::ranges::equal(prompt.first(end), std::span(text.tokens).first(end)))
        continue;
      // What opens a text may come to a hop later than what opens one that shares with it.
      if (text.committed >= end && (!text.runs || text.is_heard)) {
        found = {*id, end, false};
        break;
      }
      if (text.runs && end < text.prompt)
        awaited = {*id, end, true};
    }
  }
  // To wait for a single block costs more than to compute it.
  return awaited.cached > found.cached + block ? awaited : found;
}

bool KvBook::advance(TextId id, Position position, std::span<const Token> tokens) {
  auto found = texts_.find(id);
  if (found == texts_.end())
    return false;
  Text& text = found->second;
  const bool was_heard = std::exchange(text.is_heard, true);
  auto before = text.committed / block;
  auto end = position + static_cast<Position>(tokens.size());
  text.committed = std::max(text.committed, end > 0 ? end - 1 : 0);
  // Of the prompt, only the position is told.
  if (position == text.tokens.size())
    text.tokens.insert(text.tokens.end(), tokens.begin(), tokens.end());
  text.committed = std::min(text.committed, static_cast<Position>(text.tokens.size()));
  text.last_used = ++clock_;
  if (text.shares)
    index(id, text);
  return text.shares && (!was_heard || text.committed / block > before);
}

bool KvBook::wants_more(TextId id) const {
  auto text = texts_.find(id);
  return text != texts_.end() && text->second.limit < text->second.most &&
         text->second.committed + early >= text->second.limit;
}

bool KvBook::is_stuck(TextId id) const {
  auto text = texts_.find(id);
  return wants_more(id) && text->second.committed + late >= text->second.limit;
}

std::optional<Position> KvBook::grow(TextId id) {
  Text& text = texts_.at(id);
  auto limit = std::min(text.most, text.limit + generous_step);
  // Generous only where others can be as well.
  auto needed = [&] { return blocks(limit) - static_cast<std::uint32_t>(text.blocks.size()); };
  if (*used_ + needed() + growing() * (generous_step / block) > capacity_)
    limit = std::min(text.most, text.limit + least_step);
  if (!make_room(needed(), text.source))
    return std::nullopt;
  text.limit = limit;
  take(text, blocks(limit));
  return limit;
}

void KvBook::stop(TextId id, bool keep) {
  auto found = texts_.find(id);
  if (found == texts_.end())
    return;
  Text& text = found->second;
  // Positions that were to come, and the last token, are not in the KV.
  text.tokens.resize(std::min<std::size_t>(text.tokens.size(), text.committed));
  text.blocks.resize(std::min<std::size_t>(text.blocks.size(), blocks(text.committed)));
  // What others hold anyway need not be kept once more: such texts would never be in anybody's way.
  bool is_of_use = text.committed >= block &&
                   (is_being_shared(id) || !std::ranges::all_of(text.blocks, [](const auto& one) {
                      return one.use_count() > 1;
                    }));
  if (!keep || !is_of_use) {
    remove_from_index(id, text);
    if (keep)
      evicted_.push_back(text.number);
    texts_.erase(found);
    return;
  }
  text.runs = false;
  text.last_used = ++clock_;
  // What it began with is a part of it now.
  auto source = texts_.find(std::exchange(text.source, 0));
  if (source != texts_.end() && !source->second.runs && !is_being_shared(source->first) &&
      source->second.tokens.size() <= text.tokens.size() &&
      std::equal(source->second.tokens.begin(), source->second.tokens.end(), text.tokens.begin()))
    evict(source->first);
}

void KvBook::distrust_source(TextId id) {
  auto text = texts_.find(id);
  auto source = text != texts_.end() ? texts_.find(text->second.source) : texts_.end();
  if (source != texts_.end() && !source->second.runs)
    evict(source->first);
}

bool KvBook::go_on(TextId id, SessionId number) {
  Text& text = texts_.at(id);
  if (!make_room(blocks(text.limit), id)) {
    stop(id, false);
    return false;
  }
  text.number = number;
  text.is_heard = false;
  take(text, blocks(text.limit));
  text.apart = false;
  return true;
}

std::vector<SessionId> KvBook::kept_numbers() const {
  std::vector<SessionId> numbers;
  for (const auto& [id, text] : texts_)
    if (!text.runs)
      numbers.push_back(text.number);
  return numbers;
}

/// Its blocks are given back, to be taken anew.
void KvBook::part_text(Text& text) {
  text.blocks.clear();
  text.source = 0;
}

bool KvBook::make_room(std::uint32_t needed, TextId except) {
  while (*used_ + needed > capacity_) {
    auto oldest = texts_.end();
    for (auto it = texts_.begin(); it != texts_.end(); ++it)
      if (!it->second.runs && it->first != except && !is_being_shared(it->first) &&
          (oldest == texts_.end() || it->second.last_used < oldest->second.last_used))
        oldest = it;
    if (oldest == texts_.end())
      return false;
    evict(oldest->first);
  }
  return true;
}

void KvBook::take(Text& text, std::uint32_t count) {
  while (text.blocks.size() < count)
    text.blocks.push_back(std::make_shared<Block>(used_));
}

void KvBook::index(TextId id, Text& text) {
  while ((text.hashes.size() + 1) * block <= text.tokens.size()) {
    auto tokens = std::span(text.tokens).subspan(text.hashes.size() * block, block);
    text.hashes.push_back(hash_of(tokens, text.hashes.empty() ? 0 : text.hashes.back()));
    index_[text.hashes.back()].insert(id);
  }
}

void KvBook::remove_from_index(TextId id, const Text& text) {
  for (auto hash : text.hashes)
    if (auto entry = index_.find(hash); entry != index_.end()) {
      entry->second.erase(id);
      if (entry->second.empty())
        index_.erase(entry);
    }
}

void KvBook::evict(TextId id) {
  const Text& text = texts_.at(id);
  evicted_.push_back(text.number);
  remove_from_index(id, text);
  texts_.erase(id);
}

bool KvBook::is_being_shared(TextId id) const {
  return std::ranges::any_of(
      texts_,
      [id](const auto& one) {
        const Text& text = one.second;
        return text.runs && !text.is_heard && text.source == id;
      });
}

/// Texts that will ask for more: one block each is left for them.
std::uint32_t KvBook::growing() const {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      texts_,
      [](const auto& one) { return one.second.runs && one.second.limit < one.second.most; }));
}

}  // namespace flowspec
