#pragma once
/// Device profiles: how long emulated devices and links take for a model of any size, while a small
/// model is really computed.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "messages/setup_types.hpp"
#include "messages/types.hpp"
#include "models/base/types.hpp"
#include "models/formats/load_type.hpp"

namespace flowspec {

/// The shape of the emulated model.
struct EmulatedShape {
  std::uint32_t hidden = 0;
  std::uint32_t layers = 0;
  std::uint32_t ffn = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t vocab = 0;
  double bytes_per_weight = 2;

  /// Weights of one decoder layer, and of the LM head.
  double layer_weights() const;
  double head_weights() const;
};

/// Where draft, tree pruner and verifier compute: on a device of their own, or sharing that of the
/// first or last stage.
enum class DraftPlace { own_device, first_stage, last_stage };

struct DeviceProfile {
  /// As the user named it.
  std::string name;
  double memory_gb_per_s = 0;
  double memory_efficiency = 1;
  double tflops = 0;
  double overhead_ms = 0;
  EmulatedShape model;
  /// The number of stages that the profile was made for; a run may have more or fewer.
  std::uint32_t stages = 1;
  /// Layers of each of these stages; empty: equal parts.
  std::vector<std::uint32_t> split;
  /// Decoder layers of the draft head.
  std::uint32_t draft_layers = 1;
  DraftPlace draft_place = DraftPlace::own_device;
  /// What the hidden states are rounded to, and what the links carry.
  HiddenType hidden_type = HiddenType::f32;
  double link_mbps = 0;
  double link_latency_ms = 0;
  double ready_lead_ms = 0;
  /// Published measurements; those of draft and head include overhead. The stage's is for
  /// model.layers / stages layers.
  std::optional<double> stage_ms;
  std::optional<double> stage_ms_per_row;
  std::optional<double> draft_ms;
  std::optional<double> head_ms;

  /// Layers of the emulated model that a stage of this many has: as `split` says for their number,
  /// or else its share of all.
  double stage_layers(std::size_t stage, std::size_t of, double share) const;
  /// A stage with this many layers of the emulated model; not always a whole number, since a stage
  /// gets the same share of the emulated layers as it has of the real model's.
  EmulatedForward stage(double layers) const;
  /// A forward of the draft head with its LM head; rows are the nodes that it expands. With a type
  /// of fewer bytes per weight than the model's, reading the weights takes that much less; the rest
  /// of the forward takes as long as before, and so do its rows. Of a measured time, the part that
  /// is reading is what the formula says, or all of it if it is shorter.
  /// @param vocabulary  the part of the vocabulary that the draft computes logits for: its LM head has
  ///                    as many fewer weights to read and to multiply by.
  EmulatedForward draft(LoadType type = LoadType::as_is, double vocabulary = 1) const;
  /// LM head and verification of returned rows.
  EmulatedForward head() const;

  double stage_seconds(double layers, std::size_t rows) const;
  double draft_seconds(std::size_t rows, LoadType type = LoadType::as_is,
                       double vocabulary = 1) const;
  double head_seconds(std::size_t rows) const;

  /// Hidden states of one row.
  std::uint32_t row_bytes() const { return model.hidden * bytes_of(hidden_type); }
  /// From stage to stage. `mbps` replaces the profile's rate unless it is 0.
  EmulatedLink link(double mbps = 0) const;
  /// To the first stage: a row has its ids, token and position.
  EmulatedLink first_link(double mbps = 0) const;
  /// From the end of the computation to the arrival, if the link is free.
  double link_seconds(std::size_t bytes) const;

 private:
  EmulatedForward roofline(double weights) const;
};

/// JSON with comments; unknown keys are errors. `name` is the file's name, for errors. Throws
/// RuntimeError.
DeviceProfile parse_profile(const std::string& text, const std::string& name);

/// A file, or the name of one in config/ without ".json". Throws RuntimeError, which lists the
/// known profiles.
DeviceProfile read_profile(const std::string& name_or_file);

}  // namespace flowspec
