#include <cstdio>
#include <exception>
#include <iostream>

#include <fmt/format.h>

#include "runtime/bench/bench_main.hpp"
#include "runtime/chat.hpp"
#include "runtime/engine_bench/engine_bench.hpp"
#include "runtime/generate.hpp"
#include "runtime/logging.hpp"
#include "runtime/nodes_command.hpp"
#include "runtime/verify/verify.hpp"

int main(int argc, char** argv) {
  using namespace flowspec;
  try {
    auto line = parse_command_line(argc, argv);
    auto verbosity = line.generate ? line.generate->verbosity
                     : line.chat   ? line.chat->verbosity
                                   : Verbosity::normal;
    set_up_logging("flowspec", verbosity);
    if (line.generate)
      return static_cast<int>(generate(*line.generate));
    if (line.chat)
      return static_cast<int>(chat(*line.chat));
    if (line.nodes)
      return static_cast<int>(show_nodes(*line.nodes));
    if (line.engine_bench)
      return static_cast<int>(run_engine_bench(*line.engine_bench, std::cout, std::cerr));
    if (line.bench)
      return static_cast<int>(run_bench(*line.bench));
    if (line.verify)
      return static_cast<int>(verify(*line.verify));
    if (line.tokenize)
      return static_cast<int>(tokenize(*line.tokenize));
    return line.exit_code;
  } catch (const RuntimeError& e) {
    fmt::print(stderr, "flowspec: {}\n", e.what());
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    fmt::print(stderr, "flowspec: {}\n", e.what());
    return static_cast<int>(ExitCode::failed);
  }
}
