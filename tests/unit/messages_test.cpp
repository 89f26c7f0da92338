/// Messages keep every field on their way and share memory inside a process.

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/message.hpp>

#include "messages/limits.hpp"
#include "messages/segment_writer.hpp"
#include "tests/support/message_samples.hpp"

using namespace flowspec;
using namespace flowspec::tests;

namespace {

bool is_inside(std::span<const float> values, std::span<const std::uint64_t> words) {
  const auto* first = reinterpret_cast<const char*>(words.data());
  const auto* begin = reinterpret_cast<const char*>(values.data());
  return begin >= first && begin + values.size_bytes() <= first + words.size_bytes();
}

constexpr HiddenType f16{1};
constexpr HiddenType bf16{2};

/// By the types' definitions.
float number_of(HiddenType type, std::uint16_t bits) {
  if (type == bf16)
    return std::bit_cast<float>(std::uint32_t{bits} << 16U);
  const auto exponent = static_cast<int>((bits >> 10U) & 0x1fU);
  const auto fraction = static_cast<int>(bits & 0x3ffU);
  float magnitude = std::ldexp(static_cast<float>(fraction), -24);
  if (exponent == 31)
    magnitude = fraction == 0 ? std::numeric_limits<float>::infinity()
                              : std::numeric_limits<float>::quiet_NaN();
  else if (exponent > 0)
    magnitude = std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return std::copysign(magnitude, (bits & 0x8000U) != 0 ? -1.0F : 1.0F);
}

template <class T>
void check_round_trips() {
  const auto content = sample<T>();
  const auto message = Wire<T>(content);
  const auto here = message.read();
  BOOST_REQUIRE_MESSAGE(here, to_string(message));
  BOOST_CHECK_MESSAGE(same(*here, content), to_string(message));

  const auto bytes = to_bytes(message);
  BOOST_CHECK(bytes.size() == message.bytes() + sizeof(std::uint32_t));
  const auto there = receive<T>(bytes);
  BOOST_REQUIRE_MESSAGE(there, to_string(message));
  BOOST_CHECK_MESSAGE(same(*there, content), to_string(message));
}

template <class T>
void check_printing() {
  const auto message = Wire<T>(sample<T>());
  const auto text = caf::deep_to_string(message);
  BOOST_CHECK(text.ends_with(std::to_string(message.bytes()) + " bytes)"));
  BOOST_CHECK(text.size() < 40U);
}

template <class... T>
void check_all_round_trips(std::tuple<T...>*) {
  (check_round_trips<T>(), ...);
}

template <class... T>
void check_all_printing(std::tuple<T...>*) {
  (check_printing<T>(), ...);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_field_of_every_message_survives_cap_n_proto_and_cafs_serializer) {
  check_all_round_trips(static_cast<AllMessages*>(nullptr));
}

BOOST_AUTO_TEST_CASE(printing_shows_type_and_size_only) {
  check_all_printing(static_cast<AllMessages*>(nullptr));
}

BOOST_AUTO_TEST_CASE(copies_in_a_process_share_memory) {
  const auto message = SegmentMessage(sample<Segment>());
  SegmentMessage copy;
  copy = message;
  BOOST_TEST(copy.words().data() == message.words().data());
  const auto in_caf = caf::make_message(message);
  BOOST_TEST(in_caf.get_as<SegmentMessage>(0).words().data() == message.words().data());
}

BOOST_AUTO_TEST_CASE(cafs_messages_carry_the_registered_types) {
  caf::actor_system_config config;
  config.add_message_types<caf::id_block::flowspec_messages>();
  config.set("scheduler.max-threads", 1);
  caf::actor_system system(config);
  auto sent = caf::make_message(submit_a_v, SegmentMessage(sample<Segment>()),
                                StageStatsMessage(sample<StageStats>()));
  std::vector<char> bytes;
  caf::binary_serializer sink(system, bytes);
  BOOST_REQUIRE(!sink(sent));
  caf::message received;
  caf::binary_deserializer source(system, bytes);
  BOOST_REQUIRE(!source(received));
  BOOST_REQUIRE((received.match_elements<submit_a, SegmentMessage, StageStatsMessage>()));
  BOOST_TEST(same(*received.get_as<SegmentMessage>(1).read(), sample<Segment>()));
}

BOOST_AUTO_TEST_CASE(read_tensors_lie_in_the_message_and_outlive_it) {
  auto message = SegmentMessage(sample<Segment>());
  const auto content = *message.read();
  BOOST_TEST(is_inside(content.hidden.values, message.words()));
  BOOST_TEST(reinterpret_cast<std::uintptr_t>(content.hidden.values.data()) % 8 == 0U);
  message = SegmentMessage();
  BOOST_TEST(same(content.hidden, sample_tensor(3, 5)));
  BOOST_TEST(content.hidden.row(2)[1] == 0.5F - 11.0F);
}

BOOST_AUTO_TEST_CASE(hidden_states_of_16_bits_take_half_the_bytes_and_come_back_as_they_were) {
  for (const auto type : {f16, bf16}) {
    Segment segment{.id = 1, .rows = sample_rows(), .prunes = {}, .hidden = {}};
    segment.hidden = sample_tensor(3, 40);  // exact in both types
    const auto wide = SegmentMessage(segment).bytes();
    segment.hidden.type = type;
    const SegmentMessage message(segment);
    BOOST_TEST(message.bytes() == wide - 3 * 40 * 2);
    BOOST_TEST(same(*message.read(), segment));
    BOOST_TEST(same(*receive<Segment>(to_bytes(message)), segment));
  }
}

BOOST_AUTO_TEST_CASE(every_number_of_16_bits_survives_the_way) {
  for (const auto type : {f16, bf16}) {
    // Every pattern as a message has it; unpacking is checked against its definition.
    std::vector<float> values(1U << 16U);
    for (std::uint32_t bits = 0; bits < values.size(); ++bits)
      values[bits] = number_of(type, static_cast<std::uint16_t>(bits));
    Segment segment{.id = 1, .rows = {sample_rows()[0]}, .prunes = {}, .hidden = {}};
    segment.hidden = {1, limits::columns, values, nullptr, type};
    const auto content = *SegmentMessage(segment).read();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool is_right = std::isnan(values[i])
                                ? std::isnan(content.hidden.values[i])
                                : std::bit_cast<std::uint32_t>(values[i]) ==
                                      std::bit_cast<std::uint32_t>(content.hidden.values[i]);
      wrong += is_right ? 0 : 1;
    }
    BOOST_TEST(wrong == 0U);
  }
}

BOOST_AUTO_TEST_CASE(no_number_stays_none_when_its_last_bits_are_cut_off) {
  const std::vector<float> values{std::bit_cast<float>(0x7f800001U),
                                  std::bit_cast<float>(0xff800001U),
                                  std::numeric_limits<float>::quiet_NaN()};
  for (const auto type : {f16, bf16}) {
    Segment segment{.id = 1, .rows = {sample_rows()[0]}, .prunes = {}, .hidden = {}};
    segment.hidden = {1, 3, values, nullptr, type};
    const auto content = *SegmentMessage(segment).read();
    for (const float value : content.hidden.values)
      BOOST_TEST(std::isnan(value));
  }
}

BOOST_AUTO_TEST_CASE(a_stage_writes_floats_where_the_segment_carries_16_bits) {
  for (const auto type : {f16, bf16}) {
    auto expected = sample<Segment>();
    expected.hidden.type = type;
    SegmentWriter writer(expected.id, expected.rows, 5, expected.prunes, expected.awaits_more,
                         type);
    BOOST_REQUIRE(writer.hidden().size() == 15U);
    std::ranges::copy(expected.hidden.values, writer.hidden().begin());
    BOOST_TEST(same(*std::move(writer).finish().read(), expected));
  }
}

BOOST_AUTO_TEST_CASE(a_stage_writes_hidden_states_straight_into_the_segment) {
  const auto expected = sample<Segment>();
  SegmentWriter writer(expected.id, expected.rows, 5, expected.prunes, expected.awaits_more);
  BOOST_REQUIRE(writer.hidden().size() == 15U);
  std::ranges::copy(expected.hidden.values, writer.hidden().begin());
  const auto* area = writer.hidden().data();
  const auto message = std::move(writer).finish();
  const auto content = *message.read();
  BOOST_TEST(content.hidden.values.data() == area);
  BOOST_TEST(is_inside(content.hidden.values, message.words()));
  BOOST_TEST(same(content, expected));
  BOOST_TEST(same(*receive<Segment>(to_bytes(message)), expected));
}

BOOST_AUTO_TEST_CASE(a_segment_writer_without_hidden_size_makes_a_segment_of_rows) {
  SegmentWriter writer(1, sample_rows(), 0, {});
  BOOST_TEST(writer.hidden().empty());
  const auto content = *std::move(writer).finish().read();
  BOOST_TEST((content.rows == sample_rows()));
  BOOST_TEST(content.hidden.rows == 0U);
}

BOOST_AUTO_TEST_CASE(lists_of_many_lengths_fit_the_space_computed_for_them) {
  for (std::size_t n = 0; n < 70; ++n) {
    auto open = sample<Open>();
    open.prompt.resize(n + 1, 3);
    open.cached_tokens = 0;
    open.prompt_tokens = 0;
    BOOST_TEST(same(*OpenMessage(open).read(), open));
    auto spec = sample<StageSpec>();
    spec.model_file = std::string(n + 1, 'm');
    spec.model_hash = std::string(n, 'a');
    spec.numerics = std::string(2 * n, 'x');
    spec.taps.resize(std::min(n, limits::taps));
    std::iota(spec.taps.begin(), spec.taps.end(), 0U);
    BOOST_TEST(same(*StageSpecMessage(spec).read(), spec));
    Prunes prunes{.prunes = {n, sample_prunes()[0]}, .ended = std::vector<SegmentId>(n, 4)};
    for (auto& prune : prunes.prunes)
      prune.path.resize(n, 8);
    BOOST_TEST(same(*PrunesMessage(prunes).read(), prunes));
    Verdict verdict{.paths = {n, sample<Verdict>().paths[0]},
                    .ended = std::vector<SegmentId>(n, 4)};
    for (auto& walk : verdict.paths)
      walk.path.resize(n, {.id = 8, .parent = 7, .token = 6});
    BOOST_TEST(same(*VerdictMessage(verdict).read(), verdict));
    auto segment = sample<Segment>();
    segment.rows.resize(n + 1, sample_rows()[0]);
    const auto columns = static_cast<std::uint32_t>(2 * n + 1);
    segment.hidden = sample_tensor(static_cast<std::uint32_t>(n + 1), columns);
    BOOST_TEST(same(*SegmentMessage(segment).read(), segment));
  }
}

BOOST_AUTO_TEST_CASE(a_stage_keeps_floats_where_nothing_else_is_said) {
  auto spec = sample<StageSpec>();
  spec.kv_type = {};
  BOOST_CHECK(StageSpecMessage(spec).read()->kv_type == KvType{0});
}

BOOST_AUTO_TEST_CASE(content_beyond_the_largest_message_is_not_built) {
  const std::vector<Row> rows(limits::rows, sample_rows()[0]);
  BOOST_CHECK_THROW(SegmentWriter(1, rows, limits::columns, {}), std::length_error);
  Prunes much{.prunes = std::vector<Prune>(40, sample_prunes()[0]), .ended = {}};
  for (auto& prune : much.prunes)
    prune.path.resize(limits::tokens, 1);
  BOOST_CHECK_THROW(PrunesMessage{much}, std::length_error);
}

BOOST_AUTO_TEST_CASE(the_text_of_an_error_is_cut_rather_than_refused) {
  auto fault = sample<Fault>();
  fault.error = std::string(100'000, 'x');
  BOOST_TEST(FaultMessage(fault).read()->error == std::string(limits::text, 'x'));
  auto report = sample<Report>();
  report.error = fault.error;
  BOOST_TEST(ReportMessage(report).read()->error == std::string(limits::text, 'x'));
}
