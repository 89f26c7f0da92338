/// GGUF files: header, tensors, configuration and vocabulary.

#include <vector>

#include "models/formats/gguf.hpp"
#include "models/formats/gguf_reader.hpp"
#include "tests/fuzz/fuzzing.hpp"

using namespace flowspec;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  // From memory of exactly this size: AddressSanitizer sees every byte too many.
  const std::vector<std::uint8_t> exact(data, data + size);
  fuzz::expect_readable_or_refused("memory.gguf", [&] {
    fuzz::use(read_gguf_header(std::as_bytes(std::span(exact)), "memory.gguf").tensors);
  });
  const auto path = fuzz::Folder::with({{"model.gguf", bytes}}) / "model.gguf";
  fuzz::expect_readable_or_refused(path, [&] {
    const GgufFile file = GgufFile::open(path);
    for (const TensorInfo& tensor : file.tensors())
      fuzz::expect(file.find(tensor.name) == &tensor, "tensors are found by their names");
    for (const char* name : {"token_embd.weight", "rope_freqs.weight", "q4_k"}) {
      fuzz::expect_readable_or_refused(path, [&] { fuzz::use({&file.require(name, {256}), 1}); });
      if (const TensorInfo* tensor = file.find(name))
        fuzz::expect_readable_or_refused(path, [&] { file.require(name, tensor->shape); });
    }
    fuzz::expect_readable_or_refused(path, [&] { fuzz::use(read_config(file)); });
    // The end of a file is some tensor's bytes: whatever text they are.
    const std::size_t text_size = std::min<std::size_t>(size, 64);
    fuzz::use(Tokenizer::from_gguf(file),
              "ab \xff<s> 12" + bytes.substr(size - text_size, text_size));
  });
  return 0;
}
