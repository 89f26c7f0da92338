#include "runtime/commands/tokenize.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <iostream>
#include <limits>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "models/base/error.hpp"
#include "models/open_model.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "models/tokenizer/utf8.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/read_file.hpp"
#include "runtime/run/embedded.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* footer =
    R"(Without text it reads standard input. A --decode - reads ids from there.

Examples:
  flowspec tokenize "Once upon a time"
  flowspec tokenize --model model.gguf --file prompt.txt --ids
  flowspec tokenize --decode 1 403 407
  flowspec tokenize --model model.gguf --file corpus.txt --most-frequent 8000 > frequent.txt

Exit codes: 0 done, 2 wrong options or files.)";

std::string read_text(const TokenizeOptions& options) {
  if (!options.file.empty() && options.file != "-")
    return read_file(options.file, "file", most_text);
  return options.file.empty() && options.text && *options.text != "-"
             ? *options.text
             : read_standard_input("text", most_text);
}

Tokenizer named_tokenizer(const std::string& model) {
  try {
    return open_tokenizer(model.empty() ? embedded_file("target.gguf")
                                        : std::filesystem::path(model));
  } catch (const ModelError& e) {
    throw RuntimeError(e.what());
  }
}

/// Reads numbers, with any separators that lists of numbers are written with.
std::vector<Token> read_ids(const TokenizeOptions& options, const Tokenizer& tokenizer) {
  std::string text = options.decode == std::vector<std::string>{"-"}
                         ? read_standard_input("list of tokens", most_text)
                         : fmt::format("{}", fmt::join(options.decode, " "));
  std::vector<Token> tokens;
  for (std::size_t at = 0; (at = text.find_first_not_of(" \t\r\n,[]", at)) != std::string::npos;) {
    const auto word = text.substr(at, text.find_first_of(" \t\r\n,[]", at) - at);
    Token token = -1;
    auto result = std::from_chars(word.data(), word.data() + word.size(), token);
    if (result.ec != std::errc() || result.ptr != word.data() + word.size() || token < 0 ||
        static_cast<std::size_t>(token) >= tokenizer.vocab_size())
      throw RuntimeError(fmt::format("'{}' is no token of the model: give numbers from 0 to {}",
                                     word, tokenizer.vocab_size() - 1));
    tokens.push_back(token);
    at += word.size();
  }
  return tokens;
}

/// Quoted, so that spaces are visible; what does not print is escaped, as \n or \xff.
std::string in_quotes(std::string_view bytes) {
  std::string out = "\"";
  while (!bytes.empty()) {
    const Utf8Step step = next_utf8(bytes);
    const auto first = static_cast<unsigned char>(bytes[0]);
    if (first == '\n')
      out += "\\n";
    else if (first == '\t')
      out += "\\t";
    else if (first == '"' || first == '\\')
      out += {'\\', bytes[0]};
    else if (step.kind == Utf8Step::Kind::character && first >= ' ' && first != 0x7f)
      out += bytes.substr(0, step.size);
    else
      for (std::size_t i = 0; i < step.size; ++i)
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[i]));
    bytes.remove_prefix(step.size);
  }
  return out + "\"";
}

std::string table(const Tokenizer& tokenizer, const std::vector<Token>& tokens, std::size_t bytes) {
  std::string text;
  for (const Token token : tokens) {
    auto piece = tokenizer.piece(token);
    // A token without text is shown by the model's name for it.
    text +=
        fmt::format("{:>8}  {}\n", token, piece.empty() ? tokenizer.text(token) : in_quotes(piece));
  }
  return text + fmt::format("{} tokens for {} bytes\n", tokens.size(), bytes);
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes)
    out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

/// Bytes that are not UTF-8 become U+FFFD, since JSON cannot hold them.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json describe(const Tokenizer& tokenizer, const std::vector<Token>& tokens) {
  auto list = Json::array();
  for (const Token token : tokens) {
    auto piece = tokenizer.piece(token);
    list.push_back(
        {{"id", token}, {"token", tokenizer.text(token)}, {"text", piece}, {"bytes", hex(piece)}});
  }
  return {{"ids", tokens}, {"tokens", list}};
}

/// The most frequent tokens of a text, the tokens that end a text first: one a line, with its text as
/// a comment. Ties go to the lower token.
std::string most_frequent(const Tokenizer& tokenizer, const std::vector<Token>& tokens,
                          std::size_t count) {
  std::vector<std::size_t> times(tokenizer.vocab_size());
  for (const Token token : tokens)
    ++times[static_cast<std::size_t>(token)];
  std::vector<Token> order;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto token = static_cast<Token>(i);
    if (tokenizer.is_end_of_text(token))
      times[i] = std::numeric_limits<std::size_t>::max();
    if (times[i] > 0)
      order.push_back(token);
  }
  std::ranges::stable_sort(order, std::greater{},
                           [&](Token token) { return times[static_cast<std::size_t>(token)]; });
  order.resize(std::min(order.size(), count));
  std::string list = fmt::format("# {} tokens\n", order.size());
  for (const Token token : order) {
    auto piece = tokenizer.piece(token);
    list +=
        fmt::format("{} # {}\n", token, piece.empty() ? tokenizer.text(token) : in_quotes(piece));
  }
  return list;
}

}  // namespace

void add_tokenize(CLI::App& app, TokenizeOptions& options) {
  auto* text = app.add_option("text", options.text, "The text; - reads it from standard input");
  auto* file =
      app.add_option("--file", options.file, "Read the text from a file; - is standard input")
          ->excludes(text);
  app.add_option(
      "-m,--model", options.model,
      "GGUF file, or a folder with tokenizer.json or tokenizer.model (default: the small "
      "model that comes with the program)");
  auto* decode = app.add_option("--decode", options.decode,
                                "Token ids to turn into text, as 1 403 407 or 1,403")
                     ->expected(1, -1)
                     ->excludes(text)
                     ->excludes(file);
  auto* frequent =
      app.add_option("--most-frequent", options.most_frequent,
                     "Print the N most frequent tokens instead, as --draft-vocabulary reads them")
          ->type_name("N")
          ->excludes(decode)
          ->check(CLI::Range(1, 1 << 24));
  auto* ids =
      app.add_flag("--ids", options.ids, "Print only numbers, on one line")->excludes(frequent);
  app.add_flag("--json", options.json, "Print one JSON object")->excludes(ids)->excludes(frequent);
  app.add_flag("--no-bos", options.no_bos, "Do not add the token that begins a text");
  app.add_flag("--special", options.special,
               "Read the texts of control tokens, as </s>, as these tokens");
  app.footer(footer);
}

ExitCode tokenize(const TokenizeOptions& options) {
  const auto tokenizer = named_tokenizer(options.model);
  for (const auto& warning : tokenizer.warnings())
    spdlog::warn("{}: {}", options.model, warning);
  if (!options.decode.empty()) {
    const auto tokens = read_ids(options, tokenizer);
    const auto text = tokenizer.decode(tokens);
    print((options.json ? dump({{"ids", tokens}, {"text", text}, {"bytes", hex(text)}}) : text) +
          "\n");
    return ExitCode::ok;
  }
  EncodeOptions encode;
  if (options.no_bos)
    encode.add_bos = false;
  encode.parse_special = options.special;
  const auto text = read_text(options);
  if (options.most_frequent)
    encode.add_bos = encode.add_eos = false;
  const auto tokens = tokenizer.encode(text, encode);
  if (options.most_frequent)
    print(most_frequent(tokenizer, tokens, *options.most_frequent));
  else if (options.json)
    print(dump(describe(tokenizer, tokens)) + "\n");
  else if (options.ids)
    print(fmt::format("{}\n", fmt::join(tokens, " ")));
  else
    print(table(tokenizer, tokens, text.size()));
  return ExitCode::ok;
}

}  // namespace flowspec
