#include "runtime/chat.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <iostream>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "models/tokenizer/chat_template.hpp"
#include "runtime/ask.hpp"
#include "runtime/client.hpp"
#include "runtime/run.hpp"

namespace flowspec {

namespace {

ChatTemplate find_template(const Engine& engine, const ChatOptions& options) {
  if (!options.chat_template.empty())
    return *ChatTemplate::by_name(options.chat_template);
  // The pair that comes with the program was trained on texts.
  if (options.model.empty())
    return *ChatTemplate::by_name("plain");
  const auto& path = engine.target().files->path();
  auto program = read_chat_program(path);
  auto known = program ? ChatTemplate::recognise(*program) : std::nullopt;
  if (known && !known->takes_system() && !options.system.empty())
    throw RuntimeError(fmt::format(
        "{}: its chat template takes no system message. Leave out --system, or name a "
        "format with --chat-template, as {}, which writes it into a message of the user.",
        path.string(), known->name()));
  if (known)
    return *known;
  throw RuntimeError(
      fmt::format("{}: {}. Name the format that it was trained on with --chat-template: {}. "
                  "(plain writes the messages alone.)",
                  path.string(),
                  program ? "its chat template is none of those that are known, and programs in "
                            "model files are not run"
                          : "the model has no chat template, so perhaps it was not trained to talk",
                  fmt::join(ChatTemplate::names(), ", ")));
}

/// As "06 Nov 2026", whatever the language of the user.
std::string today() {
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm day{};
  localtime_r(&now, &day);
  return fmt::format("{:02} {} {}", day.tm_mday, months.at(static_cast<std::size_t>(day.tm_mon)),
                     day.tm_year + 1900);
}

std::size_t common_prefix(const std::vector<Token>& a, const std::vector<Token>& b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

/// One conversation with the pipeline of a run.
class Chat {
 public:
  Chat(caf::actor_system& system, const Engine& engine, const ChatOptions& options,
       Signals& signals)
      : engine_(engine),
        options_(options),
        signals_(signals),
        template_(find_template(engine, options)),
        context_(options.context != 0 ? engine.context()
                                      : std::min(engine.context(), default_chat_context)),
        run_(system, engine, options),
        self_(system) {
    clear();
    signals_.set_handler([this](int signal) {
      auto session = answering_.exchange(no_session);
      if (session == no_session)
        leave_at_once(signal);
      caf::anon_send(run_.coordinator(), CancelMessage{{session}});
    });
  }

  ~Chat() { signals_.set_handler(leave_at_once); }
  Chat(const Chat&) = delete;
  Chat& operator=(const Chat&) = delete;

  void talk() {
    bool is_terminal = ::isatty(STDIN_FILENO) == 1 && !options_.json;
    for (;;) {
      if (is_terminal)
        print("> ");
      auto line = read_message();
      if (!line || *line == "/exit") {
        if (is_terminal && !line)
          print("\n");
        return;
      }
      if (*line == "/clear")
        clear();
      else if (*line == "/help")
        fmt::print(stderr, "{}\n", chat_help);
      else if (!line->empty())
        answer(std::move(*line));
    }
  }

 private:
  static std::optional<std::string> read_message() {
    std::string message;
    std::string line;
    while (std::getline(std::cin, line)) {
      if (line.ends_with('\r'))
        line.pop_back();
      bool goes_on = line.ends_with('\\');
      if (goes_on)
        line.back() = '\n';
      message += line;
      if (!goes_on)
        return message;
    }
    return message.empty() ? std::nullopt : std::optional(message);
  }

  void clear() {
    turns_.clear();
    if (!options_.system.empty())
      turns_.push_back({ChatTurn::Role::system, options_.system});
  }

  std::vector<Token> prompt() const {
    const Tokenizer& tokenizer = engine_.target().tokenizer;
    const auto bos = tokenizer.text(tokenizer.bos());
    const auto eos = tokenizer.text(tokenizer.eos());
    auto text = template_.render(turns_, {.bos = bos, .eos = eos, .date = date_});
    EncodeOptions options;
    if (template_.writes_bos())
      options.add_bos = true;
    options.parse_special = true;
    options.literal = text.literal;
    options.add_eos = false;
    return tokenizer.encode(text.text, options);
  }

  void answer(std::string message) {
    turns_.push_back({ChatTurn::Role::user, std::move(message)});
    auto tokens = prompt();
    if (tokens.size() >= context_) {
      turns_.pop_back();
      complain(
          fmt::format("with this message the conversation has {} tokens, and the context of "
                      "{} leaves no room for an answer. /clear begins a new one; --context "
                      "takes a longer one.",
                      tokens.size(), context_));
      return;
    }
    auto session = make_session(engine_, std::move(tokens), context_, options_);
    Open& open = session.open;
    open.session = ++last_session_;
    open.position_limit = context_ - 1;
    open.slots = session_slots(run_.policy(), open.position_limit);
    open.previous = previous_;
    open.kept = static_cast<Position>(
        std::min({common_prefix(open.prompt, text_), computed_, open.prompt.size() - 1}));
    session.keep = true;
    session.client = caf::actor_cast<caf::actor>(self_);
    ask<SessionActor>(self_, run_.coordinator(), std::chrono::seconds(10), submit_a_v,
                      SessionRequest{session});
    answering_ = open.session;
    auto summary = receive_answer(self_, session, !options_.json);
    answering_ = no_session;
    summary.mode = options_.mode;
    summary.draft = engine_.draft_name();
    remember(session, summary);
    show(summary);
  }

  void remember(const SessionConfig& session, const Summary& summary) {
    const Report& report = summary.report;
    if (report.finish == Finish::failed) {
      turns_.pop_back();
      previous_ = no_session;
      computed_ = 0;
      return;
    }
    turns_.push_back({ChatTurn::Role::assistant, std::string(template_.message_of(summary.text))});
    previous_ = report.session;
    text_ = session.open.prompt;
    text_.insert(text_.end(), report.tokens.begin(), report.tokens.end());
    computed_ = report.tokens.empty() ? session.open.kept : text_.size() - 1;
  }

  void show(const Summary& summary) {
    if (options_.json)
      print(json_text(summary) + "\n");
    else if (!summary.text.ends_with('\n'))
      print("\n");
    if (summary.report.finish == Finish::failed)
      fmt::print(stderr, "flowspec: {}\n", summary.report.error);
    else if (!options_.json && options_.verbosity != Verbosity::quiet)
      fmt::print(stderr, "{}\n", statistics_line(summary));
  }

  void complain(const std::string& what) const {
    if (options_.json)
      print(json_error(what) + "\n");
    fmt::print(stderr, "flowspec: {}\n", what);
  }

  const Engine& engine_;
  const ChatOptions& options_;
  Signals& signals_;
  ChatTemplate template_;
  std::string date_ = today();
  std::uint32_t context_;
  Run run_;
  caf::scoped_actor self_;
  std::vector<ChatTurn> turns_;
  /// Tokens of the last prompt and answer, and how many of them are in the pipeline's KV caches.
  std::vector<Token> text_;
  std::size_t computed_ = 0;
  /// The session that left them there.
  SessionId previous_ = no_session;
  SessionId last_session_ = no_session;
  /// The session that a signal is to stop.
  std::atomic<SessionId> answering_{no_session};
};

}  // namespace

ExitCode chat(const ChatOptions& options) {
  return run_client(options,
                    [&](caf::actor_system& system, const Engine& engine, Signals& signals) {
                      Chat chat(system, engine, options, signals);
                      chat.talk();
                      return ExitCode::ok;
                    });
}

}  // namespace flowspec
