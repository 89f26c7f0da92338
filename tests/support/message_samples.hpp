#pragma once
/// A sample of every message type, with no field at its default, and its conversion to and from
/// bytes.

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/deep_to_string.hpp>
#include <caf/expected.hpp>

#include "messages/type_ids.hpp"

namespace flowspec::tests {

using AllMessages =
    std::tuple<Segment, Prunes, Open, Close, Cancel, SegmentEnd, Verdict, SentRows, Features, Ready,
               Tokens, Closed, Fault, StageSpec, NodeInfo, StageStats, TextDelta, Report, Restored,
               Kept, PartSpec, ModelCard, FilePiece, Grow>;
inline constexpr auto biggest = std::numeric_limits<std::uint64_t>::max();

/// A sample with no field at its default.
template <class T>
T sample();

inline std::vector<Row> sample_rows() {
  return {{.session = 7, .id = 11, .parent = 10, .token = 5, .position = 100},
          {.session = 8, .id = first_fresh_node + 3, .parent = 11, .token = 31999, .position = 101},
          {.session = biggest, .id = 13, .parent = no_node, .token = 0, .position = 4'000'000'000}};
}
inline std::vector<Prune> sample_prunes() {
  return {{.session = 7, .version = 3, .path = {4, 5, biggest}, .root = sample_rows()[0]},
          {.session = 8, .version = biggest, .path = {}, .root = sample_rows()[1]}};
}
inline std::vector<TokenLogprob> sample_logprobs() {
  return {{17, -0.5F, {{17, -0.5F}, {4, -1.25F}}}, {1, -2.0F, {}}};
}
inline Tensor sample_tensor(std::uint32_t rows, std::uint32_t columns, HiddenType type = {}) {
  auto memory = std::make_shared<std::vector<float>>(std::size_t{rows} * columns);
  for (std::size_t i = 0; i < memory->size(); ++i)
    (*memory)[i] = 0.5F - static_cast<float>(i);
  return {.rows = rows, .columns = columns, .values = *memory, .owner = memory, .type = type};
}

template <>
inline Segment sample() {
  return {.id = 42,
          .rows = sample_rows(),
          .prunes = sample_prunes(),
          .hidden = sample_tensor(3, 5),
          .awaits_more = true};
}
template <>
inline Prunes sample() {
  return {.prunes = sample_prunes(), .ended = {1, 2, biggest}};
}
template <>
inline Open sample() {
  return {.session = 9,
          .root = 1,
          .prompt = {1, 403, 2501},
          .sampling = {.temperature = 0.7F,
                       .top_k = 40,
                       .top_p = 0.9F,
                       .seed = biggest,
                       .min_p = 0.05F,
                       .repetition_penalty = 1.1F,
                       .frequency_penalty = -0.5F,
                       .presence_penalty = 0.25F,
                       .logit_bias = {{5, -100}, {31999, 2.5F}},
                       .logprobs = 3},
          .position_limit = 512,
          .slots = 640,
          .prefix_session = 8,
          .cached_tokens = 2,
          .restores = true,
          .prunes = sample_prunes(),
          .prompt_tokens = 2};
}
template <>
inline Grow sample() {
  return {.session = 9, .position_limit = 640, .slots = 900};
}
template <>
inline Restored sample() {
  return {.session = 9, .position = 7, .count = 3, .hidden = sample_tensor(3, 5)};
}
template <>
inline PartSpec sample() {
  return {.protocol = 2,
          .part = Part::draft,
          .stages = 4,
          .model_file = "target.gguf",
          .model_hash = "0123456789abcdefABCDEF0123456789",
          .numerics = "avx2",
          .threads = 3,
          .max_rows = 48,
          .kv_type = static_cast<KvType>(1),
          .hidden_type = static_cast<HiddenType>(2),
          .sends_features = true,
          .mode = "flowspec",
          .adaptive = true,
          .coupled = false,
          .lookup = true,
          .draft = "eagle",
          .draft_hash = "fedcba9876543210fedcba9876543210",
          .draft_type = static_cast<LoadType>(2),
          .draft_vocabulary = {1, 5, 31999},
          .memory_pair = "pair",
          .memory_place = "place",
          .kv_slots = 9000};
}
template <>
inline ModelCard sample() {
  return {.name = "model",
          .hash = "0123456789abcdef",
          .is_folder = true,
          .files = {{"config.json", 700, 700}, {"model.safetensors", biggest, 4096}}};
}
template <>
inline FilePiece sample() {
  return {.bytes = std::string("a\0b\xff", 4)};
}
template <>
inline Kept sample() {
  return {.sessions = {{9, 3, 2}, {biggest, 4, 4}}, .segment = biggest};
}
template <>
inline Close sample() {
  return {.session = 9, .keep = true, .prunes = sample_prunes()};
}
template <>
inline Cancel sample() {
  return {.session = biggest};
}
template <>
inline SegmentEnd sample() {
  return {.segment = 42, .stage = 3};
}
template <>
inline Verdict sample() {
  return {
      .paths = {{.session = 7,
                 .version = 2,
                 .path = {{.id = 4, .parent = 3, .token = 17}, {.id = 5, .parent = 4, .token = 1}},
                 .next = 99,
                 .logprobs = sample_logprobs()},
                {.session = 8, .version = 1, .path = {}, .next = 2}},
      .ended = {42, 43}};
}
template <>
inline SentRows sample() {
  return {.segment = 44, .rows = sample_rows()};
}
template <>
inline Features sample() {
  return {.session = 7, .nodes = {4, 5}, .hidden = sample_tensor(2, 9), .tap = 2};
}
template <>
inline Ready sample() {
  return {.segment = 42, .free_in_us = 1500};
}
template <>
inline Tokens sample() {
  return {.session = 7, .position = 12, .tokens = {1, 2}, .logprobs = sample_logprobs()};
}
template <>
inline Closed sample() {
  return {.session = 7};
}
template <>
inline TextDelta sample() {
  return {.session = 7, .text = "Once upon a time\n", .tokens = sample_logprobs()};
}
template <>
inline Report sample() {
  return {.session = 7,
          .finish = Finish::stop_string,
          .error = "none",
          .tokens = {5, 6, 7},
          .prompt_tokens = 3,
          .verifications = 2,
          .prefill_us = 1200,
          .decode_us = 3400,
          .recoveries = 2,
          .paused_us = 99,
          .cached_tokens = 2};
}
template <>
inline Fault sample() {
  return {.session = 7,
          .segment = 42,
          .stage = 1,
          .error = "the stage is out of KV slots",
          .unreachable = true,
          .receiver = 2};
}
template <>
inline StageSpec sample() {
  return {.protocol = 2,
          .stage = 1,
          .first_layer = 4,
          .end_layer = 8,
          .model_file = "stories.gguf",
          .model_hash = "0123456789abcdefABCDEF0123456789",
          .numerics = "f32-avx2",
          .threads = 2,
          .max_rows = 32,
          .emulation = EmulatedStage{.forward = {79'000'000, 1'080'000, 2'000'000},
                                     .link = {1'000'000'000, 200'000, 8192},
                                     .ready_lead_ns = 3'000'000},
          .kv_type = KvType{1},
          .hidden_type = HiddenType{2},
          .taps = {2, 5, 7},
          .keeps_output = true,
          .kv_slots = 4096};
}
template <>
inline NodeInfo sample() {
  return {.protocol = 2,
          .name = "board-3",
          .version = "0.1.0",
          .numerics = "f32-avx2",
          .cores = 4,
          .memory_bytes = std::uint64_t{8} << 30,
          .free_memory_bytes = std::uint64_t{5} << 30,
          .stages = 2,
          .connections = {{"board-4", "10.0.0.4:7341", 1, biggest, 3, 4, 5, 6, 7, 8, 9}, {}},
          .kv_limit_bytes = std::uint64_t{1} << 30,
          .max_stages = 8,
          .speed = LayerSpeed{4, 100'000'000, 2'000'000, 9'000'000, 30'000'000},
          .no_speed = "no such model"};
}
template <>
inline StageStats sample() {
  return {1,  2,       3,    4,  5,  6,  7,   8,
          9,  biggest, 11,   12, 13, 14, 0.5, 16,
          17, 18,      0.75, 20, 21, 22, 23,  {{41, 5, 3, 2000, 900}, {biggest, 6, 0, 1000, 901}}};
}

inline bool same(const Tensor& a, const Tensor& b) {
  return a.rows == b.rows && a.columns == b.columns && a.type == b.type &&
         std::ranges::equal(a.values, b.values);
}
template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}
inline bool same(const Segment& a, const Segment& b) {
  return a.id == b.id && a.rows == b.rows && a.prunes == b.prunes && same(a.hidden, b.hidden) &&
         a.awaits_more == b.awaits_more;
}
inline bool same(const Restored& a, const Restored& b) {
  return a.session == b.session && a.position == b.position && a.count == b.count &&
         same(a.hidden, b.hidden);
}
inline bool same(const Features& a, const Features& b) {
  return a.session == b.session && a.nodes == b.nodes && same(a.hidden, b.hidden) && a.tap == b.tap;
}

template <class T>
std::string error_of(const caf::expected<T>& result) {
  BOOST_REQUIRE(!result);
  return caf::deep_to_string(result.error());
}

template <class T>
std::vector<char> to_bytes(Wire<T> message) {
  std::vector<char> bytes;
  caf::binary_serializer sink(nullptr, bytes);
  BOOST_REQUIRE(!sink(message));
  return bytes;
}

/// The result of parsing the bytes as a receiver does; must not throw.
template <class T>
caf::expected<T> receive(const std::vector<char>& bytes) {
  Wire<T> message;
  caf::binary_deserializer source(nullptr, bytes);
  if (auto error = source(message))
    return error;
  return message.read();
}

}  // namespace flowspec::tests
