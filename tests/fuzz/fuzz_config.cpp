/// A model's folder: config.json, also as that of an EAGLE or EAGLE-3 head, and the index of its weights.

#include <array>

#include "models/drafts/eagle3_config.hpp"
#include "models/drafts/eagle_config.hpp"
#include "models/formats/hf_folder.hpp"
#include "tests/fuzz/fuzzing.hpp"
#include "tests/support/safetensors_writer.hpp"

using namespace flowspec;

namespace {

std::string small_weights() {
  test::SafetensorsWriter writer;
  writer.add_raw_tensor("model.norm.weight", "F32", {2}, std::string(8, '\0'));
  return writer.bytes();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array<std::string_view, 2> names{"config.json", "model.safetensors.index.json"};
  static const std::string weights = small_weights();
  auto files = fuzz::split_files({reinterpret_cast<const char*>(data), size}, names);
  const bool has_index = files.contains("model.safetensors.index.json");
  files[has_index ? "model-1.safetensors" : "model.safetensors"] = weights;
  const auto folder = fuzz::Folder::with(files);
  fuzz::expect_readable_or_refused(
      folder,
      [&] {
        const HfFolder opened = HfFolder::open(folder);
        fuzz::expect_readable_or_refused(
            folder, [&] { opened.require("output_norm.weight", {2}); });
        fuzz::expect_readable_or_refused(
            folder,
            [&] {
              opened.require("blk.0.attn_q.weight", {2, 2});
            });
        fuzz::use(read_config(opened));
      });
  fuzz::expect_readable_or_refused(
      folder, [&] { fuzz::use(read_eagle_config(folder / "config.json").model); });
  fuzz::expect_readable_or_refused(folder, [&] {
    const Eagle3Config head = read_eagle3_config(folder / "config.json");
    fuzz::use(head.model);
    taps_in(head, head.model.layers, folder);
  });
  return 0;
}
