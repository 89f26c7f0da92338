#include <algorithm>
#include <limits>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/tokenizer/byte_pairs.hpp"
#include "models/tokenizer/folder_settings.hpp"
#include "models/tokenizer/sentence_pieces.hpp"
#include "models/tokenizer/split_reader.hpp"
#include "models/tokenizer/vocabulary.hpp"

namespace flowspec {
namespace {

using nlohmann::json;
using Merges = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t most_tokens = std::size_t{1} << 24;

class Reader {
 public:
  explicit Reader(const std::filesystem::path& folder)
      : path_(folder / "tokenizer.json"), file_(path_), settings_(FolderSettings::read(folder)) {}

  Vocabulary read() {
    read_model();
    const TextRules rules = read_text_rules(file_);
    read_tokens(rules);
    const Merges merges = read_merges();
    read_template();
    settings_.apply(table_);
    warn_of_marks(rules);
    return rules.byte_level ? make_byte_pairs(rules, merges) : make_pieces(rules, merges);
  }

 private:
  void read_model() {
    const json* model = JsonFile::find(file_.root(), "model");
    if (model == nullptr || !model->is_object())
      file_.fail("has no object 'model'");
    model_ = model;
    // Old files do not say the type of BPE.
    const bool has_merges = JsonFile::find(*model_, "merges") != nullptr;
    const std::string type = file_.get_string(*model_, "model", "type", has_merges ? "BPE" : "");
    if (type != "BPE")
      file_.refuse("its model.type is '" + printable(type) + "'");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (!file_.get_string(*model_, "model", key, "").empty())
        file_.refuse(std::string("its model has a ") + key);
    if (const json* dropout = JsonFile::find(*model_, "dropout"); dropout && *dropout != 0)
      file_.refuse("its model has a dropout");
  }

  void read_tokens(const TextRules& rules) {
    const json* vocab = JsonFile::find(*model_, "vocab");
    if (vocab == nullptr || !vocab->is_object())
      file_.fail("has no object 'model.vocab'");
    // Vocabularies have few gaps; one large id must not make a huge table.
    const std::size_t most = std::min(most_tokens, 2 * vocab->size() + 65536);
    for (const auto& [text, id] : vocab->items()) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= most) {
        file_.fail("model.vocab: '" + printable(text) + "' has no id from 0 to " +
                   std::to_string(most - 1));
      }
      const auto index = id.get<std::size_t>();
      if (index >= table_.size()) {
        table_.texts.resize(index + 1);
        table_.kinds.resize(index + 1, TokenKind::unused);
      }
      if (!table_.texts[index].empty()) {
        file_.fail("model.vocab: '" + printable(text) + "' and '" + printable(table_.texts[index]) +
                   "' have the same id " + std::to_string(index));
      }
      const bool is_byte = !rules.byte_level && parse_byte(text);
      table_.texts[index] = text;
      table_.kinds[index] = is_byte ? TokenKind::byte : TokenKind::normal;
    }
    check_vocabulary_size(path_, table_.size());
    const std::string unknown = file_.get_string(*model_, "model", "unk_token", "");
    if (const auto it = vocab->find(unknown); it != vocab->end()) {
      table_.unknown = it->get<Token>();
      table_.kinds[it->get<std::size_t>()] = TokenKind::unknown;
    }
    add_tokens(table_, read_added(), file_);
  }

  std::vector<AddedToken> read_added() {
    std::vector<AddedToken> added;
    const json* list = JsonFile::find(file_.root(), "added_tokens");
    if (list == nullptr)
      return added;
    if (!list->is_array())
      file_.fail("'added_tokens' is no list");
    for (const json& entry : *list) {
      AddedToken token = read_added_token(file_, entry);
      const json* id = JsonFile::find(entry, "id");
      if (id == nullptr || !id->is_number_unsigned() || id->get<std::uint64_t>() >= most_tokens) {
        file_.fail("the added token '" + printable(token.text) + "' has no id from 0 to " +
                   std::to_string(most_tokens - 1));
      }
      token.id = id->get<Token>();
      added.push_back(std::move(token));
    }
    return added;
  }

  /// Written as "a b" or as ["a", "b"].
  Merges read_merges() {
    const json* list = JsonFile::find(*model_, "merges");
    if (list == nullptr || !list->is_array() || list->size() > most_tokens)
      file_.fail("has no list 'model.merges' of at most " + std::to_string(most_tokens));
    Merges merges;
    for (const json& entry : *list) {
      std::string left;
      std::string right;
      if (entry.is_string()) {
        const auto& line = entry.get_ref<const std::string&>();
        const std::size_t space = line.find(' ');
        left = line.substr(0, space);
        right = space == std::string::npos ? "" : line.substr(space + 1);
      } else if (entry.is_array() && entry.size() == 2 && entry[0].is_string() &&
                 entry[1].is_string()) {
        left = entry[0].get<std::string>();
        right = entry[1].get<std::string>();
      }
      if (left.empty() || right.empty())
        file_.fail("model.merges: entry " + std::to_string(merges.size()) + " is no pair of texts");
      merges.emplace_back(std::move(left), std::move(right));
    }
    return merges;
  }

  /// Reads what the post_processor puts around a text.
  void read_template() {
    const json* processor = JsonFile::find(file_.root(), "post_processor");
    if (processor == nullptr)
      return;
    const std::string type = file_.get_string(*processor, "post_processor", "type", "");
    const json* steps = JsonFile::find(*processor, "processors");
    if (type != "Sequence") {
      read_template_step(*processor, type);
      return;
    }
    if (steps == nullptr || !steps->is_array())
      file_.fail("post_processor.processors is no list");
    for (const json& step : *steps)
      read_template_step(step, file_.get_string(step, "post_processor", "type", ""));
  }

  void read_template_step(const json& step, const std::string& type) {
    if (type == "ByteLevel")
      return;  // changes offsets only
    if (type != "TemplateProcessing")
      file_.refuse("its post_processor has a step '" + printable(type) + "'");
    const json* single = JsonFile::find(step, "single");
    if (single == nullptr || !single->is_array())
      file_.fail("the template of its post_processor has no list 'single'");
    bool after_text = false;
    for (const json& part : *single) {
      const json* special = JsonFile::find(part, "SpecialToken");
      if (special == nullptr) {
        after_text = true;
        continue;
      }
      const std::string name = file_.get_string(*special, "post_processor", "id", "");
      Token& token = after_text ? table_.eos : table_.bos;
      bool& adds = after_text ? table_.add_eos : table_.add_bos;
      const auto it = std::ranges::find(table_.texts, name);
      if (it == table_.texts.end() || adds)
        file_.refuse("its post_processor adds the token '" + printable(name) + "'");
      token = static_cast<Token>(it - table_.texts.begin());
      adds = true;
    }
    check_template(settings_.bos, table_.add_bos, table_.bos);
    check_template(settings_.eos, table_.add_eos, table_.eos);
  }

  /// Refuses a template that adds tokens other than BOS and EOS.
  void check_template(const std::optional<std::string>& name, bool adds, Token token) {
    if (adds && name && !name->empty() && *name != table_.text(token)) {
      file_.refuse("its post_processor adds the token '" + printable(table_.text(token)) +
                   "', which is not '" + printable(*name) + "'");
    }
  }

  Vocabulary make_byte_pairs(const TextRules& rules, const Merges& merges) {
    if (rules.marks_spaces || rules.normalizer.prepends_mark)
      file_.refuse("it has ByteLevel and marks for spaces");
    const BytePairOptions options{
        .whole_words_first = file_.get_bool(*model_, "model", "ignore_merges", false),
        .add_space_prefix = rules.prefix.at_begin};
    auto model = std::make_unique<BytePairs>(table_, merges, make_splitter(rules), options);
    return {std::move(table_), std::move(model), search(rules)};
  }

  WordSplitter make_splitter(const TextRules& rules) {
    try {
      return WordSplitter(rules.steps);
    } catch (const ModelError& error) {
      throw ModelError(path_.string() + ": " + error.what());
    }
  }

  Vocabulary make_pieces(const TextRules& rules, const Merges& merges) {
    if (!rules.marks_spaces || !file_.get_bool(*model_, "model", "byte_fallback", false))
      file_.refuse("its BPE is neither ByteLevel nor with marks for spaces and byte_fallback");
    if (rules.normalizer.composes || !rules.steps.empty())
      file_.refuse("it has marks for spaces and further steps");
    const auto crosses = [](const auto& merge) {
      return (merge.first + merge.second).find(space_mark, 1) != std::string::npos;
    };
    if (rules.splits_at_marks && std::ranges::any_of(merges, crosses))
      file_.refuse("its Metaspace splits words, which its merges join");
    auto model = std::make_unique<SentencePieces>(table_, merges, rules.prefix);
    return {std::move(table_), std::move(model), search(rules)};
  }

  static SpecialSearch search(const TextRules& rules) {
    return {.order = SpecialSearch::Order::leftmost,
            .normalizer = rules.normalizer,
            .normalizes_tokens = true,
            .unmarks_tokens = rules.marks_spaces};
  }

  /// If "▁" is prepended to a token that is searched for, it is found only at the beginning of a
  /// text and after a space; for control tokens that is seldom intended.
  void warn_of_marks(const TextRules& rules) {
    if (!rules.normalizer.prepends_mark)
      return;
    for (std::size_t i = 0; i < table_.search_rules.size(); ++i) {
      if (table_.search_rules[i].in_normalized && table_.kinds[i] == TokenKind::control) {
        table_.warnings.push_back("the control token '" + printable(table_.texts[i]) +
                                  "' is normalized, so a text has it at its begin and behind "
                                  "spaces only");
        return;
      }
    }
  }

  std::filesystem::path path_;
  JsonFile file_;
  FolderSettings settings_;
  const json* model_ = nullptr;
  TokenTable table_;
};

}  // namespace

Vocabulary read_json_vocabulary(const std::filesystem::path& folder) {
  return Reader(folder).read();
}

}  // namespace flowspec
