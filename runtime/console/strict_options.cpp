#include "runtime/console/strict_options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"

namespace flowspec {

namespace {

constexpr const char* empty_value = "is empty; give it a value, or leave the option out";

bool takes_value(const CLI::Option& option) {
  return !option.get_positional() && option.get_items_expected_max() > 0;
}

/// The number in decimal, with leading zeros removed, since CLI11 would read those as octal.
template <class Number>
std::string checked_number(const std::string& text, const char* what) {
  Number value = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range && stop == end)
    throw CLI::ValidationError(fmt::format("{} is out of range", text));
  if (error != std::errc{} || stop != end)
    throw CLI::ValidationError(fmt::format("'{}' is not {}", text, what));
  return std::to_string(value);
}

/// Requires a decimal point, whatever the locale.
std::string checked_decimal(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  bool is_whole_text = stop == end;
  if (auto comma = text.find(','); error == std::errc{} && comma != text.npos && !is_whole_text)
    throw CLI::ValidationError(fmt::format("'{}' is not a number; decimals follow a point: {}.{}",
                                           text, text.substr(0, comma), text.substr(comma + 1)));
  if (error == std::errc::result_out_of_range && is_whole_text)
    throw CLI::ValidationError(fmt::format("{} is out of range", text));
  if (error != std::errc{} || !is_whole_text || !std::isfinite(value))
    throw CLI::ValidationError(fmt::format("'{}' is not a number", text));
  constexpr double most = std::numeric_limits<float>::max();
  if (value > most || value < -most)
    throw CLI::ValidationError(fmt::format("{} is out of range", text));
  return text;
}

std::string checked(const std::string& type, const std::string& text) {
  if (text.empty())
    throw CLI::ValidationError(empty_value);
  if (type.starts_with("UINT"))
    return checked_number<std::uint64_t>(text, "a whole number of 0 or more");
  if (type.starts_with("INT"))
    return checked_number<std::int64_t>(text, "a whole number");
  if (type.starts_with("FLOAT") || type == "SECONDS")
    return checked_decimal(text);
  return text;
}

/// The app itself, its groups of options and, if `commands`, its commands.
template <class App>
void collect(App& app, bool commands, std::vector<App*>& apps) {
  apps.push_back(&app);
  for (App* sub : app.get_subcommands([](App*) { return true; }))
    if (commands || sub->get_name().empty())
      collect(*sub, commands, apps);
}

std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  std::vector<const CLI::App*> apps;
  collect(command, false, apps);
  std::vector<const CLI::Option*> options;
  for (const CLI::App* app : apps)
    for (const CLI::Option* option : app->get_options())
      if (std::ranges::find(options, option) == options.end())
        options.push_back(option);
  return options;
}

/// The innermost command that the words name.
const CLI::App& parsed_command(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty())
    command = command->get_subcommands().back();
  return *command;
}

/// Option names as the user types them: "-m", "--model".
std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames())
    names.push_back("-" + name);
  for (const std::string& name : option.get_lnames())
    names.push_back("--" + name);
  return names;
}

bool has_empty_part(std::string_view list, char delimiter) {
  return list.front() == delimiter || list.back() == delimiter ||
         list.find(std::string(2, delimiter)) != std::string_view::npos;
}

void check_word(const CLI::Option& option, const std::string& name, std::string_view word,
                std::string_view next) {
  auto fail = [&] { throw RuntimeError(fmt::format("{}: {}", option.get_name(), empty_value)); };
  if (word == name + "=")
    fail();
  auto value = word == name ? next : word;
  if (word != name && !word.starts_with(name + "="))
    return;
  if (word != name)
    value.remove_prefix(name.size() + 1);
  auto delimiter = option.get_delimiter();
  if (delimiter != '\0' && !value.empty() && has_empty_part(value, delimiter))
    throw RuntimeError(fmt::format("{}: the list {} has an empty part", option.get_name(),
                                   one_line(std::string(value))));
}

/// Edit distance: characters to insert, remove, replace, or exchange with their neighbour, to get
/// from one word to the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    d[i][0] = i;
  std::iota(d[0].begin(), d[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min(
          {d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1), d[i - 1][j] + 1, d[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

/// What the word may have been meant to be: the names at the smallest distance, if it is small,
/// else those that begin with the word.
std::vector<std::string> nearest(const std::string& word, const std::vector<std::string>& names) {
  auto least = 1 + word.size() / 4;
  // Nobody means a word of a thousand letters, and the comparison takes time.
  if (word.size() > 40)
    return {};
  for (const std::string& name : names)
    least = std::min(least, distance(word, name));
  std::vector<std::string> result;
  for (const std::string& name : names)
    if (distance(word, name) == least)
      result.push_back(name);
  for (const std::string& name : names)
    if (result.empty() && word.size() > 2 && name.starts_with(word))
      result.push_back(name);
  return result;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name().empty())
      continue;
    names.push_back(sub->get_name());
    std::ranges::copy(sub->get_aliases(), std::back_inserter(names));
  }
  return names;
}

std::string unknown_option(const CLI::App& command, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options_of(command))
    std::ranges::copy(names_of(*option), std::back_inserter(names));
  auto text = fmt::format("there is no option {}", one_line(word));
  if (word.find_first_of(" \t\n") != std::string::npos)
    return text + "; a text that begins with - has to stand behind --";
  auto meant = nearest(word.substr(0, word.find('=')), names);
  return meant.empty() ? text : fmt::format("{}; is it {}?", text, fmt::join(meant, ", "));
}

std::string unknown_word(const CLI::App& command, const std::string& word) {
  if (word.size() > 1 && word.front() == '-')
    return unknown_option(command, word);
  auto commands = command_names(command);
  if (commands.empty())
    return fmt::format("'{}' is one argument too many", one_line(word));
  auto meant = nearest(word, commands);
  return fmt::format("there is no command '{}'; {} {}", one_line(word),
                     meant.empty() ? "the commands are" : "is it",
                     fmt::join(meant.empty() ? commands : meant, ", ")) +
         (meant.empty() ? "" : "?");
}

std::string path_of(const CLI::App& command) {
  return command.get_parent() == nullptr
             ? command.get_name()
             : fmt::format("{} {}", path_of(*command.get_parent()), command.get_name());
}

}  // namespace

void make_strict(CLI::App& app) {
  std::vector<CLI::App*> apps;
  collect(app, true, apps);
  for (CLI::App* part : apps)
    for (CLI::Option* option : part->get_options())
      if (takes_value(*option))
        option->transform([type = option->get_type_name()](
                              const std::string& text) { return checked(type, text); },
                          "", "strict");
}

void check_words(const CLI::App& app, int argc, const char* const* argv) {
  auto options = options_of(parsed_command(app));
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i)
    for (const CLI::Option* option : options)
      if (takes_value(*option))
        for (const std::string& name : names_of(*option))
          check_word(*option, name, argv[i], i + 1 < argc ? argv[i + 1] : "");
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = parsed_command(app);
  auto words = command.remaining();
  std::erase(words, "--");
  auto is_about_words = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) ||
                        error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
  std::string text = error.what();
  if (is_about_words && !words.empty())
    text = unknown_word(command, words.front());
  else if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) &&
           &command == &app)
    text = fmt::format("a command is missing: {}", fmt::join(command_names(app), ", "));
  else if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ConversionError))
    text += " (no number, or out of range)";
  return fmt::format("{} ({} --help)", one_line(text), path_of(command));
}

}  // namespace flowspec
