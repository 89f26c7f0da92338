// A row of the EAGLE head has the same bits however it is computed.
#include <random>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/drafts/eagle_head.hpp"
#include "tests/support/eagle_run.hpp"
#include "tests/support/eagle_target.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// Two trees whose every node has been computed alone.
struct Fixture {
  explicit Fixture(const EagleShape& shape) : target(shape) {
    EagleFiles(shape, 3).write(folder.path(), TensorType::f16);
    trees = {random_eagle_tree(random, shape.vocab_size, shape.hidden_size, 40, 40),
             random_eagle_tree(random, shape.vocab_size, shape.hidden_size, 6, 20)};
    expected = run(eagle_plan(nullptr, trees, 1));
  }

  std::vector<std::vector<EagleResult>> run(const TestPlan& plan, unsigned threads = 1,
                                            std::uint32_t max_rows = 64) const {
    EagleHead head(folder.path(), target.lm_head(threads), threads, max_rows);
    return run_eagle(head, trees, plan, 10);
  }

  EagleTarget target;
  TempFolder folder;
  std::mt19937 random{5};
  std::vector<EagleTree> trees;
  std::vector<std::vector<EagleResult>> expected;
};

std::vector<EagleShape> shapes() {
  std::vector<EagleShape> result(2);
  result[0] = {.hidden_size = 64, .heads = 8, .kv_heads = 4, .ffn_size = 172};
  result[1] = {.hidden_size = 60, .heads = 5, .kv_heads = 1, .ffn_size = 101, .vocab_size = 331};
  return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(eagle_invariance)

BOOST_AUTO_TEST_CASE(number_of_rows) {
  for (const EagleShape& shape : shapes()) {
    const Fixture fixture(shape);
    for (const std::size_t rows : {2, 3, 7, 8, 16, 33, 80}) {
      BOOST_TEST((fixture.run(eagle_plan(nullptr, fixture.trees, rows)) == fixture.expected),
                 rows << " rows");
    }
  }
}

BOOST_AUTO_TEST_CASE(order_slots_and_committing) {
  for (const EagleShape& shape : shapes()) {
    Fixture fixture(shape);
    for (const std::size_t committed : {0, 1, 20, 40}) {
      TestPlan plan = eagle_plan(&fixture.random, fixture.trees, 24);
      permute_slots(fixture.random, fixture.trees, plan);
      plan.committed = committed;
      BOOST_TEST((fixture.run(plan) == fixture.expected), "committed " << committed);
    }
  }
}

BOOST_AUTO_TEST_CASE(parts_and_threads) {
  Fixture fixture(shapes()[0]);
  const TestPlan plan = eagle_plan(&fixture.random, fixture.trees, 60);
  for (const std::uint32_t max_rows : {1U, 7U, 200U})
    BOOST_TEST((fixture.run(plan, 1, max_rows) == fixture.expected), "max_rows " << max_rows);
  BOOST_TEST((fixture.run(plan, 2) == fixture.expected), "2 threads");
}

BOOST_AUTO_TEST_CASE(lm_heads_that_share_their_weights) {
  const EagleTarget target(shapes()[0]);
  LmHead first = target.lm_head();
  constexpr std::size_t rows = 40;
  const std::size_t vocab = first.vocab_size();
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> features(rows * first.hidden_size());
  std::ranges::generate(features, [&] { return normal(random); });
  std::vector<float> expected(rows * vocab);
  first.logits(features, rows, expected);
  // One is used while the other is made and used; and what is shared outlives its origin.
  std::vector<LmHead> shared;
  const auto use = [&](LmHead& head) {
    std::vector<float> logits(rows * vocab);
    for (int i = 0; i < 20; ++i) {
      head.logits(features, rows, logits);
      if (logits != expected)
        return false;
    }
    return true;
  };
  bool is_same = false;
  std::thread other([&] { is_same = use(first); });
  shared.push_back(first.share(1, 7));
  shared.push_back(shared.back().share(2, 64));
  BOOST_TEST(use(shared[0]));
  other.join();
  BOOST_TEST(is_same);
  BOOST_TEST(shared[0].unexpected_kernels() == first.unexpected_kernels(),
             boost::test_tools::per_element());
  { const LmHead gone = std::move(first); }
  BOOST_TEST(use(shared[1]));
  std::vector<float> normed(features.size());
  shared[1].features(features, rows, normed);
  std::vector<float> expected_normed(features.size());
  target.lm_head().features(features, rows, expected_normed);
  BOOST_TEST((normed == expected_normed));
}

BOOST_AUTO_TEST_SUITE_END()
