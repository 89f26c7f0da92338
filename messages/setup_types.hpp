#pragma once
/// The content of the messages that make a pipeline, and that say how it does; types.hpp has those that
/// a text consists of.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/types.hpp"

namespace flowspec {

/// How long an emulated device computes: the larger of `least_ns` (reading the weights) and
/// `row_ns` for every row, and `fixed_ns` on top.
struct EmulatedForward {
  std::uint64_t least_ns = 0;
  std::uint64_t row_ns = 0;
  std::uint64_t fixed_ns = 0;
  friend bool operator==(const EmulatedForward&, const EmulatedForward&) = default;
};

/// An emulated link: one message at a time, then its latency.
struct EmulatedLink {
  /// 0: no limit.
  std::uint64_t bits_per_second = 0;
  std::uint64_t latency_ns = 0;
  /// What a row of a segment counts: its hidden states. Messages without rows count their bytes.
  std::uint32_t row_bytes = 0;
  friend bool operator==(const EmulatedLink&, const EmulatedLink&) = default;
};

/// The device that a stage is to behave like, and its link to the next hop.
struct EmulatedStage {
  EmulatedForward forward;
  EmulatedLink link;
  /// How long before its end a forward of the first stage is announced to the draft.
  std::uint64_t ready_lead_ns = 0;
  friend bool operator==(const EmulatedStage&, const EmulatedStage&) = default;
};

/// How keys and values are kept. models/types.hpp says what there is; 0 is float32.
enum class KvType : std::uint8_t;

/// Which stage a node is to build, and from which model.
struct StageSpec {
  std::uint32_t protocol = protocol_version;
  std::uint32_t stage = 0;
  std::uint32_t first_layer = 0;
  /// One past the last layer.
  std::uint32_t end_layer = 0;
  /// File name without folders; a node looks for it in its own model folders.
  std::string model_file;
  /// XXH3-128 of the model file, as hexadecimal digits.
  std::string model_hash;
  std::string numerics;
  std::uint32_t threads = 1;
  /// Rows of the largest segment.
  std::uint32_t max_rows = 64;
  /// None: as fast as the machine is.
  std::optional<EmulatedStage> emulation;
  KvType kv_type{};
  HiddenType hidden_type{};
  /// The layers whose inputs the draft reads, in rising order, wherever they are; the number of
  /// layers stands for what leaves the last one. The stage sends those that it computes.
  std::vector<std::uint32_t> taps;
  /// What the stage sends of committed positions is kept, as far as there is memory, so that a new stage
  /// behind it can be given its input.
  bool keeps_output = false;
  /// KV slots that the run wants for all its sessions together; 0: as many as there is memory for.
  std::uint32_t kv_slots = 0;
  friend bool operator==(const StageSpec&, const StageSpec&) = default;
};

/// What a pipeline consists of beside its stages.
enum class Part : std::uint16_t { verifier, draft, pruner };

/// How the weights of a draft are loaded. models/formats/load_type.hpp says what there is; 0 is as they
/// are in the file.
enum class LoadType : std::uint8_t;

/// Which part of a pipeline a node is to build, and from which models.
struct PartSpec {
  std::uint32_t protocol = protocol_version;
  Part part = Part::verifier;
  /// Stages of the pipeline.
  std::uint32_t stages = 1;
  /// As in `StageSpec`. The tree pruner needs no model.
  std::string model_file;
  std::string model_hash;
  std::string numerics;
  std::uint32_t threads = 1;
  /// Rows of the largest segment, or of a draft forward.
  std::uint32_t max_rows = 64;
  KvType kv_type{};
  HiddenType hidden_type{};
  /// The verifier sends hidden states to the draft.
  bool sends_features = false;
  /// How the draft guesses, and whether prunes go to the stages at once.
  std::string mode;
  bool adaptive = false;
  bool coupled = true;
  bool lookup = false;
  /// "none", "lookup", "self", or a file or folder, which a node looks for in its own model folders.
  std::string draft;
  /// Of its weights, as `StageSpec::model_hash`; empty if it has none of its own.
  std::string draft_hash;
  LoadType draft_type{};
  /// The tokens that an EAGLE head computes logits for; empty: all.
  std::vector<Token> draft_vocabulary;
  /// Names what was learnt of this draft with this model, and of these places, in the node's cache.
  std::string memory_pair;
  std::string memory_place;
  /// KV slots of the draft model that the run wants for all its sessions together; 0: as many as there is
  /// memory for.
  std::uint32_t kv_slots = 0;
  friend bool operator==(const PartSpec&, const PartSpec&) = default;
};

/// A model as one knows it who has no weights of it.
struct ModelCard {
  /// Of the file, or of the folder if there are several files in it.
  std::string name;
  /// As `StageSpec::model_hash`.
  std::string hash;
  bool is_folder = false;
  struct File {
    std::string name;
    std::uint64_t bytes = 0;
    /// What has to be read of it, from its beginning: all but the weights.
    std::uint64_t head_bytes = 0;
    friend bool operator==(const File&, const File&) = default;
  };
  std::vector<File> files;
  friend bool operator==(const ModelCard&, const ModelCard&) = default;
};

/// Consecutive bytes of a file.
struct FilePiece {
  std::string bytes;
  friend bool operator==(const FilePiece&, const FilePiece&) = default;
};

/// A connection of a node with another process.
struct PeerConnection {
  /// The other's.
  std::string name;
  std::string address;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  /// Lately.
  std::uint64_t bytes_in_per_s = 0;
  std::uint64_t bytes_out_per_s = 0;
  /// Waiting to be sent, by lane, and their bytes.
  std::uint32_t control_frames = 0;
  std::uint32_t data_frames = 0;
  std::uint64_t waiting_bytes = 0;
  std::uint32_t round_trip_us = 0;
  /// What the link carries at most, as a probe has found; 0: not probed.
  std::uint64_t link_bytes_per_s = 0;
  friend bool operator==(const PeerConnection&, const PeerConnection&) = default;
};

/// How fast a node computes the layers of a model, as it has measured.
struct LayerSpeed {
  /// Threads that computed.
  std::uint32_t threads = 1;
  /// Weights of a measured layer, in bytes as they are stored; the mean if there were several.
  std::uint64_t layer_bytes = 0;
  /// Time of a forward of 1, 16 and 64 rows through one layer.
  std::uint64_t row_ns = 0;
  std::uint64_t rows16_ns = 0;
  std::uint64_t rows64_ns = 0;
  friend bool operator==(const LayerSpeed&, const LayerSpeed&) = default;
};

/// What a node says about itself when asked.
struct NodeInfo {
  std::uint32_t protocol = protocol_version;
  std::string name;
  std::string version;
  std::string numerics;
  std::uint32_t cores = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t free_memory_bytes = 0;
  std::uint32_t stages = 0;
  std::vector<PeerConnection> connections;
  /// Most KV memory of one stage, and most stages, whoever asks; 0: not told.
  std::uint64_t kv_limit_bytes = 0;
  std::uint32_t max_stages = 0;
  /// Only where a model was named; if there is none then, `no_speed` says why.
  std::optional<LayerSpeed> speed;
  std::string no_speed;
  friend bool operator==(const NodeInfo&, const NodeInfo&) = default;
};

/// A segment at a hop.
struct SegmentMark {
  SegmentId segment = 0;
  /// Rows that were computed, and those of them that have been committed since.
  std::uint32_t rows = 0;
  std::uint32_t kept = 0;
  /// How long ago it began, and how long it took, in microseconds.
  std::uint64_t ago_us = 0;
  std::uint64_t busy_us = 0;
  friend bool operator==(const SegmentMark&, const SegmentMark&) = default;
};

/// What a stage has done since it was made.
struct StageStats {
  std::uint32_t stage = 0;
  std::uint64_t segments = 0;
  std::uint64_t rows_computed = 0;
  /// Rows that were dead when they came: dropped before they were computed.
  std::uint64_t rows_dropped = 0;
  /// Rows of sessions that the stage does not know.
  std::uint64_t rows_unknown = 0;
  std::uint64_t malformed = 0;
  std::uint64_t busy_ns = 0;
  std::uint64_t sessions = 0;
  std::uint64_t kv_slots_used = 0;
  std::uint64_t kv_bytes = 0;
  // Of the draft only:
  std::uint64_t draft_forwards = 0;
  /// Tokens that came while the controller had speculation on, and off; how often it switched; the
  /// last values it chose for the least path probability of a sent node and for the draft forwards
  /// before a segment.
  std::uint64_t guessed_tokens = 0;
  std::uint64_t plain_tokens = 0;
  std::uint64_t switches = 0;
  double send_reach = 0;
  std::uint32_t hold = 0;
  /// Answer tokens at places where the draft had made guesses, and how many of them were among the
  /// guesses.
  std::uint64_t guesses = 0;
  std::uint64_t right_guesses = 0;
  /// Scale of the guesses of the latest session, as it has been learnt; 0: not calibrated.
  double draft_scale = 0;
  /// Live nodes of all trees, and those of them that are in the pipeline.
  std::uint64_t tree_nodes = 0;
  std::uint64_t tree_sent = 0;
  // Of stages, and of the draft if its model has weights: KV slots that there are.
  std::uint64_t kv_slots = 0;
  // Of stages and the verifier: computed rows that have been committed, and the latest segments, oldest
  // first.
  std::uint64_t rows_kept = 0;
  std::vector<SegmentMark> recent{};
  friend bool operator==(const StageStats&, const StageStats&) = default;
};

}  // namespace flowspec
