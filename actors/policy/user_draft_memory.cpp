#include "actors/policy/user_draft_memory.hpp"

#include "models/drafts/draft_cache.hpp"
#include "models/formats/file_hash.hpp"

namespace flowspec {

DraftMemory user_draft_memory(const std::string& pair, const std::string& place) {
  static_assert(Calibration::kinds == std::tuple_size_v<DraftCache::Numbers>);
  auto pair_name = "scales:" + hash_bytes(pair);
  auto place_name = "speeds:" + hash_bytes(pair + "@" + place);
  auto cache = user_draft_cache();
  DraftMemory memory;
  memory.scales = cache.find(pair_name);
  if (auto speeds = cache.find(place_name))
    memory.speeds = {(*speeds)[0], (*speeds)[1], (*speeds)[2], (*speeds)[3]};
  memory.keep = [cache, pair_name, place_name](const Calibration::Scales& scales,
                                               const std::optional<Controller::Learnt>& speeds) {
    cache.keep(pair_name, scales);
    if (speeds)
      cache.keep(place_name, {speeds->guessed_rate, speeds->plain_rate, speeds->shortest_trip,
                              speeds->tokens_until_probe});
  };
  return memory;
}

}  // namespace flowspec
