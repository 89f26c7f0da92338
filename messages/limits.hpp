#pragma once
/// Bounds that every reader enforces, whoever sent the message.

#include <cstddef>
#include <cstdint>

namespace flowspec::limits {

/// Rows of one segment.
inline constexpr std::size_t rows = 4096;
/// Columns of a tensor (the hidden size).
inline constexpr std::size_t columns = 65536;
/// Hidden states of the target that a draft reads for one token.
inline constexpr std::size_t taps = 64;
/// Prunes, or accepted paths, in one message.
inline constexpr std::size_t prunes = 4096;
/// Ended segments in one message.
inline constexpr std::size_t ended = 4096;
/// Tokens of a text: the prompt, a committed path, an accepted path.
inline constexpr std::size_t tokens = std::size_t{1} << 20;
/// Sessions of a hop.
inline constexpr std::size_t sessions = std::size_t{1} << 16;
/// KV slots that a session may ask for.
inline constexpr std::size_t slots = std::size_t{1} << 22;
/// Tokens whose logits a session shifts, and alternatives told of a token.
inline constexpr std::size_t logit_bias = 1024;
inline constexpr std::uint32_t logprobs = 64;
/// Segments that a hop tells of.
inline constexpr std::size_t recent_segments = 64;
/// Bytes of a string; the sender cuts the text of a fault to this length.
inline constexpr std::size_t text = 4096;
/// Layers of a model.
inline constexpr std::uint32_t layers = 4096;
/// Longest time of one step of an emulated device: an hour, in nanoseconds.
inline constexpr std::uint64_t emulated_ns = 3'600'000'000'000;
/// Bytes of one row on an emulated link, and its least rate in bits per second.
inline constexpr std::uint64_t emulated_row_bytes = std::uint64_t{1} << 20;
inline constexpr std::uint64_t emulated_rate = 1000;
/// Connections of a node.
inline constexpr std::size_t connections = 4096;
/// Files of a model.
inline constexpr std::size_t model_files = 1024;
/// Bytes of a piece of a file.
inline constexpr std::size_t file_piece = std::size_t{1} << 20;
/// Compute threads of a stage.
inline constexpr std::uint32_t threads = 1024;

/// Bytes of a message with so large a tensor of float32: its values, and room for what comes with them,
/// the rows and a long text's prunes.
constexpr std::size_t message_bytes(std::size_t tensor_rows, std::size_t tensor_columns) {
  return (std::size_t{16} << 20) + tensor_rows * (tensor_columns * sizeof(float) + 64);
}

}  // namespace flowspec::limits
