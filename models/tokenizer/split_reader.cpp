#include "models/tokenizer/split_reader.hpp"

#include <cctype>
#include <map>

#include "models/formats/error_text.hpp"
#include "models/tokenizer/word_patterns.hpp"

namespace flowspec {
namespace {

using nlohmann::json;
using Behavior = SplitStep::Behavior;

class Reader {
 public:
  explicit Reader(const JsonFile& file) : file_(file) {}

  TextRules read() {
    if (const json* normalizer = JsonFile::find(file_.root(), "normalizer")) {
      each(
          *normalizer, "normalizer", "normalizers",
          [this](const json& step, const std::string& type) { normalize(step, type); });
    }
    if (const json* splitter = JsonFile::find(file_.root(), "pre_tokenizer")) {
      each(
          *splitter, "pre_tokenizer", "pretokenizers",
          [this](const json& step, const std::string& type) { split(step, type); });
    }
    return rules_;
  }

 private:
  /// Calls `use` with the steps of a sequence, or with the only step.
  template <class Use>
  void each(const json& step, const char* where, const char* list, const Use& use) {
    const std::string type = file_.get_string(step, where, "type", "");
    if (type != "Sequence") {
      use(step, type);
      return;
    }
    const json* steps = JsonFile::find(step, list);
    if (steps == nullptr || !steps->is_array())
      file_.fail(std::string(where) + "." + list + " is no list");
    for (const json& inner : *steps)
      use(inner, file_.get_string(inner, where, "type", ""));
  }

  void normalize(const json& step, const std::string& type) {
    Normalizer& normalizer = rules_.normalizer;
    if (type == "NFC" && !normalizer.marks_spaces) {
      normalizer.composes = true;
    } else if (type == "Prepend" && !normalizer.prepends_mark && is_mark(step, "prepend")) {
      normalizer.prepends_mark = true;
    } else if (type == "Replace" && is_space(step) && is_mark(step, "content")) {
      normalizer.marks_spaces = true;
      rules_.marks_spaces = true;
    } else {
      file_.refuse("its normalizer has a step '" + printable(type) + "' (" + brief(step) + ")");
    }
  }

  void split(const json& step, const std::string& type) {
    if (rules_.byte_level)
      file_.refuse("its pre_tokenizer has a step '" + printable(type) + "' after ByteLevel");
    if (type == "ByteLevel") {
      rules_.byte_level = true;
      if (file_.get_bool(step, type, "add_prefix_space", true)) {
        rules_.prefix = {.at_begin = true, .after_special = true, .only_if_missing = true};
        if (!rules_.steps.empty())
          file_.refuse("its pre_tokenizer adds a space after it has split the text");
      }
      if (file_.get_bool(step, type, "use_regex", true))
        rules_.steps.push_back({.pattern = std::string(gpt2_words)});
    } else if (type == "Split") {
      add_split(step);
    } else if (type == "Digits") {
      const bool each_alone = file_.get_bool(step, type, "individual_digits", false);
      rules_.steps.push_back({.pattern = R"(\p{N})",
                              .behavior = each_alone ? Behavior::isolated : Behavior::contiguous});
    } else if (type == "Punctuation") {
      rules_.steps.push_back(
          {.pattern = R"([\p{P}$+<=>^`|~])", .behavior = behavior(step, "Isolated")});
    } else if (type == "Metaspace") {
      add_marks(step);
    } else {
      file_.refuse("its pre_tokenizer has a step '" + printable(type) + "'");
    }
  }

  void add_split(const json& step) {
    const json* pattern = JsonFile::find(step, "pattern");
    const json* regex = pattern == nullptr ? nullptr : JsonFile::find(*pattern, "Regex");
    const json* text = pattern == nullptr ? nullptr : JsonFile::find(*pattern, "String");
    if (rules_.marks_spaces && text != nullptr && *text == " ")
      return;  // no spaces are left
    SplitStep made;
    if (regex != nullptr && regex->is_string())
      made.pattern = regex->get<std::string>();
    else if (text != nullptr && text->is_string())
      made.pattern = literal(text->get<std::string>());
    else
      file_.fail("a Split of the pre_tokenizer has no pattern");
    made.behavior = behavior(step, "Isolated");
    made.is_foreign = !is_own_pattern(made.pattern);
    rules_.steps.push_back(made);
  }

  void add_marks(const json& step) {
    if (!is_mark(step, "replacement"))
      file_.refuse("the Metaspace of its pre_tokenizer has another mark than \xe2\x96\x81");
    const bool adds = file_.get_bool(step, "Metaspace", "add_prefix_space", true);
    const std::string scheme =
        file_.get_string(step, "Metaspace", "prepend_scheme", adds ? "always" : "never");
    if (scheme != "always" && scheme != "first" && scheme != "never") {
      file_.refuse("the Metaspace of its pre_tokenizer has the prepend_scheme '" +
                   printable(scheme) + "'");
    }
    rules_.marks_spaces = true;
    rules_.splits_at_marks = file_.get_bool(step, "Metaspace", "split", true);
    if (scheme != "never") {
      rules_.prefix = {
          .at_begin = true, .after_special = scheme == "always", .only_if_missing = true};
    }
  }

  Behavior behavior(const json& step, const std::string& fallback) {
    static const std::map<std::string, Behavior> known{
        {"Isolated", Behavior::isolated},
        {"Contiguous", Behavior::contiguous},
        {"MergedWithPrevious", Behavior::merged_with_previous},
        {"MergedWithNext", Behavior::merged_with_next}};
    const std::string name = file_.get_string(step, "pre_tokenizer", "behavior", fallback);
    const bool inverts = file_.get_bool(step, "pre_tokenizer", "invert", false);
    if (name == "Removed" && inverts) {
      // The matches are the words. These patterns match everything, so nothing is removed.
      return Behavior::isolated;
    }
    const auto it = known.find(name);
    if (it == known.end() || inverts) {
      file_.refuse("its pre_tokenizer splits with the behavior '" + printable(name) + "'" +
                   (inverts ? ", inverted" : ""));
    }
    return it->second;
  }

  static std::string literal(const std::string& text) {
    std::string pattern;
    for (const char c : text) {
      const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0;
      pattern += is_plain ? std::string(1, c) : std::string{'\\', c};
    }
    return pattern;
  }

  static bool is_mark(const json& step, const char* key) {
    const json* value = JsonFile::find(step, key);
    return value != nullptr && *value == std::string(space_mark);
  }

  static bool is_space(const json& step) {
    const json* pattern = JsonFile::find(step, "pattern");
    const json* text = pattern == nullptr ? nullptr : JsonFile::find(*pattern, "String");
    return text != nullptr && *text == " ";
  }

  static std::string brief(const json& step) {
    return printable(step.dump(-1, ' ', true, json::error_handler_t::replace));
  }

  const JsonFile& file_;
  TextRules rules_;
};

}  // namespace

TextRules read_text_rules(const JsonFile& file) {
  return Reader(file).read();
}

}  // namespace flowspec
