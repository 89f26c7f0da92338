#pragma once
/// Internal to models/tokenizer.

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/tokenizer/chat_template.hpp"
#include "models/tokenizer/json_file.hpp"
#include "models/tokenizer/token_table.hpp"

namespace flowspec {

/// A token that a folder adds to the vocabulary, or about which it says more.
struct AddedToken {
  Token id = no_token;
  std::string text;
  bool is_special = false;
  SearchRule search;
};

/// Reads an entry of `added_tokens` or `added_tokens_decoder`, all but its id.
AddedToken read_added_token(const JsonFile& file, const nlohmann::json& entry);

/// Puts tokens into the table, which grows if their ids are beyond its end. Throws ModelError,
/// which names `file`, if an id already has another text or is far beyond the end.
void add_tokens(TokenTable& table, const std::vector<AddedToken>& added, const JsonFile& file);

/// What a folder's tokenizer_config.json, special_tokens_map.json, generation_config.json and
/// config.json say about special tokens. All of them are optional; an earlier file wins.
struct FolderSettings {
  std::optional<std::string> bos;
  std::optional<std::string> eos;
  std::optional<std::string> unknown;
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
  std::optional<std::int64_t> bos_id;
  /// The first is eos, unless `eos` names it; all end a text.
  std::vector<std::int64_t> eos_ids;
  std::vector<AddedToken> added;

  /// Throws ModelError.
  static FolderSettings read(const std::filesystem::path& folder);

  /// Applies what they say to the table; the rest stays. Sets `end_of_text` too.
  void apply(TokenTable& table) const;
};

/// The chat templates of a folder. The main one is in chat_template.jinja, or else in
/// tokenizer_config.json (alone, or as "default" in a list), or else in chat_template.json; that for
/// tools is in additional_chat_templates/tool_use.jinja, or else in such a list. Throws ModelError.
ChatPrograms folder_chat_programs(const std::filesystem::path& folder);

}  // namespace flowspec
