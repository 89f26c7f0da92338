// A weight that is no finite number ends in an error, not in a text.
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/sampling/sampler.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/plain_logits.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// Overwrites a tensor's first value, or the scale of its first block.
void poison(const std::filesystem::path& path, const std::string& name, bool is_infinite) {
  std::uint64_t offset = 0;
  std::string bytes;
  {
    const GgufFile file = GgufFile::open(path);
    const TensorInfo* tensor = file.find(name);
    BOOST_REQUIRE_MESSAGE(tensor != nullptr, name);
    offset = tensor->offset;
    if (tensor->type == TensorType::f32) {
      bytes = bytes_of(is_infinite ? std::numeric_limits<float>::infinity()
                                   : std::numeric_limits<float>::quiet_NaN());
    } else {
      bytes = bytes_of(static_cast<std::uint16_t>(is_infinite ? 0x7c00 : 0x7e00));
    }
  }
  std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream << bytes;
}

BOOST_AUTO_TEST_CASE(weights_that_are_not_finite_leave_no_token_to_choose) {
  const TempFolder folder;
  const auto path = folder / "model.gguf";
  LlamaShape shape;
  shape.layers = 2;
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0}) {
    for (const std::string name :
         {"token_embd.weight", "output_norm.weight", "output.weight", "blk.0.attn_norm.weight",
          "blk.1.attn_q.weight", "blk.0.attn_k.weight", "blk.1.attn_v.weight",
          "blk.0.attn_output.weight", "blk.1.ffn_norm.weight", "blk.0.ffn_gate.weight",
          "blk.0.ffn_up.weight", "blk.1.ffn_down.weight"}) {
      for (const bool is_infinite : {false, true}) {
        write_llama_gguf(path, shape, {type, type, type}, 5);
        poison(path, name, is_infinite);
        const GgufFile file = GgufFile::open(path);
        const ModelConfig config = read_config(file);
        // Token 0 has the first row of the embedding.
        const std::vector<float> logits = plain_logits(file, config, {0, 5, 9});
        const auto last = std::span(logits).last(config.vocab_size);
        for (const float temperature : {0.0F, 1.0F}) {
          BOOST_CHECK_EXCEPTION(
              sample(last, {.temperature = temperature}, 3), ModelError,
              [](const ModelError& e) {
                return std::string(e.what()).find("NaN or infinite") != std::string::npos;
              });
        }
      }
    }
  }
}

}  // namespace
