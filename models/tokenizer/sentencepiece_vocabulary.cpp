#include "models/base/error.hpp"
#include "models/tokenizer/folder_settings.hpp"
#include "models/tokenizer/sentence_pieces.hpp"
#include "models/tokenizer/sentencepiece_file.hpp"
#include "models/tokenizer/vocabulary.hpp"

namespace flowspec {
namespace {

void refuse(const std::filesystem::path& path, const std::string& what) {
  throw ModelError(path.string() + ": " + what +
                   ", which is not computed. Use the model as a GGUF file, or another model.");
}

void check(const std::filesystem::path& path, const SentencePieceFile& file) {
  constexpr std::uint64_t bpe = 2;
  if (file.model_type != bpe) {
    refuse(path, "its trainer_spec.model_type is " + std::to_string(file.model_type) +
                     (file.model_type == 1 ? " (Unigram)" : "") + ", not 2 (BPE)");
  }
  if (file.has_character_map)
    refuse(path, "its normalizer_spec has a precompiled_charsmap");
  if (!file.escape_whitespaces || file.whitespace_is_suffix)
    refuse(path, "it does not mark spaces as a prefix of words");
}

}  // namespace

Vocabulary read_sentencepiece_vocabulary(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer.model";
  const SentencePieceFile file = SentencePieceFile::read(path);
  check(path, file);
  TokenTable table;
  std::vector<float> scores;
  for (const SentencePieceFile::Piece& piece : file.pieces) {
    const bool is_bad_byte = piece.kind == TokenKind::byte && !parse_byte(piece.text);
    table.texts.push_back(piece.text);
    table.kinds.push_back(is_bad_byte ? TokenKind::normal : piece.kind);
    scores.push_back(piece.score);
  }
  const auto known = [&table](std::int32_t id) { return table.has(id) ? id : no_token; };
  table.unknown = known(file.unknown);
  table.bos = known(file.bos);
  table.eos = known(file.eos);
  table.add_bos = true;
  // Tokens of the file itself are searched for in normalized text, added tokens in the raw text.
  for (const TokenKind kind : table.kinds)
    table.search_rules.push_back({.in_normalized = kind == TokenKind::user_defined});
  const FolderSettings settings = FolderSettings::read(folder);
  if (!settings.added.empty()) {
    std::vector<AddedToken> added = settings.added;
    for (AddedToken& token : added)
      token.search.in_normalized = false;
    add_tokens(table, added, JsonFile(folder / "tokenizer_config.json"));
    scores.resize(table.size());
  }
  settings.apply(table);
  const SpacePrefix none{.at_begin = false, .after_special = false};
  auto model = std::make_unique<SentencePieces>(table, std::move(scores), none);
  const SpecialSearch search{.order = SpecialSearch::Order::leftmost,
                             .normalizer = {.removes_extra_spaces = file.remove_extra_whitespaces,
                                            .prepends_mark = file.add_dummy_prefix,
                                            .marks_spaces = true},
                             .unmarks_tokens = true};
  return {std::move(table), std::move(model), search};
}

}  // namespace flowspec
