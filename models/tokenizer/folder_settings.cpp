#include "models/tokenizer/folder_settings.hpp"

#include <algorithm>
#include <charconv>

#include "models/formats/error_text.hpp"
#include "models/formats/text_file.hpp"

namespace flowspec {
namespace {

using nlohmann::json;

/// Vocabularies have few gaps; one large id must not make a huge table.
constexpr std::size_t largest_gap = 65536;
/// The largest published program has some 20 KiB.
constexpr std::size_t most_program_bytes = std::size_t{1} << 20;

/// A token's text, given as a string or as an object with more about the token.
void read_name(const JsonFile& file, const char* key, std::optional<std::string>& name) {
  const json* value = JsonFile::find(file.root(), key);
  if (value == nullptr || name)
    return;
  if (value->is_string())
    name = value->get<std::string>();
  else if (value->is_object())
    name = file.get_string(*value, key, "content", "");
  else
    file.fail(std::string(key) + " is neither text nor an object");
}

void read_names(const JsonFile& file, FolderSettings& settings) {
  read_name(file, "bos_token", settings.bos);
  read_name(file, "eos_token", settings.eos);
  read_name(file, "unk_token", settings.unknown);
}

void read_flag(const JsonFile& file, const char* key, std::optional<bool>& flag) {
  if (JsonFile::find(file.root(), key) != nullptr)
    flag = file.get_bool(file.root(), "the file", key, false);
}

/// Ids, as a number or a list.
std::vector<std::int64_t> read_ids(const JsonFile& file, const char* key) {
  const json* value = JsonFile::find(file.root(), key);
  std::vector<std::int64_t> ids;
  if (value == nullptr)
    return ids;
  for (const json& id : value->is_array() ? *value : json::array({*value})) {
    if (!id.is_number_integer())
      file.fail(std::string(key) + " is neither an integer nor a list of integers");
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

void read_added(const JsonFile& file, std::vector<AddedToken>& added) {
  const json* entries = JsonFile::find(file.root(), "added_tokens_decoder");
  if (entries == nullptr)
    return;
  if (!entries->is_object())
    file.fail("added_tokens_decoder is no object");
  for (const auto& [key, entry] : entries->items()) {
    AddedToken token = read_added_token(file, entry);
    const char* end = key.data() + key.size();
    if (std::from_chars(key.data(), end, token.id).ptr != end)
      file.fail("added_tokens_decoder has the key '" + printable(key) + "', expected a number");
    added.push_back(std::move(token));
  }
}

/// Under "chat_template": a program, or a list of programs with names.
void read_programs(const JsonFile& file, ChatPrograms& programs) {
  const json* found = JsonFile::find(file.root(), "chat_template");
  if (found == nullptr)
    return;
  if (found->is_string())
    programs.main = found->get<std::string>();
  for (const json& entry : found->is_array() ? *found : json::array()) {
    if (!entry.is_object())
      continue;
    const std::string name = file.get_string(entry, "chat_template", "name", "");
    if (name == "default" || name == "tool_use")
      (name == "default" ? programs.main : programs.tool_use) =
          file.get_string(entry, "chat_template", "template", "");
  }
}

Token find_text(const TokenTable& table, const std::string& text) {
  const auto it = std::ranges::find(table.texts, text);
  return it == table.texts.end() ? no_token : static_cast<Token>(it - table.texts.begin());
}

}  // namespace

AddedToken read_added_token(const JsonFile& file, const json& entry) {
  AddedToken token;
  token.text = file.get_string(entry, "an added token", "content", "");
  if (token.text.empty())
    file.fail("an added token has no content");
  if (file.get_bool(entry, "an added token", "single_word", false))
    file.refuse("its added token '" + printable(token.text) + "' is a single_word");
  token.is_special = file.get_bool(entry, "an added token", "special", false);
  token.search = {
      .takes_left = file.get_bool(entry, "an added token", "lstrip", false),
      .takes_right = file.get_bool(entry, "an added token", "rstrip", false),
      .in_normalized = file.get_bool(entry, "an added token", "normalized", !token.is_special)};
  return token;
}

void add_tokens(TokenTable& table, const std::vector<AddedToken>& added, const JsonFile& file) {
  const std::size_t most = table.size() + added.size() + largest_gap;
  for (const AddedToken& token : added) {
    if (token.id < 0 || static_cast<std::size_t>(token.id) > most) {
      file.fail("the added token '" + printable(token.text) + "' has the id " +
                std::to_string(token.id) + ", expected 0 to " + std::to_string(most));
    }
    const auto index = static_cast<std::size_t>(token.id);
    if (index >= table.size()) {
      table.texts.resize(index + 1);
      table.kinds.resize(index + 1, TokenKind::unused);
    }
    table.search_rules.resize(table.size());
    if (!table.texts[index].empty() && table.texts[index] != token.text) {
      file.fail("token " + std::to_string(token.id) + " is '" + printable(table.texts[index]) +
                "' and also the added token '" + printable(token.text) + "'");
    }
    table.texts[index] = token.text;
    table.search_rules[index] = token.search;
    if (table.kinds[index] != TokenKind::unknown)
      table.kinds[index] = token.is_special ? TokenKind::control : TokenKind::user_defined;
  }
}

FolderSettings FolderSettings::read(const std::filesystem::path& folder) {
  FolderSettings settings;
  if (const auto file = JsonFile::find(folder / "tokenizer_config.json")) {
    read_names(*file, settings);
    read_flag(*file, "add_bos_token", settings.add_bos);
    read_flag(*file, "add_eos_token", settings.add_eos);
    read_added(*file, settings.added);
  }
  if (const auto file = JsonFile::find(folder / "special_tokens_map.json"))
    read_names(*file, settings);
  for (const char* name : {"generation_config.json", "config.json"}) {
    const auto file = JsonFile::find(folder / name);
    if (!file)
      continue;
    const auto begin = read_ids(*file, "bos_token_id");
    if (!settings.bos_id && !begin.empty())
      settings.bos_id = begin.front();
    const auto ends = read_ids(*file, "eos_token_id");
    settings.eos_ids.insert(settings.eos_ids.end(), ends.begin(), ends.end());
  }
  return settings;
}

void FolderSettings::apply(TokenTable& table) const {
  // A name or number that the vocabulary lacks has no effect, as in GGUF files.
  const auto known = [&table](const char* key, std::int64_t id) {
    const bool is_known = id >= 0 && id < static_cast<std::int64_t>(table.size());
    if (!is_known)
      table.warn_of_id(key, std::to_string(id));
    return is_known;
  };
  const auto set = [&table](Token& token, const char* key, const std::optional<std::string>& name,
                            std::optional<Token> id) {
    const Token named = name && !name->empty() ? find_text(table, *name) : no_token;
    if (name && !name->empty() && named == no_token) {
      table.warn_of_id(key, "'" + *name + "'");
    }
    if (named != no_token) {
      token = named;
    } else if (id) {
      token = *id;
    }
  };
  std::set<Token> ends;
  std::optional<Token> first_end;
  for (const std::int64_t id : eos_ids) {
    if (known("eos_token_id", id)) {
      ends.insert(static_cast<Token>(id));
      first_end = first_end.value_or(static_cast<Token>(id));
    }
  }
  std::optional<Token> begin;
  if (bos_id && known("bos_token_id", *bos_id))
    begin = static_cast<Token>(*bos_id);
  set(table.bos, "bos_token", bos, begin);
  set(table.eos, "eos_token", eos, first_end);
  set(table.unknown, "unk_token", unknown, std::nullopt);
  table.set_ends(std::move(ends));
  table.add_bos = add_bos.value_or(table.add_bos) && table.bos != no_token;
  table.add_eos = add_eos.value_or(table.add_eos) && table.eos != no_token;
}

ChatPrograms folder_chat_programs(const std::filesystem::path& folder) {
  ChatPrograms programs;
  if (const auto file = JsonFile::find(folder / "tokenizer_config.json")) {
    read_programs(*file, programs);
    for (const char* key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                            "cls_token", "mask_token"}) {
      std::optional<std::string> text;
      read_name(*file, key, text);
      if (text)
        programs.special.emplace(key, *text);
    }
  }
  if (const auto file = JsonFile::find(folder / "chat_template.json"); file && !programs.main)
    read_programs(*file, programs);
  const auto read = [](const std::filesystem::path& path, std::optional<std::string>& program) {
    if (has_entry(path))
      program = read_text_file(path, most_program_bytes, "Get the model from another source.");
  };
  read(folder / "chat_template.jinja", programs.main);
  read(folder / "additional_chat_templates" / "tool_use.jinja", programs.tool_use);
  return programs;
}

}  // namespace flowspec
