#include "tests/fuzz/fuzzing.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <vector>

#include "models/base/error.hpp"
#include "models/config/rope_scaling.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::fuzz {

void expect(bool holds, std::string_view promise) {
  if (!holds) {
    std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()),
                 promise.data());
    std::abort();
  }
}

void expect_readable_or_refused(const std::filesystem::path& place,
                                const std::function<void()>& read) {
  constexpr std::size_t longest = 2000;
  try {
    read();
  } catch (const ModelError& error) {
    static const bool shows_errors = std::getenv("FLOWSPEC_FUZZ_ERRORS") != nullptr;
    const std::string text = error.what();
    if (shows_errors)
      std::fprintf(stderr, "%s\n", text.c_str());
    const bool is_printable =
        std::ranges::none_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
    const bool is_good = text.starts_with(place.string()) && text.size() <= longest && is_printable;
    expect(is_good, "errors name the file, are short and printable; this one does not: " + text);
  }
}

std::filesystem::path Folder::with(const std::map<std::string, std::string>& files) {
  static const test::TempFolder folder;
  static std::set<std::string> there;
  for (const std::string& name : there)
    if (!files.contains(name))
      std::filesystem::remove(folder / name);
  there.clear();
  for (const auto& [name, bytes] : files) {
    test::write_file(folder / name, bytes);
    there.insert(name);
  }
  return folder.path();
}

std::map<std::string, std::string> split_files(std::string_view input,
                                               std::span<const std::string_view> names) {
  constexpr std::string_view mark = "--- ";
  std::map<std::string, std::string> files;
  std::string* file = nullptr;
  while (!input.empty()) {
    const std::size_t end = input.find('\n');
    const std::string_view line = input.substr(0, end);
    const std::string_view name = line.substr(std::min(mark.size(), line.size()));
    if (line.starts_with(mark) && std::ranges::find(names, name) != names.end()) {
      file = &files[std::string(name)];
      file->clear();
    } else if (file != nullptr) {
      file->append(line).append(end == input.npos ? "" : "\n");
    }
    input.remove_prefix(end == input.npos ? input.size() : end + 1);
  }
  for (auto& [name, content] : files)
    if (content.ends_with('\n'))
      content.pop_back();
  return files;
}

void use(std::span<const TensorInfo> tensors) {
  for (const TensorInfo& tensor : tensors) {
    if (is_supported(tensor.type))
      expect(tensor.floats().size() == tensor.elements(), "a tensor has as many values as it says");
    std::size_t sum = 0;
    for (const std::byte byte : tensor.data)
      sum += std::to_integer<std::size_t>(byte);
    expect(sum <= 255 * tensor.data.size(), "bytes of tensors can be read");
  }
}

void use(const ModelConfig& config) {
  constexpr std::uint32_t most = 1U << 24U;
  for (const std::uint32_t size : {config.hidden_size, config.layers, config.heads, config.kv_heads,
                                   config.head_dim, config.ffn_size, config.vocab_size})
    expect(size > 0 && size <= most, "sizes are neither 0 nor absurd");
  expect(config.context_length > 0, "there is a context");
  expect(config.heads % config.kv_heads == 0, "heads share key/value heads evenly");
  expect(config.rope_dims > 0 && config.rope_dims % 2 == 0 && config.rope_dims <= config.head_dim,
         "the rotated part of a head is even and no larger than it");
  expect(std::isfinite(config.rms_eps) && config.rms_eps > 0, "rms_eps is positive");
  expect(std::isfinite(config.rope_scaling.magnitude), "the attention factor is finite");
  if (config.rope_dims <= 4096) {
    const std::vector<double> frequencies = rope_frequencies(
        config.rope_dims, static_cast<double>(config.rope_theta), config.rope_scaling);
    expect(std::ranges::all_of(frequencies, [](double x) { return std::isfinite(x); }),
           "the frequencies of RoPE are finite");
  }
}

void use(const Tokenizer& tokenizer, std::string_view text) {
  constexpr std::size_t longest = 256;
  for (const bool parse_special : {false, true}) {
    const std::vector<Token> tokens =
        tokenizer.encode(text.substr(0, longest), {.parse_special = parse_special});
    expect(std::ranges::all_of(tokens,
                               [&](Token token) {
                                 return token >= 0 &&
                                        static_cast<std::size_t>(token) < tokenizer.vocab_size();
                               }),
           "tokens of a text are in the vocabulary");
    tokenizer.decode(tokens);
  }
  const auto size = static_cast<Token>(std::min<std::size_t>(tokenizer.vocab_size(), 300));
  for (Token token = -1; token <= size; ++token) {
    tokenizer.piece(token);
    tokenizer.text(token);
    tokenizer.is_end_of_text(token);
    tokenizer.is_control(token);
  }
  expect(tokenizer.vocab_hash().size() == 32, "a vocabulary has a hash");
  expect(!difference(tokenizer, tokenizer), "a vocabulary does not differ from itself");
  tokenizer.decode(std::vector<Token>{tokenizer.bos(), tokenizer.eos(), tokenizer.unknown()});
}

}  // namespace flowspec::fuzz
