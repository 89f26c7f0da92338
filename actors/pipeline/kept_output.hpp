#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "models/kv/kv_cache.hpp"

namespace flowspec {

/// What a stage has sent of one session's rows, by their KV slots, so that it can be sent again to a
/// new hop. Empty where it is not kept.
class KeptOutput {
 public:
  KeptOutput() = default;
  /// @param claim  the memory's, kept as long as this.
  KeptOutput(std::size_t slots, std::size_t columns, std::shared_ptr<const void> claim)
      : columns_(columns), values_(slots * columns), claim_(std::move(claim)) {}

  bool empty() const { return values_.empty(); }
  std::span<float> row(Slot slot) {
    return std::span(values_).subspan(std::size_t{slot} * columns_, columns_);
  }

 private:
  std::size_t columns_ = 0;
  std::vector<float> values_;
  std::shared_ptr<const void> claim_;
};

}  // namespace flowspec
