#include "tests/support/tokenizer_files.hpp"

namespace flowspec::test {

using nlohmann::json;

namespace {

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7)
    bytes += static_cast<char>(0x80 | (value & 0x7f));
  return bytes + static_cast<char>(value);
}

}  // namespace

json bpe_json(const std::vector<std::string>& tokens,
              const std::vector<std::pair<std::string, std::string>>& merges) {
  json vocab = json::object();
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (!tokens[i].empty())
      vocab[tokens[i]] = i;
  json lines = json::array();
  for (const auto& [left, right] : merges)
    lines.push_back(left + " " + right);
  return {{"version", "1.0"},
          {"added_tokens", json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", lines}}}};
}

json added_token(std::size_t id, const std::string& text, bool is_special) {
  return {{"id", id},        {"content", text},     {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", is_special}};
}

json byte_level_json(const ByteVocabulary& vocabulary, const std::string& pattern) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const auto& [left, right] : vocabulary.merges)
    merges.emplace_back(in_byte_alphabet(left), in_byte_alphabet(right));
  auto tokens = token_texts(vocabulary);
  const std::size_t special = vocabulary.control.size() + vocabulary.user_defined.size();
  const std::size_t first = tokens.size() - special;
  json added = json::array();
  for (std::size_t i = 0; i < special; ++i)
    added.push_back(added_token(first + i, tokens[first + i], i < vocabulary.control.size()));
  tokens.resize(first);
  json made = bpe_json(tokens, merges);
  made["added_tokens"] = added;
  const json split{{"type", "Split"},
                   {"pattern", {{"Regex", pattern}}},
                   {"behavior", "Isolated"},
                   {"invert", false}};
  const json bytes{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  made["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", json::array({split, bytes})}};
  return made;
}

std::string proto_field(unsigned number, const std::string& bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + bytes;
}

std::string proto_number(unsigned number, std::uint64_t value) {
  return varint(number << 3) + varint(value);
}

void add_sentencepiece_steps(json& tokenizer) {
  const std::string mark = "\xe2\x96\x81";
  const json replace{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", mark}};
  tokenizer["normalizer"] = {
      {"type", "Sequence"},
      {"normalizers", json::array({{{"type", "Prepend"}, {"prepend", mark}}, replace})}};
  const json bos{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const json text{{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  tokenizer["post_processor"] = {{"type", "TemplateProcessing"},
                                 {"single", json::array({bos, text})}};
}

std::string sentencepiece_bytes(const std::vector<SentencePieceSample>& pieces,
                                const std::string& more) {
  std::string bytes;
  for (const SentencePieceSample& piece : pieces) {
    std::string message = proto_field(1, piece.text) + varint(2 << 3 | 5) + bytes_of(piece.score);
    if (piece.type != 1)
      message += proto_number(3, static_cast<std::uint64_t>(piece.type));
    bytes += proto_field(1, message);
  }
  bytes += proto_field(2, proto_number(3, 2));                               // BPE
  bytes += proto_field(3, proto_field(1, "identity") + proto_number(4, 0));  // keeps spaces
  return bytes + more;
}

void write_json(const std::filesystem::path& path, const json& content) {
  write_file(path, content.dump());
}

}  // namespace flowspec::test
