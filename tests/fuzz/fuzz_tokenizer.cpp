/// The tokenizer files of a model's folder, and a text.

#include <array>

#include "tests/fuzz/fuzzing.hpp"

using namespace flowspec;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array<std::string_view, 7> names{"tokenizer.json",
                                                  "tokenizer.model",
                                                  "tokenizer_config.json",
                                                  "special_tokens_map.json",
                                                  "generation_config.json",
                                                  "config.json",
                                                  "text"};
  const auto files = fuzz::split_files({reinterpret_cast<const char*>(data), size}, names);
  const auto folder = fuzz::Folder::with(files);
  const auto text = files.find("text");
  fuzz::expect_readable_or_refused(folder, [&] {
    fuzz::use(Tokenizer::from_folder(folder),
              text != files.end() ? text->second : "Hello  w\xc3\xb6rld\n<s> 123\xff");
  });
  return 0;
}
