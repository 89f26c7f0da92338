#include "runtime/commands/chat.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "runtime/commands/client.hpp"
#include "runtime/commands/loss_watch.hpp"
#include "runtime/console/line_reader.hpp"
#include "runtime/run/planned_run.hpp"
#include "runtime/run/run.hpp"
#include "runtime/run/submit.hpp"
#include "runtime/templates/chat_writer.hpp"

namespace flowspec {

namespace {

ChatWriter open_writer(const Engine& engine, const ChatOptions& options) {
  // The pair that comes with the program was trained on plain texts.
  const bool is_plain = options.run.model.empty() && options.chat_template.empty();
  auto writer = ChatWriter::open(engine.target().files->path(), engine.target().tokenizer,
                                 is_plain ? "plain" : options.chat_template,
                                 std::make_shared<TemplateRunner>());
  if (!options.system.empty() && writer.system_problem())
    throw RuntimeError(*writer.system_problem());
  return writer;
}

/// One conversation through the pipeline of a run.
class Chat {
 public:
  Chat(caf::actor_system& system, const Engine& engine, const ChatOptions& options, Client& client)
      : engine_(engine),
        options_(options),
        client_(client),
        writer_(open_writer(engine, options)),
        context_(options.run.context != 0 ? engine.context()
                                          : std::min(engine.context(), default_chat_context)),
        is_terminal_(::isatty(STDIN_FILENO) == 1),
        shows_prompt_(is_terminal_ && !options.json),
        spec_(planned(system, engine, options.run, context_)),
        run_(system, engine, spec_),
        self_(system),
        losses_(system, run_.coordinator(), lost_) {
    clear();
    client_.signals.set_handler([this](int signal) { on_signal(signal); });
  }

  ~Chat() { client_.signals.set_handler(leave_at_once); }
  Chat(const Chat&) = delete;
  Chat& operator=(const Chat&) = delete;

  /// Runs until the input ends or the run cannot go on.
  ExitCode talk() {
    for (;;) {
      if (shows_prompt_ && !lost_.is_set())
        print("> ");
      auto message = read_message();
      if (lost_.is_set())
        return tell_loss();
      if (!message || !take(std::move(*message)))
        break;
      if (is_stopped_)
        return ExitCode::cancelled;
    }
    // A person has seen what failed; a script checks the exit code.
    return is_terminal_ || all_well_ ? ExitCode::ok : ExitCode::failed;
  }

 private:
  /// False if the conversation has to end.
  bool take(std::string message) {
    if (is_command(message)) {
      message.resize(message.find_last_not_of(" \t") + 1);
      if (message == "/exit")
        return false;
      if (message == "/clear")
        clear();
      else if (message == "/help")
        tell_plainly(std::string(chat_help) + "\n");
      else
        complain(
            fmt::format("there is no command {}; /help shows them. With a space before it, "
                        "it is a message.",
                        message));
    } else if (!message.empty()) {
      answer(std::move(message));
    }
    return true;
  }

  /// "/clear", but not "/usr/bin, what is it?" or "/etc is ...".
  static bool is_command(const std::string& message) {
    auto end = message.find_last_not_of(" \t");
    return message.starts_with('/') && end != std::string::npos && end > 0 &&
           std::all_of(message.begin() + 1, message.begin() + static_cast<std::ptrdiff_t>(end) + 1,
                       [](char c) { return c >= 'a' && c <= 'z'; });
  }

  /// One message: lines that a backslash joins.
  std::optional<std::string> read_message() {
    std::string message;
    while (auto line = lines_.next()) {
      bool goes_on = line->ends_with('\\');
      if (goes_on)
        line->back() = '\n';
      message += *line;
      if (!goes_on)
        return message;
    }
    if (shows_prompt_)
      print("\n");
    return message.empty() ? std::nullopt : std::optional(message);
  }

  ExitCode tell_loss() {
    auto why = losses_.loss().value_or("");
    // Perhaps an answer has failed because of it, and the error has been shown.
    if (last_error_.find(why) == std::string::npos)
      complain(client_.pauses.explain(why + "; the conversation ends"));
    return ExitCode::failed;
  }

  /// Called on the thread that takes signals.
  void on_signal(int signal) {
    if (signal != SIGINT)
      is_stopped_ = true;
    auto session = answering_.exchange(no_session);
    if (session == no_session) {
      if (shows_prompt_)
        print("\n");
      leave_at_once(signal);
    }
    caf::anon_send(run_.coordinator(), CancelMessage{{session}});
  }

  void clear() {
    turns_.clear();
    if (!options_.system.empty())
      turns_.push_back({ChatTurn::Role::system, options_.system});
  }

  ChatText written() const {
    return writer_.write({.messages = ChatWriter::messages_of(turns_), .now = date_});
  }

  void answer(std::string message) {
    turns_.push_back({ChatTurn::Role::user, std::move(message)});
    ChatText text;
    try {
      text = written();
    } catch (const RuntimeError& error) {
      turns_.pop_back();
      complain(error.what());
      return;
    }
    if (auto least = engine_.target().tokenizer.least_tokens(text.text.size()); least >= context_) {
      turns_.pop_back();
      complain(
          fmt::format("with this message the conversation has {} bytes, and so {} tokens at "
                      "least, and the context of {} leaves no room for an answer. A shorter "
                      "one may fit; --context takes a longer one.",
                      text.text.size(), least, context_));
      return;
    }
    auto tokens = writer_.tokens(text);
    if (tokens.size() >= context_) {
      turns_.pop_back();
      complain(
          fmt::format("with this message the conversation has {} tokens, and the context of "
                      "{} leaves no room for an answer. /clear begins a new one; --context "
                      "takes a longer one.",
                      tokens.size(), context_));
      return;
    }
    auto request = make_request(engine_, std::move(tokens), context_, options_);
    request.keep = true;
    answering_ = submit(self_, run_.coordinator(), request);
    auto summary = receive_answer(self_, request, !options_.json, client_);
    answering_ = no_session;
    summary.mode = options_.run.mode;
    summary.draft = engine_.draft_name();
    summary.draft_taps = engine_.draft_taps();
    summary.forecast = spec_.forecast;
    remember(summary);
    show(summary);
  }

  void remember(const Summary& summary) {
    if (summary.report.finish == Finish::failed)
      turns_.pop_back();
    else
      turns_.push_back({ChatTurn::Role::assistant, std::string(writer_.message_of(summary.text))});
  }

  void show(const Summary& summary) {
    if (options_.json)
      print(json_text(summary) + "\n");
    else if (!summary.text.ends_with('\n'))
      print("\n");
    last_error_ = summary.report.error;
    if (summary.report.finish == Finish::failed) {
      all_well_ = false;
      tell(last_error_);
    } else if (!options_.json && options_.verbosity != Verbosity::quiet) {
      tell_plainly(statistics_line(summary) + "\n");
    }
  }

  void complain(const std::string& what) {
    all_well_ = false;
    if (options_.json)
      print(json_error(what) + "\n");
    tell(what);
  }

  const Engine& engine_;
  const ChatOptions& options_;
  Client& client_;
  ChatWriter writer_;
  std::string date_ = today();
  std::uint32_t context_;
  bool is_terminal_;
  bool shows_prompt_;
  Event lost_;
  LineReader lines_{STDIN_FILENO, lost_};
  const RunSpec spec_;
  Run run_;
  caf::scoped_actor self_;
  LossWatch losses_;
  std::vector<ChatTurn> turns_;
  /// The session that a signal is to stop.
  std::atomic<SessionId> answering_{no_session};
  /// A signal has asked for more than the end of the answer.
  std::atomic<bool> is_stopped_{false};
  bool all_well_ = true;
  std::string last_error_;
};

}  // namespace

ExitCode chat(ChatOptions options) {
  return run_client(
      options, leave_at_once,
      [&](caf::actor_system& system, const Engine& engine, Client& client) {
        return Chat(system, engine, options, client).talk();
      });
}

}  // namespace flowspec
