#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/console/error.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// Options of `flowspec tokenize`.
struct TokenizeOptions {
  std::optional<std::string> text;
  std::string file;
  /// A GGUF file, or a folder with a tokenizer.json or tokenizer.model; empty: the target of the
  /// pair that comes with the program.
  std::string model;
  /// Token ids to turn into text, as words that contain numbers; empty: text to tokens.
  std::vector<std::string> decode;
  /// Count a text's tokens instead, and print this many of the most frequent.
  std::optional<std::size_t> most_frequent;
  bool ids = false;
  bool json = false;
  bool no_bos = false;
  bool special = false;
};

void add_tokenize(CLI::App& app, TokenizeOptions& options);

/// The command `flowspec tokenize`: a text's tokens, or the text of tokens. Throws RuntimeError.
ExitCode tokenize(const TokenizeOptions& options);

}  // namespace flowspec
