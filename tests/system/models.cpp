#include "tests/system/models.hpp"

#include <cstdlib>
#include <fstream>

#include "models/formats/gguf.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::test {

namespace {

/// Makes the token that ends a text never the likeliest: its row of the output matrix becomes zero.
void silence_end_of_text(const std::filesystem::path& path) {
  std::uint64_t offset = 0;
  std::size_t row_bytes = 0;
  {
    auto file = GgufFile::open(path);
    const TensorInfo* output = file.find("output.weight");
    row_bytes = output->shape[0] * sizeof(float);
    offset = output->offset + file.require_uint("tokenizer.ggml.eos_token_id") * row_bytes;
  }
  std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream << std::string(row_bytes, '\0');
}

}  // namespace

const std::filesystem::path& model_folder() {
  static const TempFolder folder;
  static const bool is_written = [] {
    // The programs of the tests keep nothing beside what they are given.
    ::setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);
    ::setenv("XDG_CONFIG_HOME", (folder / "config").c_str(), 1);
    LlamaShape target;
    target.layers = 6;
    write_llama_gguf(folder / "target.gguf", target, {}, 1);
    LlamaShape draft;
    draft.layers = 1;
    write_llama_gguf(folder / "draft.gguf", draft, {}, 1);
    LlamaShape slow;
    slow.layers = 12;
    slow.hidden_size = 256;
    slow.ffn_size = 512;
    slow.context_length = 20000;
    write_llama_gguf(folder / "slow.gguf", slow, {}, 2);
    silence_end_of_text(folder / "slow.gguf");
    LlamaShape window;
    window.window = 40;
    write_llama_gguf(folder / "window.gguf", window, {}, 3);
    silence_end_of_text(folder / "window.gguf");
    for (const std::string architecture : {"qwen2", "qwen3"}) {
      LlamaShape qwen;
      qwen.architecture = architecture;
      qwen.layers = 3;
      write_llama_gguf(folder / (architecture + ".gguf"), qwen, {}, 4);
    }
    HfWriter(GgufFile::open(folder / "target.gguf")).write(folder / "target-hf", 2);
    return true;
  }();
  static_cast<void>(is_written);
  return folder.path();
}

}  // namespace flowspec::test
