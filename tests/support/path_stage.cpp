#include "tests/support/path_stage.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flowspec::test {
namespace {

/// What is in a slot. Inputs and paths are known by their hashes.
struct Written {
  bool is_there = false;
  Position position = 0;
  std::size_t input = 0;
  /// Of all inputs up to this one.
  std::size_t path = 0;
};

std::string said(const RowContext& row) {
  return "the row of position " + std::to_string(row.position);
}

class PathCache final : public KvCache {
 public:
  explicit PathCache(std::unique_ptr<KvCache> inner) : inner_(std::move(inner)) {}

  std::uint32_t layers() const override { return inner_->layers(); }
  std::uint32_t slots() const override { return inner_->slots(); }
  std::size_t bytes() const override { return inner_->bytes(); }
  void take_memory_as_written() override { inner_->take_memory_as_written(); }
  void forget() override {
    written_.clear();
    inner_->forget();
  }

  /// The same row of the cache within.
  RowContext add(const RowContext& row, std::size_t input) {
    if (written_.size() <= row.slot)
      written_.resize(row.slot + 1);
    written_[row.slot] = {true, row.position, input, path_of(row, input)};
    RowContext result = row;
    result.cache = inner_.get();
    return result;
  }

 private:
  /// Throws if the row's ancestors are not what was written.
  std::size_t path_of(const RowContext& row, std::size_t input) const {
    std::size_t path = 0;
    Position position = 0;
    const auto follow = [&](std::size_t next) { path = 31 * path + next + 1; };
    for (const auto& slots : {row.prefix, row.tail.first(row.tail.size() - 1)})
      for (const Slot slot : slots) {
        const Written ancestor = slot < written_.size() ? written_[slot] : Written{};
        follow(ancestor.input);
        if (!ancestor.is_there || ancestor.position != position || ancestor.path != path)
          throw std::logic_error(said(row) + " reads slot " + std::to_string(slot) +
                                 " for position " + std::to_string(position) +
                                 (!ancestor.is_there
                                      ? ": it was never written"
                                      : ": it holds position " + std::to_string(ancestor.position) +
                                            (ancestor.path == path ? "" : " of another path")));
        ++position;
      }
    if (position != row.position || row.tail.back() != row.slot)
      throw std::logic_error(said(row) + " has " + std::to_string(position) + " ancestors");
    follow(input);
    return path;
  }

  std::unique_ptr<KvCache> inner_;
  /// Up to the last one that was written: there may be millions.
  std::vector<Written> written_;
};

/// The rows within, in order: a row's ancestors come earlier.
template <class InputOf>
std::vector<RowContext> add_rows(std::span<const RowContext> rows, const InputOf& input_of) {
  std::vector<RowContext> result;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto* cache = dynamic_cast<PathCache*>(rows[i].cache);
    if (cache == nullptr)
      throw std::logic_error("a row has the cache of another back end");
    result.push_back(cache->add(rows[i], input_of(i)));
  }
  return result;
}

}  // namespace

std::unique_ptr<KvCache> PathStage::make_cache(std::uint32_t slots) const {
  return std::make_unique<PathCache>(inner_->make_cache(slots));
}

void PathStage::forward_tokens(std::span<const Token> tokens, std::span<const RowContext> rows,
                               std::span<float> out, std::span<const LayerTap> taps) {
  const auto inner =
      add_rows(rows, [&](std::size_t i) { return static_cast<std::size_t>(tokens[i]); });
  inner_->forward_tokens(tokens, inner, out, taps);
}

void PathStage::forward(std::span<const float> hidden, std::span<const RowContext> rows,
                        std::span<float> out, std::span<const LayerTap> taps) {
  const auto inner = add_rows(rows, [&](std::size_t i) {
    const auto row = std::as_bytes(hidden.subspan(i * hidden_size(), hidden_size()));
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(row.data()), row.size()});
  });
  inner_->forward(hidden, inner, out, taps);
}

}  // namespace flowspec::test
