#pragma once
/// The two tensor-parallel schemes of the published comparison (arXiv 2507.02620), as far as a
/// device profile tells how fast they are. Nothing is run: a round's time is the sum of its parts,
/// without what the software adds to every exchange, so real ones are slower.
///
/// Each of n devices has 1/n of every layer. A round is the same in both: the draft makes the tree
/// of `chunk-pp`, all devices compute all its rows together, and the tree is verified as a whole.
/// They differ in how a layer's partial sums meet, twice a layer:
///
///   megatron   all-reduce on a ring, after the product
///   galaxy     reduce-scatter and all-gather on a ring, cut into tiles that travel while others
///              are multiplied; the same bytes

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/bench/bench_report.hpp"
#include "runtime/cluster/profile.hpp"

namespace flowspec {

enum class TensorScheme { megatron, galaxy };
const char* name_of(TensorScheme scheme);

/// Time of an all-reduce of `bytes` over a ring of devices: every device sends 2 (n - 1) parts of
/// bytes / n, one after another. 0 for one device.
double all_reduce_seconds(const EmulatedLink& link, double bytes, std::uint32_t devices);

/// Time of all layers for a segment of so many rows, with the exchanges between the devices.
double tensor_forward_seconds(TensorScheme scheme, const DeviceProfile& profile,
                              const EmulatedLink& link, std::uint32_t devices, std::size_t rows);

/// Time of a round of the published tree: draft, layers, LM head.
/// @param mbps  replaces the rate of the profile's links unless it is 0.
double tensor_round_seconds(TensorScheme scheme, const DeviceProfile& profile, double mbps,
                            std::uint32_t devices);

/// Adds the two schemes to each setting in which `chunk-pp` was run on emulated devices: with as
/// many devices as it had stages, and its accept length, since tree and verification are the same.
/// Throws RuntimeError if the profile can't be read.
void add_tensor_parallel(std::vector<CellResult>& results);

}  // namespace flowspec
