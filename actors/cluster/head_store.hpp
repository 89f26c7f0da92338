#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "models/base/types.hpp"
#include "models/layers/lm_head.hpp"
#include "models/ops/linear_form.hpp"

namespace flowspec {

/// LM heads that are in use on a node, by the model's hash and how they multiply: a verifier and a draft
/// that use the same one share its weights. Thread-safe.
class HeadStore {
 public:
  using Key = std::pair<std::string, LinearForm>;

  /// Loads it by `make` if nobody has it; others wait meanwhile. It stays as long as somebody keeps what
  /// this returns. Throws what `make` throws.
  std::shared_ptr<const LmHead> get(const Key& key, const std::function<LmHead()>& make) {
    std::lock_guard lock(mutex_);
    auto& known = heads_[key];
    if (auto head = known.lock())
      return head;
    std::erase_if(heads_,
                  [&](const auto& entry) { return entry.first != key && entry.second.expired(); });
    auto head = std::make_shared<const LmHead>(make());
    heads_[key] = head;
    return head;
  }

 private:
  std::mutex mutex_;
  std::map<Key, std::weak_ptr<const LmHead>> heads_;
};

}  // namespace flowspec
