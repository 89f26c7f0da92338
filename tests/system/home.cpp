#include "tests/system/home.hpp"

#include <utility>

#include <boost/test/unit_test.hpp>

#include "tests/support/sockets.hpp"
#include "tests/system/models.hpp"

namespace flowspec::test {

std::string free_port() {
  return std::to_string(MuteServer(0).port());
}

Home::Home(Arguments place) : place_(std::move(place)) {
  model_folder();  // sets variables, which ours replace
}

Arguments Home::command(const std::string& program, const Arguments& arguments) const {
  return place_ +
         Arguments{"/usr/bin/env", "XDG_CONFIG_HOME=" + folder_.path().string(),
                   program_path(program)} +
         arguments;
}

Result Home::flowspec(const Arguments& arguments, const std::string& input) const {
  Process process(command("flowspec", arguments), input);
  auto code = process.wait(patience);
  BOOST_REQUIRE_MESSAGE(code, "HANGS: " << process.error());
  return {*code, process.output(), process.error()};
}

Result Home::cluster(const Arguments& arguments, const std::string& input) const {
  return flowspec(Arguments{"cluster"} + arguments, input);
}

void Home::init(const std::string& name) const {
  auto made = cluster({"init", "--name", name});
  BOOST_REQUIRE_MESSAGE(made.exit_code == 0, made.error);
}

std::string Home::members() const {
  std::string names;
  const auto list = cluster({"list", "--json"}).json();
  for (const auto& member : list.at("members"))
    names += member.at("name").get<std::string>() + (member.at("removed").is_null() ? " " : "! ");
  return names;
}

Result Home::generate(const std::string& node, const Arguments& more) const {
  return flowspec(Arguments{"generate", "-n", "5", "--model",
                            (model_folder() / "target.gguf").string(), "--node", node, "hello"} +
                  more);
}

Invite::Invite(const Home& home, const Arguments& more)
    : process_(home.command(
          "flowspec", Arguments{"cluster", "invite"} +
                          (home.has_network() ? Arguments{}
                                              : Arguments{"--listen", "127.0.0.1:" + free_port()}) +
                          more)) {
  const std::string mark = "flowspec cluster join ";
  BOOST_REQUIRE_MESSAGE(process_.wait_for_output("\n\n  " + mark, patience) &&
                            process_.wait_for_output("\n\n", patience),
                        process_.error());
  auto text = process_.output();
  auto begin = text.find(mark) + mark.size();
  line_ = text.substr(begin, text.find('\n', begin) - begin);
}

void join(const Home& owner, const Home& newcomer, const std::string& name) {
  Invite invite(owner);
  auto joined = newcomer.cluster({"join", invite.line(), "--name", name});
  BOOST_REQUIRE_MESSAGE(joined.exit_code == 0, joined.error);
  BOOST_REQUIRE(invite.process().wait(patience) == 0);
}

void check_works(const Result& result) {
  BOOST_CHECK_MESSAGE(result.exit_code == 0 && !result.output.empty(), result.error);
}

}  // namespace flowspec::test
