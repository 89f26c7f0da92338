/// Safetensors files.

#include <vector>

#include "models/drafts/draft_files.hpp"
#include "models/formats/safetensors.hpp"
#include "models/formats/safetensors_reader.hpp"
#include "tests/fuzz/fuzzing.hpp"

using namespace flowspec;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // From memory of exactly this size: AddressSanitizer sees every byte too many.
  const std::vector<std::uint8_t> exact(data, data + size);
  fuzz::expect_readable_or_refused("memory.safetensors", [&] {
    fuzz::use(
        read_safetensors_header(std::as_bytes(std::span(exact)), "memory.safetensors").tensors);
  });
  const auto folder = fuzz::Folder::with(
      {{"model.safetensors", std::string(reinterpret_cast<const char*>(data), size)}});
  fuzz::expect_readable_or_refused(folder, [&] { draft_kind(folder); });
  const auto path = folder / "model.safetensors";
  fuzz::expect_readable_or_refused(path, [&] {
    const SafetensorsFile file = SafetensorsFile::open(path);
    for (const TensorInfo& tensor : file.tensors())
      fuzz::expect(file.find(tensor.name) == &tensor, "tensors are found by their names");
    for (const char* name : {"fc.weight", "half", "odd"}) {
      fuzz::expect_readable_or_refused(path, [&] { file.require(name, {2, 4}); });
      if (const TensorInfo* tensor = file.find(name)) {
        const std::vector<std::uint64_t> shape(tensor->shape.rbegin(), tensor->shape.rend());
        fuzz::expect_readable_or_refused(path, [&] { file.require(name, shape); });
      }
    }
  });
  return 0;
}
