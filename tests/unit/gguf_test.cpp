/// Files, tensor types, configuration and hashes: what was written is what is read.

#include "models/formats/gguf.hpp"

#include <array>
#include <bit>
#include <cmath>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/config/config.hpp"
#include "models/formats/file_hash.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/quantize.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

GgufFile reopen(const GgufWriter& writer, const TempFolder& folder) {
  writer.write(folder / "model.gguf");
  return GgufFile::open(folder / "model.gguf");
}

/// A check for BOOST_CHECK_EXCEPTION: the message holds all these words.
auto says(std::vector<std::string> words) {
  return [words](const ModelError& error) {
    const std::string text = error.what();
    for (const std::string& word : words) {
      if (text.find(word) == std::string::npos) {
        BOOST_TEST_MESSAGE("no '" << word << "' in: " << text);
        return false;
      }
    }
    return true;
  };
}

std::vector<float> as_floats(const TensorInfo& tensor) {
  std::vector<float> values(tensor.elements());
  to_float(tensor.type, tensor.data, values);
  return values;
}

std::vector<float> some_values(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = std::sin(static_cast<float>(i) * 0.7F) * 3;
  return values;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gguf)

BOOST_AUTO_TEST_CASE(metadata_of_every_type_is_read) {
  for (const std::uint32_t version : {2U, 3U}) {
    const TempFolder folder;
    GgufWriter writer(version);
    writer.add_uint("a.uint", 4000000000);
    writer.add_raw("a.small", 1, bytes_of<std::int8_t>(7));
    writer.add_raw("a.large", 10, bytes_of<std::uint64_t>(1ULL << 60));
    writer.add_raw("a.double", 12, bytes_of(2.5));
    writer.add_float("a.float", 0.5F);
    writer.add_bool("a.bool", true);
    writer.add_string("a.string", "text with \xe2\x96\x81");
    writer.add_strings("a.strings", std::vector<std::string>{"one", "", "three"});
    writer.add_floats("a.floats", std::vector<float>{1, -2});
    writer.add_ints("a.ints", std::vector<std::int32_t>{-1, 5});
    // An array of arrays: nobody asks for it, but what follows must be found.
    writer.add_raw("a.nested", 9,
                   bytes_of<std::uint32_t>(9) + bytes_of<std::uint64_t>(1) +
                       bytes_of<std::uint32_t>(0) + bytes_of<std::uint64_t>(3) + "abc");
    writer.add_uint("a.last", 1);
    const GgufFile file = reopen(writer, folder);
    BOOST_TEST(file.version() == version);
    BOOST_TEST(file.require_uint("a.uint") == 4000000000U);
    BOOST_TEST(file.require_uint("a.small") == 7U);
    BOOST_TEST(file.require_uint("a.large") == 1ULL << 60);
    BOOST_TEST(file.require_float("a.double") == 2.5);
    BOOST_TEST(file.require_float("a.float") == 0.5);
    BOOST_TEST(file.require_bool("a.bool"));
    BOOST_TEST(file.require_string("a.string") == "text with \xe2\x96\x81");
    BOOST_TEST(file.require_strings("a.strings") == (std::vector<std::string>{"one", "", "three"}));
    BOOST_TEST(file.require_floats("a.floats") == (std::vector<float>{1, -2}));
    BOOST_TEST(file.require_ints("a.ints") == (std::vector<std::int64_t>{-1, 5}));
    BOOST_TEST(*file.find_length("a.nested") == 1U);
    BOOST_TEST(file.require_uint("a.last") == 1U);
    BOOST_TEST(!file.find_uint("a.missing"));
    BOOST_TEST(!file.has_key("a.missing"));
    BOOST_TEST(file.tensors().empty());
  }
}

BOOST_AUTO_TEST_CASE(wrong_metadata_types_are_named) {
  const TempFolder folder;
  GgufWriter writer;
  writer.add_string("text", "x");
  writer.add_raw("minus", 5, bytes_of<std::int32_t>(-3));
  writer.add_strings("texts", std::vector<std::string>{"a", "b"});
  const GgufFile file = reopen(writer, folder);
  BOOST_CHECK_EXCEPTION(file.find_uint("text"), ModelError,
                        says({"model.gguf", "'text'", "string", "integer"}));
  BOOST_CHECK_EXCEPTION(file.find_uint("minus"), ModelError, says({"'minus'", "negative"}));
  BOOST_CHECK_EXCEPTION(file.find_ints("texts"), ModelError, says({"array of 2 string"}));
  BOOST_CHECK_EXCEPTION(file.find_strings("text"), ModelError, says({"array of strings"}));
  BOOST_CHECK_EXCEPTION(file.require_bool("none"), ModelError, says({"'none'", "missing"}));
}

BOOST_AUTO_TEST_CASE(tensors_have_shape_data_and_alignment) {
  const TempFolder folder;
  GgufWriter writer(3, 64);
  const std::vector<float> values = some_values(96);
  writer.add_tensor("odd", TensorType::f32, {3}, std::span(values).first(3));
  writer.add_tensor("matrix", TensorType::q8_0, {32, 3}, values);
  GgufFile opened = reopen(writer, folder);
  const TensorInfo* before = opened.find("matrix");
  const GgufFile file = std::move(opened);
  const TensorInfo& matrix = file.require("matrix", {32, 3});
  BOOST_TEST(&matrix == before);
  BOOST_TEST(matrix.offset % 64 == 0U);
  BOOST_TEST(matrix.data.size() == 3U * 34);
  BOOST_TEST(matrix.row(2).data() == matrix.data.data() + 2 * 34);
  BOOST_TEST(matrix.row(2).size() == 34U);
  BOOST_TEST(as_floats(file.require("odd", {3, 1, 1})) ==
             std::vector<float>(values.begin(), values.begin() + 3));
  BOOST_TEST(file.find("none") == nullptr);
  BOOST_CHECK_EXCEPTION(file.require("none", {1}), ModelError, says({"'none'", "missing"}));
  BOOST_CHECK_EXCEPTION(file.require("matrix", {3, 32}), ModelError,
                        says({"'matrix'", "[32, 3]", "[3, 32]"}));
}

BOOST_AUTO_TEST_CASE(the_mapping_outlives_the_file) {
  const TempFolder folder;
  std::shared_ptr<const void> mapping;
  std::span<const std::byte> data;
  {
    GgufWriter writer;
    writer.add_tensor("t", TensorType::f32, {2}, std::vector<float>{1, 2});
    const GgufFile file = reopen(writer, folder);
    mapping = file.mapping();
    data = file.require("t", {2}).data;
  }
  std::array<float, 2> values{};
  to_float(TensorType::f32, data, values);
  BOOST_TEST(values[1] == 2);
}

BOOST_AUTO_TEST_CASE(unsupported_types_are_listed_and_refused_when_used) {
  const TempFolder folder;
  GgufWriter writer;
  writer.add_raw_tensor("k", 11, {256}, std::string(110, 'x'));
  writer.add_raw_tensor("future", 77, {5}, std::string(32, 'x'));
  const GgufFile file = reopen(writer, folder);
  BOOST_TEST(type_name(file.find("k")->type) == "Q3_K");
  BOOST_TEST(file.find("k")->data.size() == 110U);
  BOOST_TEST(type_name(file.find("future")->type) == "type 77");
  BOOST_TEST(file.find("future")->data.empty());
  BOOST_CHECK_EXCEPTION(file.require("k", {256}), ModelError, says({"'k'", "Q3_K", "Q8_0"}));
  BOOST_CHECK_EXCEPTION(file.require("future", {5}), ModelError, says({"type 77"}));
  std::vector<float> out(256);
  BOOST_CHECK_EXCEPTION(to_float(file.find("k")->type, file.find("k")->data, out), ModelError,
                        says({"Q3_K"}));
}

BOOST_AUTO_TEST_CASE(other_files_are_told_apart) {
  const TempFolder folder;
  const auto error_of = [&folder](const std::string& bytes) {
    write_file(folder / "f", bytes);
    return [path = folder / "f"] { GgufFile::open(path); };
  };
  BOOST_CHECK_EXCEPTION(GgufFile::open(folder / "none"), ModelError,
                        says({"none", "No such file"}));
  BOOST_CHECK_EXCEPTION(GgufFile::open(folder.path()), ModelError, says({"regular file"}));
  BOOST_CHECK_EXCEPTION(error_of("")(), ModelError, says({"empty"}));
  BOOST_CHECK_EXCEPTION(error_of("PK\x03\x04")(), ModelError, says({"not a GGUF", "PK\\x03\\x04"}));
  BOOST_CHECK_EXCEPTION(error_of("version https://git-lfs.github.com/spec/v1\n")(), ModelError,
                        says({"git lfs pull"}));
  BOOST_CHECK_EXCEPTION(error_of(GgufWriter(1).bytes())(), ModelError, says({"version 1"}));
  BOOST_CHECK_EXCEPTION(error_of(GgufWriter(3U << 24).bytes())(), ModelError, says({"big-endian"}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(tensor_types)

BOOST_AUTO_TEST_CASE(every_half_is_converted_exactly) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const int mantissa = static_cast<int>(bits & 1023);
    const float actual = f16_to_float(static_cast<std::uint16_t>(bits));
    if (exponent == 31) {
      BOOST_REQUIRE(mantissa == 0 ? std::isinf(actual) : std::isnan(actual));
    } else {
      const float expected = exponent == 0
                                 ? std::ldexp(static_cast<float>(mantissa), -24)
                                 : std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
      BOOST_REQUIRE_EQUAL(std::abs(actual), expected);
    }
    BOOST_REQUIRE_EQUAL(std::signbit(actual), (bits & 0x8000) != 0);
    if (!std::isnan(actual))
      BOOST_REQUIRE_EQUAL(float_to_f16(actual), bits);
  }
}

BOOST_AUTO_TEST_CASE(known_blocks) {
  // Scale 0.5 as a half, then 32 quants.
  std::string q8("\x00\x38", 2);
  std::string q4 = q8;
  for (int i = 0; i < 32; ++i)
    q8 += static_cast<char>(i - 16);
  for (int i = 0; i < 16; ++i)
    q4 += static_cast<char>(i | (15 - i) << 4);
  std::array<float, 32> values{};
  to_float(TensorType::q8_0, std::as_bytes(std::span(q8)), values);
  for (int i = 0; i < 32; ++i)
    BOOST_TEST(values[static_cast<std::size_t>(i)] == 0.5F * static_cast<float>(i - 16));
  to_float(TensorType::q4_0, std::as_bytes(std::span(q4)), values);
  for (int i = 0; i < 16; ++i) {
    BOOST_TEST(values[static_cast<std::size_t>(i)] == 0.5F * static_cast<float>(i - 8));
    BOOST_TEST(values[static_cast<std::size_t>(i + 16)] == 0.5F * static_cast<float>(7 - i));
  }
  // With fifth bits every third value is 16 more; the minimum is -2.
  std::string fours(16, '\0');
  for (std::size_t i = 0; i < 16; ++i)
    fours[i] = static_cast<char>(i | (15 - i) << 4);
  const std::string scale("\x00\x38", 2);
  const std::string minimum("\x00\xc0", 2);
  const std::string fifths("\x49\x92\x24\x49", 4);
  const auto four = [](int i) { return i < 16 ? i : 31 - i; };
  const auto five = [&](int i) { return four(i) + (i % 3 == 0 ? 16 : 0); };
  const auto check = [&](TensorType type, const std::string& bytes, const auto& expected) {
    to_float(type, std::as_bytes(std::span(bytes)), values);
    for (int i = 0; i < 32; ++i)
      BOOST_TEST(values[static_cast<std::size_t>(i)] == expected(i), type_name(type)
                                                                         << " value " << i);
  };
  check(
      TensorType::q4_1, scale + minimum + fours,
      [&](int i) { return 0.5F * static_cast<float>(four(i)) - 2; });
  check(
      TensorType::q5_0, scale + fifths + fours,
      [&](int i) { return 0.5F * static_cast<float>(five(i) - 16); });
  check(TensorType::q5_1, scale + minimum + fifths + fours,
        [&](int i) { return 0.5F * static_cast<float>(five(i)) - 2; });
  const std::array<std::uint16_t, 2> bf16{0x3fc0, 0xff80};
  to_float(TensorType::bf16, std::as_bytes(std::span(bf16)), std::span(values).first(2));
  BOOST_TEST(values[0] == 1.5F);
  BOOST_TEST(values[1] == -std::numeric_limits<float>::infinity());
}

BOOST_AUTO_TEST_CASE(conversions_are_close_to_the_values) {
  const std::vector<float> values = some_values(256);
  const std::vector<std::pair<TensorType, double>> cases{
      {TensorType::f32, 0},     {TensorType::f16, 0.002}, {TensorType::bf16, 0.012},
      {TensorType::q8_0, 0.02}, {TensorType::q6_k, 0.1},  {TensorType::q5_k, 0.2},
      {TensorType::q4_k, 0.4},  {TensorType::q4_0, 0.4},  {TensorType::q4_1, 0.2},
      {TensorType::q5_0, 0.2},  {TensorType::q5_1, 0.1}};
  for (const auto& [type, tolerance] : cases) {
    const std::string bytes = convert(type, values);
    std::vector<float> back(values.size());
    to_float(type, std::as_bytes(std::span(bytes)), back);
    for (std::size_t i = 0; i < values.size(); ++i)
      BOOST_TEST(std::abs(back[i] - values[i]) <= tolerance);
  }
}

BOOST_AUTO_TEST_CASE(sizes_that_do_not_match_are_refused) {
  const std::array<std::byte, 34> bytes{};
  std::array<float, 64> values{};
  to_float(TensorType::q8_0, bytes, std::span(values).first(32));
  BOOST_CHECK_THROW(to_float(TensorType::q8_0, bytes, values), ModelError);
  BOOST_CHECK_THROW(to_float(TensorType::q8_0, bytes, std::span(values).first(31)), ModelError);
  BOOST_CHECK_THROW(to_float(TensorType::f32, bytes, std::span(values).first(8)), ModelError);
  to_float(TensorType::f32, {}, {});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(file_hash)

BOOST_AUTO_TEST_CASE(known_hashes_and_progress) {
  const TempFolder folder;
  write_file(folder / "empty", "");
  BOOST_TEST(hash_file(folder / "empty") == "99aa06d3014798d86001c324468d497f");
  write_file(folder / "large", std::string(10'000'000, 'x'));
  std::uint64_t last = 0;
  const std::string hash =
      hash_file(folder / "large", [&last](std::uint64_t done, std::uint64_t total) {
        BOOST_TEST(done > last);
        BOOST_TEST(total == 10'000'000U);
        last = done;
      });
  BOOST_TEST(last == 10'000'000U);
  BOOST_TEST(hash.size() == 32U);
  BOOST_TEST(hash == hash_file(folder / "large"));
  BOOST_CHECK_EXCEPTION(hash_file(folder / "none"), ModelError, says({"none"}));
  BOOST_CHECK_THROW(hash_file(folder.path()), ModelError);
}

BOOST_AUTO_TEST_SUITE_END()
