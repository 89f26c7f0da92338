// Safetensors files: sound ones, and damaged and malicious ones, which give a ModelError or a sound
// file, never a crash or a huge allocation.
#include "models/formats/safetensors.hpp"

#include <cstring>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/formats/safetensors_reader.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/safetensors_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

const std::vector<float> six{1, -2, 0.5F, 4, 0, -0.25F};

SafetensorsWriter small_file() {
  SafetensorsWriter writer;
  writer.add_tensor("half", TensorType::f16, {3}, std::vector<float>{1, 2, -3});
  writer.add_tensor("single", TensorType::f32, {2, 3}, six);
  writer.add_tensor("brain", TensorType::bf16, {3, 2}, six);
  writer.add_raw_tensor("flags", "BOOL", {5}, std::string(5, '\1'));
  writer.add_raw_tensor("odd", "Q9_X", {5}, "whatever");
  writer.add_tensor("empty", TensorType::f32, {0, 4}, {});
  return writer;
}

/// Reads the header from memory of exactly this size, so that the sanitizer sees every byte too
/// many, and then every tensor.
bool is_accepted(const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  try {
    for (const TensorInfo& tensor :
         read_safetensors_header(std::as_bytes(std::span(exact)), "test").tensors) {
      if (is_supported(tensor.type)) {
        std::vector<float> values(tensor.elements());
        to_float(tensor.type, tensor.data, values);
      }
    }
    return true;
  } catch (const ModelError&) {
    return false;
  }
}

void check_refused(const std::string& bytes, std::vector<std::string> words) {
  words.insert(words.begin(), "test.safetensors: at byte ");
  check_error([&] { read_safetensors_header(std::as_bytes(std::span(bytes)), "test.safetensors"); },
              words);
}

std::string entry(const std::string& name, const std::string& shape, const std::string& offsets,
                  const std::string& dtype = "F32") {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
         offsets + "}";
}

/// A file whose data section has 16 bytes.
std::string with_entries(const std::string& entries) {
  return safetensors_file("{" + entries + "}", std::string(16, '\0'));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(safetensors)

BOOST_AUTO_TEST_CASE(tensors_are_found_and_read) {
  const TempFolder folder;
  small_file().write(folder / "m.safetensors");
  const SafetensorsFile file = SafetensorsFile::open(folder / "m.safetensors");
  BOOST_TEST(file.tensors().size() == 6U);
  for (const auto& [name, rows, columns] :
       {std::tuple{"single", 2U, 3U}, std::tuple{"brain", 3U, 2U}}) {
    const TensorInfo& tensor = file.require(name, {rows, columns});
    BOOST_TEST(tensor.shape[0] == columns);  // the row length first
    std::vector<float> values(tensor.elements());
    to_float(tensor.type, tensor.data, values);
    BOOST_TEST(values == six, boost::test_tools::per_element());
  }
  BOOST_TEST((file.find("half")->type == TensorType::f16));
  BOOST_TEST(file.find("flags")->data.size() == 5U);
  BOOST_TEST(file.find("__metadata__") == nullptr);
}

BOOST_AUTO_TEST_CASE(unfit_tensors_are_named) {
  const TempFolder folder;
  const std::string path = (folder / "m.safetensors").string();
  small_file().write(path);
  const SafetensorsFile file = SafetensorsFile::open(path);
  check_error([&] { file.require("none", {1, 2}); }, {path, "'none'", "[1, 2]", "missing"});
  check_error([&] { file.require("single", {3, 2}); }, {path, "'single'", "[2, 3]", "[3, 2]"});
  check_error([&] { file.require("single", {6}); }, {path, "'single'", "[2, 3]", "[6]"});
  check_error([&] { file.require("flags", {5}); }, {path, "'flags'", "BOOL", "F32, F16, BF16"});
  check_error([&] { file.require("odd", {5}); }, {path, "'odd'", "Q9_X"});
}

BOOST_AUTO_TEST_CASE(truncation_at_every_byte) {
  const std::string file = small_file().bytes();
  BOOST_REQUIRE(is_accepted(file));
  for (std::size_t size = 0; size < file.size(); ++size)
    BOOST_REQUIRE_MESSAGE(!is_accepted(file.substr(0, size)), "cut at " << size);
  BOOST_TEST(!is_accepted(file + "x"));
}

BOOST_AUTO_TEST_CASE(every_bit_flipped) {
  const std::string file = small_file().bytes();
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    std::string flipped = file;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    is_accepted(flipped);
  }
}

BOOST_AUTO_TEST_CASE(header_sizes_beyond_the_file) {
  const std::string rest = small_file().bytes().substr(8);
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{1}, rest.size() + 1, std::uint64_t{1} << 32,
        std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{0} - 7})
    check_refused(bytes_of(size) + rest, {"is not a safetensors file"});
  // The file would hold it, but no sane header is that long.
  std::string large = small_file().bytes();
  const std::uint64_t size = std::uint64_t{17} << 20;
  large.resize(size + 8, ' ');
  std::memcpy(large.data(), &size, sizeof size);
  check_refused(large, {"16777216"});
  check_error([] { read_safetensors_header({}, "f"); }, {"too short"});
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\n";
  check_error([&] { read_safetensors_header(std::as_bytes(std::span(pointer)), "f"); }, {"LFS"});
}

BOOST_AUTO_TEST_CASE(bad_json) {
  for (const std::string header :
       {"{", "{\"", "{\"a\":", "{}x", "{\"a\":1e999}", "{\"\xff\":{}}", "{'a':{}}", "{} {}"})
    check_refused(safetensors_file(header + "  ", ""), {"JSON"});
  check_refused(with_entries("\"t\":3"), {"'t'", "JSON number"});
  check_refused(with_entries("\"t\":{}"), {"'t'", "dtype"});
  check_refused(with_entries("\"t\":{\"dtype\":1}"), {"'t'", "dtype"});
  check_refused(with_entries(std::string("\"\\u001b[31m\":3")), {"\\x1b[31m"});
  std::string nested;
  for (int depth = 0; depth < 1000000; ++depth)
    nested += '[';
  check_refused(with_entries("\"t\":" + nested), {"nested"});
}

BOOST_AUTO_TEST_CASE(impossible_tensors) {
  const std::string good = entry("t", "[4]", "[0,16]");
  BOOST_TEST(is_accepted(with_entries(good)));
  BOOST_TEST(
      is_accepted(with_entries(entry("t", "[]", "[0,4]") + "," + entry("u", "[3]", "[4,16]") + "," +
                               entry("v", "[0]", "[4,4]"))));
  const auto refused = [](const std::string& shape, const std::string& offsets,
                          const std::string& word) {
    check_refused(with_entries(entry("t", shape, offsets)), {"'t'", word});
  };
  refused("4", "[0,16]", "shape");
  refused("[-4]", "[0,16]", "shape");
  refused("[4.0]", "[0,16]", "shape");
  refused("[\"4\"]", "[0,16]", "shape");
  refused("[1,1,1,1,1,1,1,1,4]", "[0,16]", "shape");
  refused("[4294967296,4294967296]", "[0,16]", "impossible shape");
  refused("[4611686018427387904]", "[0,0]", "not the size");  // four times that is 2^64
  refused("[5]", "[0,16]", "not the size");
  refused("[4]", "[16]", "data_offsets");
  refused("[4]", "[0,8,16]", "data_offsets");
  refused("[4]", "[-16,0]", "data_offsets");
  refused("[4]", "[16,0]", "does not fit");
  refused("[4]", "[1,17]", "does not fit");
  refused("[4]", "[18446744073709551600,18446744073709551615]", "does not fit");
  check_refused(with_entries(good + "," + good), {"'t'", "twice"});
  check_refused(with_entries(entry("t", "[3]", "[0,12]") + "," + entry("u", "[2]", "[8,16]")),
                {"'u'", "overlaps"});
  check_refused(with_entries(entry("t", "[1]", "[0,4]") + "," + entry("u", "[2]", "[8,16]")),
                {"'u'", "gap"});
  check_refused(with_entries(entry("t", "[2]", "[0,8]")), {"ends here"});
}

BOOST_AUTO_TEST_SUITE_END()
