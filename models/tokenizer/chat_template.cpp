#include "models/tokenizer/chat_template.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <xxhash.h>

#include "models/tokenizer/chat_formats.hpp"
#include "models/tokenizer/white_space.hpp"

namespace flowspec {
namespace {

using Role = ChatTurn::Role;
using Place = ChatFormat::SystemPlace;
using Trim = ChatFormat::Trim;
using Thoughts = ChatFormat::Thoughts;

constexpr std::string_view thought_begin = "<think>";
constexpr std::string_view thought_end = "</think>";

std::string_view without_first_lines(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
  return text;
}

std::string_view without_last_lines(std::string_view text) {
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

std::string_view behind_last(std::string_view text, std::string_view mark) {
  const std::size_t at = text.rfind(mark);
  return at == std::string_view::npos ? text : text.substr(at + mark.size());
}

/// The model's reasoning before an answer; empty if its end is not marked.
std::string_view thoughts_of(std::string_view answer) {
  const std::size_t end = answer.find(thought_end);
  if (end == std::string_view::npos)
    return {};
  const auto thoughts = behind_last(without_last_lines(answer.substr(0, end)), thought_begin);
  return without_last_lines(without_first_lines(thoughts));
}

/// One conversation.
class Writer {
 public:
  Writer(const ChatFormat& format, std::span<const ChatTurn> turns, const ChatSymbols& symbols)
      : format_(format), turns_(turns), symbols_(symbols) {}

  ChatText write() {
    if (!turns_.empty() && turns_[0].role == Role::system) {
      system_ = turns_[0].text;
      turns_ = turns_.subspan(1);
    } else {
      system_ = format_.default_system;
    }
    if (system_ && format_.place == Place::first) {
      markup(format_.system_begin);
      literal(format_.trim == Trim::all ? python_strip(*system_) : *system_);
      markup(format_.system_end);
    }
    const auto last_user = last_turn([](const ChatTurn& turn) { return turn.role == Role::user; });
    const std::size_t system_turn = format_.place == Place::first        ? turns_.size()
                                    : format_.place == Place::first_user ? 0
                                                                         : last_user;
    for (std::size_t i = 0; i < turns_.size(); ++i)
      if (turns_[i].role == Role::user)
        write_user(turns_[i].text, i != 0, i == system_turn);
      else
        write_answer(turns_[i].text, i);
    if (!turns_.empty() && turns_.back().role == Role::user)
      markup(format_.prompt);
    return std::move(out_);
  }

 private:
  /// The index of the last wanted turn; the number of turns if there is none.
  template <class IsWanted>
  std::size_t last_turn(const IsWanted& is_wanted) const {
    for (std::size_t i = turns_.size(); i-- > 0;)
      if (is_wanted(turns_[i]))
        return i;
    return turns_.size();
  }

  void write_user(std::string_view text, bool is_later, bool has_system) {
    if (is_later)
      markup(format_.between);
    markup(format_.user_begin);
    if (has_system && system_) {
      markup(format_.system_begin);
      literal(*system_);
      if (format_.trim != Trim::all_but_system) {
        markup(format_.system_end);
      } else {
        // Both are trimmed as one text.
        text = python_rstrip(text);
        markup(text.empty() ? python_rstrip(format_.system_end) : format_.system_end);
      }
    } else if (format_.trim == Trim::all || format_.trim == Trim::all_but_system) {
      text = python_strip(text);
    }
    literal(text);
    markup(format_.user_end);
  }

  void write_answer(std::string_view text, std::size_t index) {
    markup(format_.answer_begin);
    switch (format_.thoughts) {
      case Thoughts::kept:
        break;
      case Thoughts::dropped:
        text = behind_last(text, thought_end);
        break;
      case Thoughts::dropped_with_lines:
        text = without_first_lines(behind_last(text, thought_end));
        break;
      case Thoughts::as_qwen3:
        text = write_thoughts(text, index);
        break;
    }
    literal(format_.trim == Trim::none ? text : python_strip(text));
    markup(format_.answer_end);
  }

  /// Writes the reasoning that is kept; returns the rest of the answer.
  std::string_view write_thoughts(std::string_view answer, std::size_t index) {
    const auto last_question = last_turn([](const ChatTurn& turn) {
      return turn.role == Role::user &&
             !(turn.text.starts_with("<tool_response>") && turn.text.ends_with("</tool_response>"));
    });
    const std::string_view thoughts = thoughts_of(answer);
    if (answer.find(thought_end) != std::string_view::npos)
      answer = without_first_lines(behind_last(answer, thought_end));
    const bool is_earlier = last_question != turns_.size() && index <= last_question;
    if (is_earlier || (thoughts.empty() && index + 1 != turns_.size()))
      return answer;
    markup("<think>\n");
    literal(thoughts);
    markup("\n</think>\n\n");
    return without_first_lines(answer);
  }

  void markup(std::string_view text) {
    const std::array<std::pair<std::string_view, std::string_view>, 3> symbols{
        {{"{bos}", symbols_.bos}, {"{eos}", symbols_.eos}, {"{date}", symbols_.date}}};
    while (!text.empty()) {
      const auto* found = std::ranges::find_if(
          symbols, [text](const auto& symbol) { return text.starts_with(symbol.first); });
      if (found != symbols.end()) {
        out_.text += found->second;
        text.remove_prefix(found->first.size());
      } else {
        out_.text += text.front();
        text.remove_prefix(1);
      }
    }
  }

  void literal(std::string_view text) {
    if (!text.empty())
      out_.literal.push_back({out_.text.size(), out_.text.size() + text.size()});
    out_.text += text;
  }

  const ChatFormat& format_;
  /// The turns of user and assistant, once the system message has been read.
  std::span<const ChatTurn> turns_;
  const ChatSymbols& symbols_;
  std::optional<std::string_view> system_;
  ChatText out_;
};

}  // namespace

std::vector<std::string_view> ChatTemplate::names() {
  std::vector<std::string_view> names;
  for (const ChatFormat& format : chat_formats())
    names.push_back(format.name);
  return names;
}

std::optional<ChatTemplate> ChatTemplate::by_name(std::string_view name) {
  const auto formats = chat_formats();
  const auto found = std::ranges::find(formats, name, &ChatFormat::name);
  return found == formats.end() ? std::nullopt : std::optional(ChatTemplate(*found));
}

std::optional<ChatTemplate> ChatTemplate::recognise(std::string_view program) {
  if (program.ends_with('\n'))
    program.remove_suffix(1);  // Jinja drops it
  const std::uint64_t hash = XXH3_64bits(program.data(), program.size());
  const auto programs = known_chat_programs();
  const auto found = std::ranges::lower_bound(programs, hash, {}, &KnownProgram::hash);
  if (found == programs.end() || found->hash != hash)
    return std::nullopt;
  auto known = by_name(found->format);
  if (known) {
    known->takes_system_ = found->takes_system;
    known->writes_bos_ = found->writes_bos;
  }
  return known;
}

std::string_view ChatTemplate::name() const {
  return format_->name;
}

ChatText ChatTemplate::render(std::span<const ChatTurn> turns, const ChatSymbols& symbols) const {
  return Writer(*format_, turns, symbols).write();
}

std::string_view ChatTemplate::message_of(std::string_view answer) const {
  const bool writes_space = format_->answer_begin.ends_with(' ') && !format_->prompt.ends_with(' ');
  return writes_space && answer.starts_with(' ') ? answer.substr(1) : answer;
}

}  // namespace flowspec
