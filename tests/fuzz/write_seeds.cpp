/// Writes the seeds: fuzz_write_seeds FOLDER. They are in the repository, so that a change of what
/// is written here shows.

#include <cstdio>
#include <exception>
#include <filesystem>

#include "tests/fuzz/seeds.hpp"
#include "tests/support/gguf_writer.hpp"

using namespace flowspec;
using namespace flowspec::fuzz;

int main(int count, char** arguments) try {
  if (count != 2) {
    std::fprintf(stderr, "usage: fuzz_write_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path root = arguments[1];
  for (const auto& [target, seeds] :
       {std::pair{"fuzz_gguf", gguf_seeds()}, std::pair{"fuzz_safetensors", safetensors_seeds()},
        std::pair{"fuzz_tokenizer", tokenizer_seeds()}, std::pair{"fuzz_config", config_seeds()},
        std::pair{"fuzz_messages", message_seeds()}, std::pair{"fuzz_wire", wire_seeds()},
        std::pair{"fuzz_http", http_seeds()}, std::pair{"fuzz_openai", openai_seeds()}}) {
    std::filesystem::remove_all(root / target);
    std::filesystem::create_directories(root / target);
    for (const auto& [name, bytes] : seeds)
      test::write_file(root / target / name, bytes);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "fuzz_write_seeds: %s\n", error.what());
  return 1;
}
