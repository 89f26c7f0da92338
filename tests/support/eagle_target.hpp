#pragma once

#include <memory>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/lm_head.hpp"
#include "tests/support/eagle_files.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::test {

/// A small target model with random weights, for EAGLE heads of a given shape.
class EagleTarget {
 public:
  explicit EagleTarget(const EagleShape& shape) {
    LlamaShape llama;
    llama.hidden_size = shape.hidden_size;
    llama.vocab_size = shape.vocab_size;
    llama.head_dim = 16;
    llama.layers = 1;
    write_llama_gguf(folder_ / "target.gguf", llama, {}, 5);
    file_ = std::make_unique<GgufFile>(GgufFile::open(folder_ / "target.gguf"));
    config_ = read_config(*file_);
  }

  LmHead lm_head(unsigned threads = 1) const { return {*file_, config_, threads, 16}; }
  const GgufFile& file() const { return *file_; }
  const ModelConfig& config() const { return config_; }

 private:
  TempFolder folder_;
  std::unique_ptr<GgufFile> file_;
  ModelConfig config_;
};

}  // namespace flowspec::test
