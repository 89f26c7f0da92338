/// Damaged and malicious files: a ModelError or a sound file, never a crash or a huge allocation.

#include <cstring>
#include <functional>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/config/config.hpp"
#include "models/formats/gguf_reader.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// As small as a model can be and still have everything: metadata, vocabulary, tensors.
std::string tiny_model() {
  GgufWriter writer;
  writer.add_string("general.architecture", "llama");
  writer.add_uint("llama.context_length", 16);
  writer.add_uint("llama.embedding_length", 4);
  writer.add_uint("llama.block_count", 1);
  writer.add_uint("llama.feed_forward_length", 4);
  writer.add_uint("llama.attention.head_count", 2);
  writer.add_float("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  writer.add_string("tokenizer.ggml.model", "llama");
  writer.add_strings("tokenizer.ggml.tokens",
                     std::vector<std::string>{"<unk>", "<s>", "<0x61>", "ab"});
  writer.add_floats("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -1});
  writer.add_ints("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 6, 1});
  writer.add_tensor("token_embd.weight", TensorType::f32, {4, 4}, std::vector<float>(16));
  writer.add_tensor("q.weight", TensorType::q8_0, {32, 1}, std::vector<float>(32));
  return writer.bytes();
}

/// Reads the header from memory of exactly this size, so that the sanitizer sees every byte too
/// many.
bool is_accepted(const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  try {
    read_gguf_header(std::as_bytes(std::span(exact)), "test");
    return true;
  } catch (const ModelError&) {
    return false;
  }
}

/// Uses everything that a file offers.
void use(const std::filesystem::path& path) {
  try {
    const GgufFile file = GgufFile::open(path);
    for (const TensorInfo& tensor : file.tensors()) {
      if (is_supported(tensor.type)) {
        std::vector<float> values(tensor.elements());
        to_float(tensor.type, tensor.data, values);
      }
    }
    try {
      read_config(file);
    } catch (const ModelError&) {  // the vocabulary may still be sound
    }
    const Tokenizer tokenizer = Tokenizer::from_gguf(file);
    tokenizer.decode(tokenizer.encode("ab \xff<s>", {.parse_special = true}));
  } catch (const ModelError&) {
  }
}

std::string with_header(std::uint64_t tensors, std::uint64_t keys, const std::string& rest) {
  return "GGUF" + bytes_of<std::uint32_t>(3) + bytes_of(tensors) + bytes_of(keys) + rest;
}

std::string text(const std::string& characters) {
  return bytes_of<std::uint64_t>(characters.size()) + characters;
}

/// One tensor's entry.
std::string entry(const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t type,
                  std::uint64_t offset) {
  std::string bytes = text(name) + bytes_of(static_cast<std::uint32_t>(shape.size()));
  for (const std::uint64_t size : shape)
    bytes += bytes_of(size);
  return bytes + bytes_of(type) + bytes_of(offset);
}

void check_refused(const std::string& bytes, const std::string& word) {
  try {
    read_gguf_header(std::as_bytes(std::span(bytes)), "test.gguf");
    BOOST_ERROR("accepted, expected an error about: " << word);
  } catch (const ModelError& error) {
    const std::string message = error.what();
    BOOST_TEST(message.find("test.gguf") != std::string::npos);
    BOOST_TEST(message.find(word) != std::string::npos, message);
  }
}

constexpr std::uint64_t huge = std::uint64_t{1} << 62;

}  // namespace

BOOST_AUTO_TEST_SUITE(hostile_files)

BOOST_AUTO_TEST_CASE(the_tiny_model_is_sound) {
  const TempFolder folder;
  write_file(folder / "m.gguf", tiny_model());
  const GgufFile file = GgufFile::open(folder / "m.gguf");
  BOOST_TEST(read_config(file).vocab_size == 4U);
  BOOST_TEST(Tokenizer::from_gguf(file).vocab_size() == 4U);
}

BOOST_AUTO_TEST_CASE(truncation_at_every_byte) {
  const std::string model = tiny_model();
  BOOST_REQUIRE(is_accepted(model));
  for (std::size_t size = 0; size < model.size(); ++size)
    BOOST_REQUIRE_MESSAGE(!is_accepted(model.substr(0, size)), "cut at " << size);
}

BOOST_AUTO_TEST_CASE(every_bit_flipped) {
  const TempFolder folder;
  const std::string model = tiny_model();
  for (std::size_t bit = 0; bit < model.size() * 8; ++bit) {
    std::string flipped = model;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    if (is_accepted(flipped)) {
      write_file(folder / "m.gguf", flipped);
      use(folder / "m.gguf");
    }
  }
}

BOOST_AUTO_TEST_CASE(every_word_made_extreme) {
  const TempFolder folder;
  const std::string model = tiny_model();
  for (const std::uint64_t value : {std::uint64_t{0}, ~std::uint64_t{0}, huge,
                                    std::uint64_t{1} << 63, std::uint64_t{1} << 32}) {
    for (std::size_t at = 4; at + 8 <= model.size(); ++at) {
      std::string changed = model;
      std::memcpy(changed.data() + at, &value, sizeof value);
      if (is_accepted(changed)) {
        write_file(folder / "m.gguf", changed);
        use(folder / "m.gguf");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(counts_beyond_the_file) {
  check_refused(with_header(huge, 0, ""), "number of tensors");
  check_refused(with_header(0, huge, ""), "number of metadata keys");
  check_refused(with_header(0, 1, bytes_of(huge) + std::string(32, 'k')), "metadata key");
  const auto value = [](std::uint32_t type, const std::string& bytes) {
    return with_header(0, 1, text("key") + bytes_of(type) + bytes + std::string(32, 'x'));
  };
  check_refused(value(8, bytes_of(huge)), "string value");
  check_refused(value(13, ""), "type");
  check_refused(value(9, bytes_of<std::uint32_t>(4) + bytes_of(huge)), "array's length");
  check_refused(value(9, bytes_of<std::uint32_t>(8) + bytes_of<std::uint64_t>(4) + bytes_of(huge)),
                "string in an array");
  check_refused(value(9, bytes_of<std::uint32_t>(9) + bytes_of<std::uint64_t>(1) +
                             bytes_of<std::uint32_t>(12) + bytes_of(huge)),
                "inner array");
}

BOOST_AUTO_TEST_CASE(deep_nesting) {
  std::string nested = bytes_of<std::uint32_t>(9);
  for (int depth = 0; depth < 100000; ++depth)
    nested += bytes_of<std::uint64_t>(1) + bytes_of<std::uint32_t>(9);
  nested += bytes_of<std::uint64_t>(0);
  check_refused(with_header(0, 1, text("key") + bytes_of<std::uint32_t>(9) + nested), "nested");
}

BOOST_AUTO_TEST_CASE(impossible_tensors) {
  const auto file = [](const std::string& entries, std::uint64_t count = 1) {
    return with_header(count, 0, entries) + std::string(1024, '\0');
  };
  BOOST_TEST(is_accepted(file(entry("t", {4}, 0, 0))));
  check_refused(file(entry(std::string(300, 'n'), {4}, 0, 0)), "name");
  check_refused(file(entry("t", {1, 1, 1, 1, 1}, 0, 0)), "5 dimensions");
  check_refused(file(entry("t", {0}, 0, 0)), "shape");
  check_refused(file(entry("t", {huge, 8}, 0, 0)), "shape");
  check_refused(file(entry("t", {1ULL << 32, 1ULL << 32}, 0, 0)), "shape");
  check_refused(file(entry("t", {huge}, 0, 0)), "does not fit");
  check_refused(file(entry("t", {4000}, 0, 0)), "does not fit");
  check_refused(file(entry("t", {33}, 8, 0)), "blocks of 32");
  check_refused(file(entry("t", {4}, 0, 8)), "alignment");
  check_refused(file(entry("t", {4}, 0, huge)), "offset");
  check_refused(file(entry("t", {4}, 0, ~std::uint64_t{31})), "offset");
  check_refused(file(entry("t", {4}, 0, 0) + entry("t", {4}, 0, 32), 2), "twice");
  check_refused(file(entry("t", {16}, 0, 0) + entry("u", {4}, 0, 32), 2), "overlap");
}

BOOST_AUTO_TEST_CASE(bad_alignment_and_duplicate_keys) {
  for (const std::uint32_t alignment : {0U, 1U, 24U, 0xffffffffU}) {
    check_refused(
        with_header(0, 1,
                    text("general.alignment") + bytes_of<std::uint32_t>(4) + bytes_of(alignment)),
        "power of two");
  }
  check_refused(
      with_header(0, 1, text("general.alignment") + bytes_of<std::uint32_t>(8) + text("x")),
      "general.alignment");
  const std::string key = text("k") + bytes_of<std::uint32_t>(7) + "\1";
  check_refused(with_header(0, 2, key + key), "twice");
}

BOOST_AUTO_TEST_CASE(messages_have_no_control_characters) {
  try {
    const std::string key = text("\x1b[31m\n") + bytes_of<std::uint32_t>(7) + "\1";
    const std::string file = with_header(0, 2, key + key);
    read_gguf_header(std::as_bytes(std::span(file)), "f");
    BOOST_ERROR("accepted");
  } catch (const ModelError& error) {
    BOOST_TEST(std::string(error.what()).find("\\x1b[31m\\x0a") != std::string::npos);
    BOOST_TEST(std::string(error.what()).find('\x1b') == std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
