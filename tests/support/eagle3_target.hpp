#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/lm_head.hpp"
#include "tests/support/eagle3_files.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::test {

/// A small target model of 8 layers with random weights, for EAGLE-3 heads of a given shape.
class Eagle3Target {
 public:
  explicit Eagle3Target(const Eagle3Shape& shape) {
    LlamaShape llama;
    llama.hidden_size = shape.target_hidden_size;
    llama.vocab_size = shape.vocab_size;
    llama.heads = 2;
    llama.kv_heads = 1;
    llama.head_dim = 8;
    llama.ffn_size = 32;
    llama.layers = 8;
    write_llama_gguf(folder_ / "target.gguf", llama, {}, 5);
    file_ = std::make_unique<GgufFile>(GgufFile::open(folder_ / "target.gguf"));
    config_ = read_config(*file_);
  }

  LmHead lm_head(unsigned threads = 1) const { return {*file_, config_, threads, 16}; }
  const GgufFile& files() const { return *file_; }
  const ModelConfig& config() const { return config_; }
  /// vocabulary x hidden size
  std::vector<double> embedding() const {
    const std::vector<float> values = file_->find("token_embd.weight")->floats();
    return {values.begin(), values.end()};
  }

 private:
  TempFolder folder_;
  std::unique_ptr<GgufFile> file_;
  ModelConfig config_;
};

}  // namespace flowspec::test
