#include "runtime/templates/template_runner.hpp"

#include <cstdlib>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/console/error.hpp"
#include "runtime/templates/template_helper.hpp"

namespace flowspec {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::string_view default_python = "/usr/bin/python3";
constexpr std::string_view script_name = "chat_templates.py";
/// The helper ends itself later than it is killed: in case that nobody is there to kill it.
constexpr std::chrono::milliseconds helper_patience{600};
/// JSON makes six characters of one, at most; the ranges come on top.
constexpr std::size_t answer_bytes_per_byte = 8;
constexpr std::size_t small_answer_bytes = 65536;

fs::path find_script() {
  std::vector<fs::path> folders{FLOWSPEC_TEMPLATES_DIR};
  std::error_code error;
  auto program = fs::read_symlink("/proc/self/exe", error).parent_path();
  folders.push_back(program / "templates");
  folders.push_back(program.parent_path() / "share/flowspec/templates");
  std::string tried;
  for (const fs::path& folder : folders) {
    if (fs::is_regular_file(folder / script_name, error))
      return folder / script_name;
    tried.append(" ").append(folder.string());
  }
  throw RuntimeError(
      ErrorCode::model,
      fmt::format("the file {}, which runs the chat templates of model files, is in none of:{}. "
                  "Install the program again.",
                  script_name, tried));
}

std::string default_path() {
  const char* named = std::getenv("FLOWSPEC_PYTHON");
  return named != nullptr && *named != '\0' ? named : std::string(default_python);
}

[[noreturn]] void fail_start(const std::string& python, const std::string& why) {
  throw RuntimeError(
      ErrorCode::model,
      fmt::format("chat templates of model files are run by Python and Jinja, but {} {}. To "
                  "install them: apt-get install python3-jinja2. (FLOWSPEC_PYTHON names another "
                  "Python.)",
                  python, why));
}

std::string request_text(const ChatProgram& program, const TemplateInput& input) {
  json request{{"program", program.text},
               {"special", program.special},
               {"control_tokens", program.control_tokens},
               {"messages", input.messages},
               {"tools", input.tools},
               {"documents", input.documents},
               {"extra", input.extra},
               {"add_generation_prompt", input.add_generation_prompt},
               {"continue_final_message", input.continue_final_message},
               {"now", input.now}};
  // Bytes that are no UTF-8 become U+FFFD: Python has no other texts.
  return request.dump(-1, ' ', false, json::error_handler_t::replace);
}

[[noreturn]] void fail_render(const std::string& kind, const std::string& message,
                              const TemplateLimits& limits) {
  if (kind == "refused")
    throw RuntimeError(
        fmt::format("the model's chat template refuses this conversation: {}", message));
  if (kind == "failed")
    throw RuntimeError(
        fmt::format("the model's chat template cannot write this conversation: {}", message));
  if (kind == "program")
    throw RuntimeError(ErrorCode::model,
                       fmt::format("the model's chat template is no Jinja program: {}. Name a "
                                   "format with --chat-template, or get the model again.",
                                   message));
  std::string what =
      kind == "memory"   ? fmt::format("more than {} MiB of memory", limits.memory_bytes >> 20)
      : kind == "output" ? fmt::format("more than {} MiB of text", limits.output_bytes >> 20)
      : kind == "depth"  ? "deeper nesting than Python has"
      : kind == "time"
          ? fmt::format("more than {:.1f} s", static_cast<double>(limits.time.count()) / 1000)
          : "something unknown (" + kind + ")";
  throw RuntimeError(
      ErrorCode::model,
      fmt::format("the model's chat template was stopped: it takes {} for this conversation. "
                  "A shorter conversation may do; if none does, name a format with "
                  "--chat-template.",
                  what));
}

[[noreturn]] void fail_lost(const HelperLost& lost, const TemplateLimits& limits) {
  if (lost.why == HelperLost::Why::too_slow)
    fail_render("time", {}, limits);
  if (lost.why == HelperLost::Why::too_much)
    fail_render("output", {}, limits);
  throw RuntimeError(ErrorCode::internal,
                     fmt::format("the process that runs the model's chat template {} while it "
                                 "wrote this conversation. Try again: there will be another one.",
                                 lost.how));
}

struct Answer {
  ChatText text;
  /// Empty: none.
  std::string error;
  std::string message;
};

Answer read_answer(const std::string& text) {
  try {
    const json read = json::parse(text);
    Answer answer;
    if (read.contains("error")) {
      answer.error = read.at("error").get<std::string>();
      answer.message = read.at("message").get<std::string>();
      return answer;
    }
    answer.text.text = read.at("text").get<std::string>();
    for (const json& range : read.at("literal"))
      answer.text.literal.push_back(
          {range.at(0).get<std::size_t>(), range.at(1).get<std::size_t>()});
    return answer;
  } catch (const json::exception&) {
    throw HelperLost{HelperLost::Why::ended, "has said what it never says"};
  }
}

/// A helper that is ready. Throws RuntimeError.
std::unique_ptr<TemplateHelper> start(const TemplateRunnerConfig& config) {
  const TemplateLimits& limits = config.limits;
  std::string answer;
  std::unique_ptr<TemplateHelper> helper;
  try {
    // -I, -S: nothing of the user's, and no hooks, changes what Python does; -B: no files are written.
    helper = std::make_unique<TemplateHelper>(std::vector<std::string>{
        config.python, "-I", "-S", "-B",
        (config.script.empty() ? find_script() : config.script).string(),
        std::to_string(limits.memory_bytes), std::to_string(limits.output_bytes),
        std::to_string((limits.time + helper_patience).count())});
    answer = helper->receive(Clock::now() + limits.start_time, small_answer_bytes);
  } catch (const HelperLost& lost) {
    using Why = HelperLost::Why;
    fail_start(config.python,
               lost.why == Why::not_started ? fmt::format("cannot be started: {}", lost.how)
               : lost.why == Why::too_slow
                   ? fmt::format("was not ready within {} s",
                                 std::chrono::ceil<std::chrono::seconds>(limits.start_time).count())
                   : lost.how + " before it was ready");
  }
  const json said = json::parse(answer, nullptr, false);
  if (said.is_object() && said.contains("ready"))
    return helper;
  const bool is_error = said.is_object() && said.contains("error");
  fail_start(config.python, is_error ? "has no Jinja (" + said.value("message", "") + ")"
                                     : "says what chat_templates.py does not say");
}

}  // namespace

TemplateRunner::TemplateRunner(TemplateRunnerConfig config) : config_(std::move(config)) {
  if (config_.python.empty())
    config_.python = default_path();
}

TemplateRunner::~TemplateRunner() = default;

/// A helper for one rendering. It goes back only if it has been told to stay.
class TemplateRunner::Lease {
 public:
  /// Waits while all helpers are busy; starts one if none waits. Throws RuntimeError.
  explicit Lease(TemplateRunner& runner) : runner_(runner) {
    {
      std::unique_lock lock(runner.mutex_);
      runner.returned_.wait(lock, [&] { return runner.busy_ < runner.config_.helpers; });
      ++runner.busy_;
      while (!helper_ && !runner.idle_.empty()) {
        helper_ = std::move(runner.idle_.back());
        runner.idle_.pop_back();
        if (!helper_->is_waiting())
          helper_.reset();
      }
    }
    try {
      if (!helper_)
        helper_ = start(runner.config_);
    } catch (...) {
      give_back();
      throw;
    }
  }
  ~Lease() {
    // Before another is started, so that there are never more than allowed.
    if (!stays_)
      helper_.reset();
    give_back();
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  TemplateHelper& helper() { return *helper_; }
  void stay() { stays_ = true; }

 private:
  void give_back() {
    {
      std::lock_guard lock(runner_.mutex_);
      --runner_.busy_;
      if (helper_)
        runner_.idle_.push_back(std::move(helper_));
    }
    runner_.returned_.notify_one();
  }

  TemplateRunner& runner_;
  std::unique_ptr<TemplateHelper> helper_;
  bool stays_ = false;
};

std::optional<std::string> TemplateRunner::problem() {
  try {
    Lease(*this).stay();
  } catch (const RuntimeError& error) {
    return error.what();
  }
  return std::nullopt;
}

ChatText TemplateRunner::render(const ChatProgram& program, const TemplateInput& input) {
  const TemplateLimits& limits = config_.limits;
  const std::string request = request_text(program, input);
  if (request.size() > limits.request_bytes)
    throw RuntimeError(
        fmt::format("the conversation has {} MiB, more than a chat template is given ({} MiB). "
                    "Shorten it.",
                    request.size() >> 20, limits.request_bytes >> 20));
  Answer answer;
  {
    Lease lease(*this);
    try {
      const auto deadline = Clock::now() + limits.time;
      lease.helper().send(request, deadline);
      answer = read_answer(lease.helper().receive(
          deadline, answer_bytes_per_byte * limits.output_bytes + small_answer_bytes));
    } catch (const HelperLost& lost) {
      fail_lost(lost, limits);
    }
    // What a program has done to the memory, the next one shall not feel.
    if (answer.error != "memory")
      lease.stay();
  }
  if (!answer.error.empty())
    fail_render(answer.error, answer.message, limits);
  return std::move(answer.text);
}

std::vector<int> TemplateRunner::idle_helpers() const {
  std::lock_guard lock(mutex_);
  std::vector<int> ids;
  for (const auto& helper : idle_)
    ids.push_back(helper->id());
  return ids;
}

}  // namespace flowspec
