/// Whatever bytes come from another machine are read as a valid message or refused with an error
/// value.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>

#include <boost/test/unit_test.hpp>

#include "messages/limits.hpp"
#include "tests/support/message_samples.hpp"

using namespace flowspec;
using namespace flowspec::tests;

namespace {

WireBuffer buffer_of(std::span<const std::uint64_t> words) {
  auto copy = std::make_shared<std::uint64_t[]>(words.size());
  std::ranges::copy(words, copy.get());
  return {copy, words.size()};
}

/// What is accepted can be passed on. @returns the error otherwise.
template <class T>
caf::error outcome(const caf::expected<T>& result) {
  if (!result)
    return result.error();
  BOOST_CHECK(static_cast<bool>(Wire<T>(*result).read()));
  return caf::none;
}

/// One message type with its type erased: the tests below are the same for all.
struct Kind {
  std::vector<std::uint64_t> words;
  std::vector<char> bytes;
  std::vector<char> empty;
  caf::error (*read)(WireBuffer);
  caf::error (*receive)(const std::vector<char>&);
};

template <class T>
Kind kind() {
  const auto message = Wire<T>(sample<T>());
  return {.words = {message.words().begin(), message.words().end()},
          .bytes = to_bytes(message),
          .empty = to_bytes(Wire<T>()),
          .read = [](WireBuffer buffer) { return outcome(Wire<T>(std::move(buffer)).read()); },
          .receive = [](const std::vector<char>& bytes) { return outcome(receive<T>(bytes)); }};
}

template <class... T>
std::vector<Kind> kinds_of(std::tuple<T...>*) {
  return {kind<T>()...};
}

const std::vector<Kind>& kinds() {
  static const auto all = kinds_of(static_cast<AllMessages*>(nullptr));
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_message_cut_at_any_length_is_refused) {
  for (const auto& kind : kinds()) {
    for (std::size_t words = 0; words < kind.words.size(); ++words)
      BOOST_CHECK(kind.read(buffer_of(std::span(kind.words).first(words))));
    for (auto bytes = kind.bytes; !bytes.empty();) {
      bytes.pop_back();
      BOOST_CHECK(kind.receive(bytes));
    }
  }
}

BOOST_AUTO_TEST_CASE(any_flipped_bit_gives_an_error_or_a_valid_message) {
  for (const auto& kind : kinds()) {
    for (std::size_t bit = 0; bit < kind.bytes.size() * 8; ++bit) {
      auto flipped = kind.bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      BOOST_CHECK_NO_THROW(kind.receive(flipped));
    }
  }
}

BOOST_AUTO_TEST_CASE(random_bytes_give_an_error_or_a_valid_message) {
  std::mt19937_64 random(2024);
  for (const auto& kind : kinds()) {
    for (int round = 0; round < 1000; ++round) {
      // Mostly behind an honest segment table, else hardly any would come past it; half of them
      // small numbers, so that pointers point into the message.
      std::vector<std::uint64_t> words(2 + random() % 40);
      for (auto& word : words)
        word = random() & random() & (round % 2 == 0 ? biggest : 0x0000'001F'0000'00FF);
      if (round % 4 != 0)
        words[0] = std::uint64_t{words.size() - 1} << 32;
      BOOST_CHECK_NO_THROW(kind.read(buffer_of(words)));
    }
  }
}

BOOST_AUTO_TEST_CASE(random_damage_gives_an_error_or_a_valid_message) {
  std::mt19937_64 random(2025);
  for (const auto& kind : kinds()) {
    for (int round = 0; round < 1000; ++round) {
      auto damaged = kind.words;
      auto* bytes = reinterpret_cast<unsigned char*>(damaged.data());
      for (auto n = 1 + random() % 4; n > 0; --n)
        bytes[random() % (damaged.size() * 8)] = static_cast<unsigned char>(random());
      BOOST_CHECK_NO_THROW(kind.read(buffer_of(damaged)));
    }
  }
}

BOOST_AUTO_TEST_CASE(bytes_behind_the_message_are_refused) {
  for (const auto& kind : kinds()) {
    auto words = kind.words;
    words.push_back(0);
    BOOST_CHECK(kind.read(buffer_of(words)));
  }
}

BOOST_AUTO_TEST_CASE(an_empty_message_crosses_caf_but_is_refused_by_read) {
  for (const auto& kind : kinds())
    BOOST_TEST(caf::deep_to_string(kind.receive(kind.empty)).find("no message") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_claimed_size_is_refused_before_it_is_allocated) {
  const auto claim = [](std::uint32_t size) {
    std::vector<char> bytes;
    caf::binary_serializer sink(nullptr, bytes);
    BOOST_REQUIRE(!sink(size));
    bytes.resize(bytes.size() + 8);
    return error_of(receive<Segment>(bytes));
  };
  BOOST_TEST(claim(max_wire_bytes).find("8 came") != std::string::npos);
  BOOST_TEST(claim(max_wire_bytes + 8).find("at most 268435456") != std::string::npos);
  BOOST_TEST(claim(0xFFFF'FFF8).find("at most") != std::string::npos);
  BOOST_TEST(claim(7).find("whole words") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_list_of_elements_without_size_cannot_claim_millions) {
  const auto elements = std::uint64_t{0x1FFF'FFFF};
  const std::vector<std::uint64_t> words{
      std::uint64_t{4} << 32,            // one segment of 4 words
      std::uint64_t{0x0001'0001} << 32,  // root: one data word, one pointer
      1,                                 // segment id
      std::uint64_t{7} << 32 | 1,        // rows: a list of structs, no words in all
      elements << 2};                    // its tag: the number of elements, each of no size
  BOOST_TEST(error_of(SentRowsMessage(buffer_of(words)).read()).find("SentRows") !=
             std::string::npos);
}

namespace {

/// `T`'s sample with one change is refused with an error that has both the message's name and
/// `why`.
template <class T>
void check_refused(const char* name, const char* why, const std::function<void(T&)>& change) {
  auto content = sample<T>();
  change(content);
  const auto error = error_of(Wire<T>(content).read());
  BOOST_TEST(error.find(std::string(name) + ": ") != std::string::npos, error);
  BOOST_TEST(error.find(why) != std::string::npos, error);
}

}  // namespace

BOOST_AUTO_TEST_CASE(rows_and_prunes_out_of_range_are_refused) {
  const auto refused = check_refused<Segment>;
  refused(
      "Segment", "no rows", [](auto& x) { x.rows.clear(); });
  refused(
      "Segment", "rows: 4097, at most 4096", [](auto& x) { x.rows.resize(4097, x.rows[0]); });
  refused(
      "Segment", "a node id is 0", [](auto& x) { x.rows[1].id = 0; });
  refused(
      "Segment", "its own parent", [](auto& x) { x.rows[1].parent = x.rows[1].id; });
  refused(
      "Segment", "a token is negative", [](auto& x) { x.rows[2].token = -1; });
  refused(
      "Segment", "prunes: 4097", [](auto& x) { x.prunes.resize(4097, x.prunes[0]); });
  refused(
      "Segment", "version 0", [](auto& x) { x.prunes[0].version = 0; });
  refused(
      "Segment", "a node id is 0", [](auto& x) { x.prunes[0].path[1] = 0; });
  refused(
      "Segment", "another session", [](auto& x) { x.prunes[0].root.session = 1; });
  check_refused<Prunes>(
      "Prunes", "path: 1048577, at most 1048576",
      [](auto& x) { x.prunes[0].path.resize(limits::tokens + 1, 1); });
  check_refused<Prunes>(
      "Prunes", "ended segments: 4097", [](auto& x) { x.ended.resize(4097); });
  check_refused<SentRows>("SentRows", "a node id is 0", [](auto& x) { x.rows[0].id = 0; });
}

BOOST_AUTO_TEST_CASE(tensors_of_wrong_size_are_refused) {
  const auto refused = check_refused<Segment>;
  refused(
      "Segment", "hidden: 2 rows instead of 3", [](auto& x) { x.hidden.rows = 2; });
  refused(
      "Segment", "hidden: 60 bytes for 3 x 6", [](auto& x) { x.hidden.columns = 6; });
  refused(
      "Segment", "hidden: no columns", [](auto& x) { x.hidden.columns = 0; });
  refused(
      "Segment", "hidden: 65537, at most", [](auto& x) { x.hidden.columns = 65537; });
  refused(
      "Segment", "hidden: 56 bytes", [](auto& x) { x.hidden.values = x.hidden.values.first(14); });
  check_refused<Features>("Features", "a tap beyond the last", [](auto& x) { x.tap = 64; });
  check_refused<StageSpec>(
      "StageSpec", "taps: 65, at most 64",
      [](auto& x) {
        x.taps.resize(65);
        std::iota(x.taps.begin(), x.taps.end(), 0U);
      });
  check_refused<StageSpec>(
      "StageSpec", "a tap beyond the last layer", [](auto& x) { x.taps.back() = 4097; });
  check_refused<StageSpec>(
      "StageSpec", "taps that do not rise",
      [](auto& x) {
        x.taps = {2, 2};
      });
  check_refused<Features>("Features", "hidden: 2 rows instead of 3",
                          [](auto& x) { x.nodes.push_back(6); });
}

BOOST_AUTO_TEST_CASE(requests_out_of_range_are_refused) {
  const auto refused = check_refused<Open>;
  for (float bad : {-0.1F, std::nanf(""), std::numeric_limits<float>::infinity()})
    refused("Open", "temperature", [bad](auto& x) { x.sampling.temperature = bad; });
  for (float bad : {0.0F, -1.0F, 1.01F, std::nanf("")})
    refused("Open", "top_p", [bad](auto& x) { x.sampling.top_p = bad; });
  for (float bad : {-0.1F, 1.01F, std::nanf("")})
    refused(
        "Open", "min_p", [bad](auto& x) { x.sampling.min_p = bad; });
  refused(
      "Open", "a node id is 0", [](auto& x) { x.root = 0; });
  refused(
      "Open", "the prompt is empty", [](auto& x) { x.prompt.clear(); });
  refused("Open", "a token is negative", [](auto& x) { x.prompt[1] = -7; });
  // A hop makes room for them at once: an absurd number may not cost it its memory.
  refused(
      "Open", "KV slots: 4294967295, at most", [](auto& x) { x.slots = 0xffffffffU; });
  refused(
      "Open", "longer than the position limit", [](auto& x) { x.position_limit = 2; });
  refused(
      "Open", "the whole prompt is to be kept", [](auto& x) { x.cached_tokens = 3; });
  refused(
      "Open", "kept of no session", [](auto& x) { x.prefix_session = 0; });
  refused(
      "Open", "a session follows itself", [](auto& x) { x.prefix_session = x.session; });
  refused("Open", "the answer begins beyond the prompt", [](auto& x) { x.prompt_tokens = 4; });
}

BOOST_AUTO_TEST_CASE(verdicts_and_tokens_out_of_range_are_refused) {
  const auto refused = check_refused<Verdict>;
  refused(
      "Verdict", "a token is negative", [](auto& x) { x.paths[0].next = -1; });
  refused(
      "Verdict", "a node id is 0", [](auto& x) { x.paths[0].path[0].id = 0; });
  refused(
      "Verdict", "paths: 4097", [](auto& x) { x.paths.resize(4097); });
  check_refused<Report>(
      "Report", "unknown reason", [](auto& x) { x.finish = static_cast<Finish>(99); });
  check_refused<Report>(
      "Report", "a token is negative", [](auto& x) { x.tokens[0] = -1; });
  check_refused<TextDelta>(
      "TextDelta", "text: 4097", [](auto& x) { x.text.assign(4097, 'x'); });
  check_refused<Tokens>("Tokens", "a token is negative", [](auto& x) { x.tokens[0] = -1; });
}

BOOST_AUTO_TEST_CASE(a_peer_cannot_name_a_file_outside_the_model_folders) {
  for (std::string bad : {"", ".", "..", "../x.gguf", "/etc/passwd", "a\\b"})
    check_refused<StageSpec>(
        "StageSpec", "plain file name", [&bad](auto& x) { x.model_file = bad; });
  check_refused<StageSpec>("StageSpec", "plain file name",
                           [](auto& x) { x.model_file = std::string("a\0b", 3); });
  for (std::string bad : {".", "..", "../x.gguf", "/etc/passwd"}) {
    check_refused<PartSpec>(
        "PartSpec", "plain file name", [&bad](auto& x) { x.model_file = bad; });
    check_refused<PartSpec>(
        "PartSpec", "plain file name", [&bad](auto& x) { x.draft = bad; });
    check_refused<ModelCard>(
        "ModelCard", "plain file name", [&bad](auto& x) { x.name = bad; });
    check_refused<ModelCard>("ModelCard", "plain file name",
                             [&bad](auto& x) { x.files[0].name = bad; });
  }
  check_refused<ModelCard>(
      "ModelCard", "more bytes at the beginning", [](auto& x) { x.files[0].head_bytes = 701; });
  check_refused<ModelCard>(
      "ModelCard", "files: 1025, at most 1024", [](auto& x) { x.files.resize(1025, x.files[0]); });
  check_refused<FilePiece>(
      "FilePiece", "bytes: 1048577", [](auto& x) { x.bytes.assign(1048577, 'x'); });
  check_refused<PartSpec>(
      "PartSpec", "hexadecimal", [](auto& x) { x.draft_hash = "xyz"; });
  check_refused<PartSpec>(
      "PartSpec", "unknown part", [](auto& x) { x.part = Part{3}; });
  check_refused<PartSpec>(
      "PartSpec", "no stages", [](auto& x) { x.stages = 0; });
  check_refused<PartSpec>(
      "PartSpec", "type of a draft", [](auto& x) { x.draft_type = LoadType{3}; });
  check_refused<StageSpec>(
      "StageSpec", "hexadecimal", [](auto& x) { x.model_hash = "xyz"; });
  check_refused<StageSpec>(
      "StageSpec", "numerics: 4097, at most 4096",
      [](auto& x) { x.numerics = std::string(4097, 'x'); });
  check_refused<StageSpec>(
      "StageSpec", "the last layer", [](auto& x) { x.end_layer = 3; });
  check_refused<StageSpec>(
      "StageSpec", "threads", [](auto& x) { x.threads = 100'000; });
  check_refused<StageSpec>(
      "StageSpec", "rows", [](auto& x) { x.max_rows = 0; });
  check_refused<StageSpec>(
      "StageSpec", "type of keys and values", [](auto& x) { x.kv_type = KvType{2}; });
  check_refused<StageSpec>(
      "StageSpec", "type of hidden states", [](auto& x) { x.hidden_type = HiddenType{3}; });
  check_refused<StageSpec>(
      "StageSpec", "nanoseconds of the emulated device",
      [](auto& x) { x.emulation->forward.row_ns = biggest; });
  check_refused<StageSpec>(
      "StageSpec", "nanoseconds of the emulated device",
      [](auto& x) { x.emulation->ready_lead_ns = biggest; });
  check_refused<StageSpec>(
      "StageSpec", "bytes of a row on the emulated link",
      [](auto& x) { x.emulation->link.row_bytes = 1U << 30U; });
  check_refused<StageSpec>("StageSpec", "1000 bit/s",
                           [](auto& x) { x.emulation->link.bits_per_second = 1; });
}

BOOST_AUTO_TEST_CASE(speeds_out_of_range_are_refused) {
  auto error_with = [](LayerSpeed speed) {
    NodeInfo info;
    info.speed = speed;
    return error_of(NodeInfoMessage(info).read());
  };
  auto has = [](const std::string& text, const char* part) {
    BOOST_TEST_INFO(text);
    return text.find(part) != std::string::npos;
  };
  BOOST_TEST(has(error_with({0, 1, 1, 1, 1}), "no threads"));
  BOOST_TEST(has(error_with({limits::threads + 1, 1, 1, 1, 1}), "threads"));
  BOOST_TEST(has(error_with({1, 0, 1, 1, 1}), "a layer without weights"));
  BOOST_TEST(has(error_with({1, 1, 0, 1, 1}), "a layer's time"));
  BOOST_TEST(has(error_with({1, 1, 1, 0, 1}), "a layer's time"));
  BOOST_TEST(has(error_with({1, 1, 1, 1, limits::emulated_ns + 1}), "a layer's time"));
}
