#include "tests/system/models.hpp"

#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::test {

const std::filesystem::path& model_folder() {
  static const TempFolder folder;
  static const bool is_written = [] {
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
    return true;
  }();
  static_cast<void>(is_written);
  return folder.path();
}

}  // namespace flowspec::test
