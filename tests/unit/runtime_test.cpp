/// Addresses, cluster files, placement, and the command line.

#include <filesystem>

#include <boost/test/unit_test.hpp>

#include "runtime/cluster/placement.hpp"
#include "tests/support/command_lines.hpp"
#include "tests/support/paths.hpp"

using namespace flowspec;
using test::check_error;
using test::parse_line;

namespace {

std::vector<std::uint32_t> sizes(const PlacementRequest& request) {
  std::vector<std::uint32_t> sizes;
  for (const StagePlace& place : place_stages(request))
    sizes.push_back(place.layers.size());
  return sizes;
}

std::vector<std::size_t> node_numbers(const PlacementRequest& request) {
  std::vector<std::size_t> numbers;
  for (const StagePlace& place : place_stages(request))
    numbers.push_back(place.node);
  return numbers;
}

using Sizes = std::vector<std::uint32_t>;
using Numbers = std::vector<std::size_t>;

}  // namespace

BOOST_AUTO_TEST_CASE(addresses) {
  BOOST_CHECK(parse_address("a.b:12") == (Address{"a.b", 12}));
  BOOST_CHECK(parse_address("10.0.0.1") == (Address{"10.0.0.1", default_port}));
  BOOST_CHECK(parse_address("[::1]:5") == (Address{"::1", 5}));
  BOOST_CHECK(parse_address("[::1]").text() == "[::1]:7341");
  for (const char* text : {"",
                           ":5",
                           "a:",
                           "a:x",
                           "a:0",
                           "a:65536",
                           "a:5x",
                           "[::1",
                           "[]:5",
                           "[::1]5",
                           "a:-1",
                           "a:7341 ",
                           " a:1",
                           "a b",
                           "a\n:1",
                           "\xff:1",
                           "::1",
                           "fe80::1:7341",
                           "[fe80::1%eth0]:1",
                           "fe80::1%eth0",
                           "a:+1",
                           "a:1:2"})
    check_error([&] { parse_address(text); }, "is no address");
  for (const char* text : {"7341", "2130706433:7341"})
    check_error([&] { parse_address(text); }, "it is a number without a host");
  for (const char* text : {"http://a:7341", "http://127.0.0.1"})
    check_error([&] { parse_address(text); }, "it is no URL");
  for (const char* text : {"[fe80::1]:7341", "[FE80:0::1]", "[febf::1]:1"})
    check_error([&] { parse_address(text); }, "link-local addresses (fe80::) are not supported");
  BOOST_CHECK(parse_address("[fec0::1]:5") == (Address{"fec0::1", 5}));
  BOOST_CHECK(parse_address("7341.lan:5") == (Address{"7341.lan", 5}));
  check_error([] { parse_address("::1"); }, "brackets, as [::1]:7341");
  check_error([] { parse_address("[fe80::1%eth0]:1"); }, "zone");
}

BOOST_AUTO_TEST_CASE(cluster_files) {
  auto cluster = parse_cluster(R"({ // comment
    "nodes": [{"host": "a", "port": 1, "layers": 3}, {"host": "b", "layers": 4}]})",
                               "c.json");
  BOOST_CHECK((cluster.nodes == std::vector<Address>{{"a", 1}, {"b", default_port}}));
  BOOST_CHECK((cluster.layers == Sizes{3, 4}));
  cluster = parse_cluster(R"({"nodes": [{"host": "::1", "port": 5}, {"host": "[::1]"}]})", "c");
  BOOST_CHECK((cluster.nodes == std::vector<Address>{{"::1", 5}, {"::1", default_port}}));

  const std::vector<std::pair<const char*, const char*>> mistakes{
      {"", "no JSON"},
      {"[]", "has to be an object"},
      {"{}", "\"nodes\""},
      {R"({"nodes": []})", "\"nodes\""},
      {R"({"nodes": 3})", "\"nodes\""},
      {R"({"nodes": [3]})", "node 1 has to be an object"},
      {R"({"nodes": [{"port": 3}]})", "\"host\""},
      {R"({"nodes": [{"host": "a", "prot": 3}]})", "\"prot\""},
      {R"({"nodes": [{"host": "a"}], "node": 1})", "\"node\""},
      {R"({"nodes": [{"host": "a", "port": 70000}]})", "70000"},
      {R"({"nodes": [{"host": "a", "port": -1}]})", "-1"},
      {R"({"nodes": [{"host": "a", "layers": 0}]})", "layers"},
      {R"({"nodes": [{"host": "a:1"}]})", "of its own, \"port\""},
      {R"({"nodes": [{"host": "a:7341"}]})", "of its own, \"port\""},
      {R"({"nodes": [{"host": "a b"}]})", "is no address"},
      {R"({"nodes": [{"host": "a", "layers": 1}, {"host": "b"}]})", "every node"}};
  for (const auto& mistake : mistakes) {
    check_error([&] { parse_cluster(mistake.first, "c.json"); }, mistake.second);
    check_error([&] { parse_cluster(mistake.first, "c.json"); }, "c.json");
  }
  check_error([] { read_cluster("/nowhere/c.json"); }, "/nowhere/c.json");
}

BOOST_AUTO_TEST_CASE(examples_can_be_read) {
  int examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_path("config")))
    if (entry.path().filename().string().starts_with("cluster-")) {
      BOOST_CHECK(!read_cluster(entry.path()).nodes.empty());
      ++examples;
    }
  BOOST_CHECK(examples > 0);
}

BOOST_AUTO_TEST_CASE(placement_without_a_split_is_near_equal) {
  BOOST_CHECK((sizes({.layers = 8}) == Sizes{4, 4}));
  BOOST_CHECK((sizes({.layers = 1}) == Sizes{1}));
  BOOST_CHECK((sizes({.layers = 8, .stages = 3}) == Sizes{2, 3, 3}));
  BOOST_CHECK((sizes({.layers = 8, .nodes = 5}) == Sizes{1, 1, 2, 2, 2}));
  BOOST_CHECK((node_numbers({.layers = 8, .nodes = 2, .stages = 5}) == Numbers{0, 0, 1, 1, 1}));
  auto places = place_stages({.layers = 5, .stages = 2});
  BOOST_CHECK((places[0].layers == LayerRange{0, 2} && places[1].layers == LayerRange{2, 5}));
}

BOOST_AUTO_TEST_CASE(placement_follows_a_split_and_refuses_what_does_not_fit) {
  BOOST_CHECK((sizes({.layers = 8, .split = {5, 1, 2}}) == Sizes{5, 1, 2}));
  std::vector<std::uint32_t> sizes;
  for (const StagePlace& place : place_stages({.layers = 3, .stages = 7, .empty_stages = true}))
    sizes.push_back(place.layers.size());
  BOOST_TEST((sizes == std::vector<std::uint32_t>{1, 0, 1, 0, 1, 0, 0}));
  check_error([] { place_stages({.layers = 8, .split = {5, 1}}); }, "6 layers, the model has 8");
  check_error([] { place_stages({.layers = 8, .split = {8, 0}}); }, "needs a layer");
  check_error([] { place_stages({.layers = 8, .stages = 3, .split = {4, 4}}); }, "2 parts");
  check_error([] { place_stages({.layers = 8, .stages = 9}); }, "9 stages");
  check_error([] { place_stages({.layers = 8, .stages = 0}); }, "a stage");
  check_error([] { place_stages({.layers = 8, .nodes = 3, .stages = 2}); }, "3 nodes");
  check_error([] { place_stages({.layers = 2, .nodes = 3}); }, "3 stages");
  check_error([] { place_stages({.layers = 8, .split = {4294967295U, 9}}); }, "the model has 8");
}

BOOST_AUTO_TEST_CASE(sampling_options_of_a_command_line) {
  auto line = parse_line({"generate", "--repetition-penalty", "1.2", "--frequency-penalty", "0.5",
                          "--presence-penalty", "-0.25", "--logit-bias", "42=-5.5", "--logit-bias",
                          "7=1", "--logprobs", "5", "--json", "a"});
  BOOST_REQUIRE(line.generate);
  SamplerOptions expected;
  expected.repetition_penalty = 1.2F;
  expected.frequency_penalty = 0.5F;
  expected.presence_penalty = -0.25F;
  expected.logit_bias = {{7, 1}, {42, -5.5F}};
  expected.logprobs = 6;  // the token's own, too
  BOOST_CHECK((line.generate->sampling == expected));
  BOOST_CHECK(
      parse_line({"chat", "--repetition-penalty", "1.1"}).chat->sampling.repetition_penalty ==
      1.1F);
  BOOST_CHECK(parse_line({"verify", "--logit-bias", "3=2"}).verify->sampling.logit_bias.size() ==
              1U);
  BOOST_CHECK(
      parse_line({"generate", "--json", "--logprobs", "0", "a"}).generate->sampling.logprobs == 1U);
  for (const char* wrong :
       {"42", "=1", "42=", "x=1", "42=x", "42=1=2", "4.2=1", " 42=1", "99999999999=1"})
    check_error([&] { parse_line({"generate", "--logit-bias", wrong, "a"}); }, "TOKEN=VALUE");
  check_error([] { parse_line({"generate", "--logit-bias", "42=-inf", "a"}); }, "-1000");
  check_error([] { parse_line({"generate", "--logit-bias", "-1=1", "a"}); }, "token -1");
  check_error(
      [] {
        parse_line({"generate", "--logit-bias", "5=1", "--logit-bias", "5=2", "a"});
      },
      "token 5 is given twice");
  check_error(
      [] {
        parse_line({"generate", "--repetition-penalty", "0", "a"});
      },
      "repetition penalty");
  check_error([] { parse_line({"chat", "--frequency-penalty", "101"}); }, "frequency penalty");
  check_error([] { parse_line({"verify", "--presence-penalty", "-101"}); }, "presence penalty");
  check_error([] { parse_line({"generate", "--logprobs", "64", "--json", "a"}); }, "--logprobs");
  check_error([] { parse_line({"generate", "--logprobs", "3", "a"}); }, "--json");
}

BOOST_AUTO_TEST_CASE(command_lines) {
  auto line = parse_line({"generate", "--node", "a:1", "--node", "b", "--stop", "x", "--stop", "y",
                          "--split", "1,2", "-t", "0.5", "the prompt"});
  BOOST_REQUIRE(line.generate);
  BOOST_CHECK(line.generate->prompt == "the prompt");
  BOOST_CHECK((line.generate->nodes == std::vector<std::string>{"a:1", "b"}));
  BOOST_CHECK((line.generate->stop == std::vector<std::string>{"x", "y"}));
  BOOST_CHECK((line.generate->run.split == Sizes{1, 2}));
  BOOST_CHECK(line.generate->sampling.temperature == 0.5F);
  BOOST_CHECK(parse_line({"nodes", "--node", "a"}).nodes);
  BOOST_CHECK(parse_line({"status", "--node", "a"}).nodes);
  line = parse_line({"tokenize", "--ids", "--no-bos", "--special", "a text"});
  BOOST_REQUIRE(line.tokenize);
  BOOST_CHECK(line.tokenize->text == "a text");
  BOOST_CHECK(line.tokenize->ids && line.tokenize->no_bos && line.tokenize->special);
  line = parse_line({"tokenize", "--decode", "1,2", "3", "--json"});
  BOOST_REQUIRE(line.tokenize);
  BOOST_CHECK((line.tokenize->decode == std::vector<std::string>{"1,2", "3"}));
  BOOST_CHECK(parse_line({"generate", "--kv-type", "f32"}).generate->run.kv_type == KvType::f32);
  BOOST_CHECK(parse_line({"verify", "--kv-type", "f32"}).verify->kv_type == KvType::f32);
  BOOST_CHECK(parse_line({"bench", "--kv-type", "f32"}).bench->kv_type == KvType::f32);
  BOOST_CHECK(parse_line({"bench", "engine", "--kv-type", "f32"}).engine_bench->kv_type ==
              KvType::f32);
  BOOST_CHECK(parse_line({"generate", "--kv-type", "f16"}).generate->run.kv_type == KvType::f16);
  BOOST_CHECK(parse_line({"generate"}).generate->run.draft_type == LoadType::as_is);
  BOOST_CHECK(parse_line({"chat", "--draft-type", "q4_0"}).chat->run.draft_type == LoadType::q4_0);
  BOOST_CHECK(parse_line({"verify", "--draft-type", "q8_0"}).verify->draft_type == LoadType::q8_0);
  BOOST_CHECK(parse_line({"generate"}).generate->run.hidden_type == HiddenType::f32);
  BOOST_CHECK(parse_line({"generate", "--hidden-type", "bf16"}).generate->run.hidden_type ==
              HiddenType::bf16);
  BOOST_CHECK(parse_line({"verify", "--hidden-type", "f16"}).verify->hidden_type ==
              HiddenType::f16);
  BOOST_CHECK(parse_line({"generate"}).generate->run.numerics == NumericsChoice::automatic);
  BOOST_CHECK(parse_line({"chat", "--numerics", "exact"}).chat->run.numerics ==
              NumericsChoice::exact);
  BOOST_CHECK(parse_line({"serve", "--numerics", "bf16"}).serve->run.numerics ==
              NumericsChoice::bf16);
  BOOST_CHECK(parse_line({"verify", "--numerics", "exact"}).verify->numerics ==
              NumericsChoice::exact);
  BOOST_CHECK(parse_line({"bench", "--numerics", "auto"}).bench->numerics ==
              NumericsChoice::automatic);
  BOOST_CHECK(parse_line({"bench", "engine", "--numerics", "exact"}).engine_bench->numerics ==
              NumericsChoice::exact);
  BOOST_CHECK(parse_line({"bench"}).bench->hidden_types.empty());
  BOOST_TEST(parse_line({"bench", "--hidden-type", "f32,bf16"}).bench->hidden_types.size() == 2U);
  BOOST_CHECK(
      parse_line({"generate", "--draft-vocabulary", "a.txt"}).generate->run.draft_vocabulary ==
      "a.txt");
  BOOST_CHECK(parse_line({"verify", "--draft-vocabulary", "a.txt"}).verify->draft_vocabulary ==
              "a.txt");
  BOOST_CHECK(parse_line({"tokenize", "--most-frequent", "7"}).tokenize->most_frequent == 7U);
  for (std::vector<const char*> wrong :
       std::vector<std::vector<const char*>>{{},
                                             {"generate", "a", "--draft-type", "q6_k"},
                                             {"tokenize", "--most-frequent", "0"},
                                             {"tokenize", "--most-frequent", "3", "--ids"},
                                             {"tokenize", "--most-frequent", "3", "--decode", "1"},
                                             {"bench", "--draft-type", "q8_0,f16"},
                                             {"generate", "a", "--kv-type", "q8_0"},
                                             {"generate", "a", "--hidden-type", "q8_0"},
                                             {"bench", "--hidden-type", "f16,f8"},
                                             {"generate", "a", "--numerics", "f32"},
                                             {"fly"},
                                             {"generate", "a", "b"},
                                             {"generate", "a", "--mode", "x"},
                                             {"generate", "a", "-n", "0"},
                                             {"generate", "a", "-n", "-5"},
                                             {"generate", "a", "--stages", "0"},
                                             {"generate", "a", "--node", "x", "--cluster", "y"},
                                             {"generate", "a", "-q", "-v"},
                                             {"tokenize", "a", "b"},
                                             {"tokenize", "a", "--file", "b"},
                                             {"tokenize", "--decode"},
                                             {"tokenize", "--ids", "--json"}})
    check_error([&] { parse_line(wrong); }, "--help)");
  check_error([] { parse_line({"generate", "a", "--top-p", "2"}); }, "");
  check_error([] { parse_line({"generate", "a", "--stop", ""}); }, "--stop: is empty");
  check_error([] { parse_line({"generate", "a", "--file", "b"}); }, "twice");
  check_error([] { read_prompt({}); }, "no prompt");
  GenerateOptions options;
  options.prompt_file = "/nowhere.txt";
  check_error([&] { read_prompt(options); }, "/nowhere.txt");
}
