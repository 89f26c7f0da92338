#include "runtime/bench/tensor_parallel.hpp"

#include <algorithm>

#include "actors/policy/modes/modes.hpp"
#include "runtime/bench/cells.hpp"

namespace flowspec {

namespace {

double seconds(std::uint64_t ns) {
  return static_cast<double>(ns) * 1e-9;
}

double transfer_seconds(const EmulatedLink& link, double bytes) {
  return bytes * 8 / static_cast<double>(link.bits_per_second) + seconds(link.latency_ns);
}

/// The published tree: the root first, then a forward for each of its levels.
double draft_seconds(const DeviceProfile& profile, const DraftPolicy& policy) {
  return profile.draft_seconds(1) + (published_forwards - 1) * profile.draft_seconds(policy.top_k);
}

CellResult modelled(TensorScheme scheme, const BenchSummary& base) {
  CellResult result;
  BenchSummary& summary = result.summary;
  summary.what = base.what;
  summary.what.mode = name_of(scheme);
  summary.hidden_type = base.hidden_type;
  summary.modelled_devices = static_cast<std::uint32_t>(stage_count(base));
  summary.prompts = base.prompts;
  summary.prompt_tokens = base.prompt_tokens;
  summary.tokens = base.tokens;
  summary.accept_length = base.accept_length;
  summary.accept_lengths = base.accept_lengths;
  auto profile = read_profile(base.what.profile);
  profile.hidden_type = base.hidden_type;
  auto round = tensor_round_seconds(scheme, profile, base.what.link_mbps, summary.modelled_devices);
  summary.decode_rate = base.accept_length / round;
  summary.decode_rates = {base.accept_lengths.mean / round, base.accept_lengths.sd / round};
  return result;
}

bool is_base(const CellResult& result) {
  return result.error.empty() && result.summary.what.mode == "chunk-pp" &&
         !result.summary.what.profile.empty() && result.summary.modelled_devices == 0;
}

}  // namespace

const char* name_of(TensorScheme scheme) {
  return scheme == TensorScheme::megatron ? "megatron" : "galaxy";
}

double all_reduce_seconds(const EmulatedLink& link, double bytes, std::uint32_t devices) {
  return 2.0 * (devices - 1) * transfer_seconds(link, bytes / devices);
}

double tensor_forward_seconds(TensorScheme scheme, const DeviceProfile& profile,
                              const EmulatedLink& link, std::uint32_t devices, std::size_t rows) {
  double layers = profile.model.layers;
  auto fixed = seconds(profile.stage(layers / devices).fixed_ns);
  auto compute = profile.stage_seconds(layers / devices, rows) - fixed;
  if (scheme == TensorScheme::galaxy)  // the devices have an equal part of the rows each
    rows = (rows + devices - 1) / devices * devices;
  auto exchange = all_reduce_seconds(link, static_cast<double>(rows) * link.row_bytes, devices);
  auto exchanges = 2 * layers * exchange;
  // The embeddings are spread over the devices too, and there is no product to hide their exchange.
  return fixed + exchange +
         (scheme == TensorScheme::megatron ? compute + exchanges : std::max(compute, exchanges));
}

double tensor_round_seconds(TensorScheme scheme, const DeviceProfile& profile, double mbps,
                            std::uint32_t devices) {
  auto policy = chunk_pp_policy(devices);
  std::size_t rows = policy.tree_nodes + 1;
  auto link = profile.link(mbps);
  auto ids = transfer_seconds(link, static_cast<double>(rows) * profile.first_link().row_bytes);
  auto forward = tensor_forward_seconds(scheme, profile, link, devices, rows);
  // A device that has a part of the layers has the hidden states too.
  auto back = profile.draft_place == DraftPlace::own_device
                  ? transfer_seconds(link, static_cast<double>(rows) * link.row_bytes)
                  : 0;
  return draft_seconds(profile, policy) + ids + forward + back + profile.head_seconds(rows);
}

void add_tensor_parallel(std::vector<CellResult>& results) {
  for (std::size_t begin = 0; begin < results.size();) {
    auto end = begin;
    auto setting = setting_of(results[begin].summary.what);
    std::vector<CellResult> added;
    for (; end < results.size() && setting_of(results[end].summary.what) == setting; ++end)
      if (is_base(results[end]))
        for (auto scheme : {TensorScheme::megatron, TensorScheme::galaxy})
          added.push_back(modelled(scheme, results[end].summary));
    results.insert(results.begin() + static_cast<std::ptrdiff_t>(end), added.begin(), added.end());
    begin = end + added.size();
  }
}

}  // namespace flowspec
