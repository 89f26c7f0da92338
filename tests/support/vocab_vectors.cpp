#include "tests/support/vocab_vectors.hpp"

#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "tests/support/paths.hpp"

namespace flowspec::test {

std::filesystem::path public_vocabulary(const std::string& name) {
  return source_path("../shared/models/vocab") / ("ggml-vocab-" + name + ".gguf");
}

std::optional<std::vector<VocabVector>> public_vectors(const std::string& name) {
  const std::string base = public_vocabulary(name).string();
  std::ifstream input(base + ".inp", std::ios::binary);
  std::ifstream output(base + ".out");
  if (!input || !output) {
    std::cout << "skipped: there is no " << base << ".inp or .out\n";
    return std::nullopt;
  }
  std::string texts{std::istreambuf_iterator<char>(input), {}};
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<VocabVector> vectors;
  for (std::string line; std::getline(output, line);) {
    const std::size_t end = texts.find(separator);
    std::istringstream numbers(line);
    vectors.push_back({texts.substr(0, end), {std::istream_iterator<Token>(numbers), {}}});
    texts.erase(0, end == std::string::npos ? end : end + separator.size());
  }
  return vectors;
}

}  // namespace flowspec::test
