#include "runtime/commands/command_line.hpp"

#include "runtime/cluster/network_options.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

constexpr const char* description =
    "Writes text with a language model whose layers are spread over actors and machines.";

}  // namespace

void add_commands(CLI::App& app, CommandOptions& options) {
  app.set_version_flag("--version", [] { return version_text("flowspec"); });
  app.require_subcommand(1);
  app.footer(exit_codes_text);
  add_generate(*app.add_subcommand("generate", "Continue a text"), options.generate);
  add_chat(*app.add_subcommand("chat", "Talk with a model"), options.chat);
  add_serve(*app.add_subcommand("serve", "Answer over HTTP, as OpenAI's API does, and show a page"),
            options.serve);
  auto* nodes = app.add_subcommand("nodes", "Ask nodes what they are and do")->alias("status");
  add_cluster_options(*nodes, options.nodes.cluster_file, options.nodes.nodes);
  nodes->add_flag("--json", options.nodes.json, "Print one JSON object instead of a table");
  add_network_options(*nodes, options.nodes.network);
  add_cluster(*app.add_subcommand("cluster", "Bring machines together: who may use whose nodes"),
              options.cluster);
  add_plan(*app.add_subcommand("plan", "Show which nodes would compute which layers, and why"),
           options.plan);
  auto* bench = app.add_subcommand("bench", "Measure modes and devices, emulated or real");
  add_bench(*bench, options.bench);
  add_engine_bench(
      *bench->add_subcommand("engine", "Measure how fast this machine computes layers"),
      options.engine_bench);
  add_hop_bench(*bench->add_subcommand("hop", "Measure how long messages take to another process"),
                options.hop_bench);
  add_verify(*app.add_subcommand("verify", "Prove that every pipeline writes the model's text"),
             options.verify);
  add_tokenize(*app.add_subcommand("tokenize", "Show a text's tokens, or the text of tokens"),
               options.tokenize);
  add_up(*app.add_subcommand("up", "Start nodes on this machine, to try a cluster out"),
         options.up);
}

CommandLine parse_command_line(int argc, const char* const* argv) {
  CLI::App app(description, "flowspec");
  CommandOptions options;
  add_commands(app, options);
  CommandLine line;
  if (auto code = parse(app, argc, argv)) {
    line.exit_code = *code;
  } else if (app.got_subcommand("generate")) {
    check(options.generate);
    line.generate = std::move(options.generate);
  } else if (app.got_subcommand("chat")) {
    check(options.chat);
    line.chat = std::move(options.chat);
  } else if (app.got_subcommand("serve")) {
    check(options.serve);
    line.serve = std::move(options.serve);
  } else if (app.got_subcommand("cluster")) {
    line.cluster = std::move(options.cluster);
  } else if (app.got_subcommand("plan")) {
    line.plan = std::move(options.plan);
  } else if (app.get_subcommand("bench")->got_subcommand("engine")) {
    check(options.engine_bench);
    line.engine_bench = std::move(options.engine_bench);
  } else if (app.get_subcommand("bench")->got_subcommand("hop")) {
    line.hop_bench = std::move(options.hop_bench);
  } else if (app.got_subcommand("bench")) {
    check(options.bench);
    line.bench = std::move(options.bench);
  } else if (app.got_subcommand("verify")) {
    check(options.verify);
    line.verify = std::move(options.verify);
  } else if (app.got_subcommand("tokenize")) {
    line.tokenize = std::move(options.tokenize);
  } else if (app.got_subcommand("up")) {
    check(options.up);
    line.up = std::move(options.up);
  } else {
    line.nodes = std::move(options.nodes);
  }
  return line;
}

}  // namespace flowspec
