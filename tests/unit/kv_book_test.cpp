/// The coordinator's account of KV: who gets in, who grows, what is shared and what is thrown away.
#include "actors/cluster/kv_book.hpp"

#include <numeric>
#include <random>

#include <boost/test/unit_test.hpp>

namespace flowspec::test {
namespace {

using When = KvBook::Start::When;
constexpr Position block = KvBook::block;

/// Tokens 1000 * kind, 1000 * kind + 1, ...
std::vector<Token> text(Token kind, Position size) {
  std::vector<Token> tokens(size);
  std::iota(tokens.begin(), tokens.end(), 1000 * kind);
  return tokens;
}

std::vector<Token> joined(std::vector<Token> first, const std::vector<Token>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

struct Book {
  KvBook book;

  explicit Book(std::uint32_t positions = 1000 * block) { book.resize(positions); }

  KvBook::Start start(KvBook::TextId id, const std::vector<Token>& prompt, Position most,
                      bool grows = true, bool shares = true) {
    return book.start(id, 100 + id, {prompt, most, grows, shares});
  }
  /// Reads the prompt and writes one token.
  void read(KvBook::TextId id, const std::vector<Token>& prompt) {
    book.advance(id, static_cast<Position>(prompt.size()), std::vector<Token>{9});
  }
  /// A text that has been written and kept.
  void keep(KvBook::TextId id, const std::vector<Token>& prompt) {
    BOOST_REQUIRE((start(id, prompt, static_cast<Position>(prompt.size() + 1)).when == When::now));
    read(id, prompt);
    book.stop(id, true);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(kv_book)

BOOST_AUTO_TEST_CASE(a_text_that_reserves_all_is_admitted_while_there_is_room_for_all_of_it) {
  Book b(10 * block);
  BOOST_TEST(b.book.fits(10 * block));
  BOOST_TEST(!b.book.fits(10 * block + 1));
  BOOST_TEST((b.start(1, text(1, 20), 6 * block, false).when == When::now));
  BOOST_TEST(b.book.used() == 6 * block);
  BOOST_TEST((b.start(2, text(2, 20), 5 * block, false).when == When::when_there_is_room));
  BOOST_TEST((b.start(3, text(3, 20), 4 * block, false).when == When::now));
  b.book.stop(1, false);
  BOOST_TEST((b.start(2, text(2, 20), 5 * block, false).when == When::now));
}

BOOST_AUTO_TEST_CASE(a_text_that_grows_takes_its_prompt_and_a_step_and_asks_in_time) {
  Book b;
  auto start = b.start(1, text(1, 100), 2000);
  BOOST_TEST(start.limit > 100U);
  BOOST_TEST(start.limit < 1000U);
  BOOST_TEST(!b.book.wants_more(1));
  Position position = 100;
  while (!b.book.wants_more(1))
    b.book.advance(1, position++, std::vector<Token>{5});
  BOOST_TEST(position < start.limit);
  BOOST_TEST(*b.book.grow(1) > start.limit);
  while (position < 1999) {
    b.book.advance(1, position++, std::vector<Token>{5});
    if (b.book.wants_more(1))
      BOOST_REQUIRE(b.book.grow(1).has_value());
    BOOST_REQUIRE(position <= b.book.limit(1));
  }
  BOOST_TEST(b.book.limit(1) == 2000U);
}

BOOST_AUTO_TEST_CASE(what_another_has_computed_is_shared_in_whole_blocks_and_counted_once) {
  Book b;
  auto system = text(1, 5 * block + 3);
  b.keep(1, joined(system, text(2, 40)));
  auto used = b.book.used();
  auto prompt = joined(system, text(3, 40));
  auto start = b.start(2, prompt, static_cast<Position>(prompt.size()) + 1);
  BOOST_TEST(start.source == 101U);
  BOOST_TEST(start.cached == 5 * block);
  auto own = (static_cast<Position>(prompt.size()) + block) / block * block - 5 * block;
  BOOST_TEST(b.book.used() == used + own);
  // It stays when the first one goes.
  b.book.resize(0);
  b.book.advance(2, 0, {});
  BOOST_TEST(!b.book.grow(2).has_value());
}

BOOST_AUTO_TEST_CASE(the_last_token_of_a_prompt_is_always_computed) {
  Book b;
  auto prompt = text(1, 4 * block);
  b.keep(1, prompt);
  BOOST_TEST(b.start(2, prompt, 5 * block).cached == 3 * block);
}

BOOST_AUTO_TEST_CASE(who_begins_like_a_text_that_is_being_read_waits_for_it) {
  Book b;
  auto system = text(1, 10 * block);
  auto first = joined(system, text(2, 7));
  auto second = joined(system, text(3, 7));
  b.start(1, first, 500);
  BOOST_TEST((b.start(2, second, 500).when == When::after_another));
  BOOST_TEST((b.start(3, text(4, 20), 500).when == When::now));
  b.book.advance(1, 4 * block, {});
  BOOST_TEST((b.start(2, second, 500).when == When::after_another));
  b.book.advance(1, 10 * block + 1, {});
  auto start = b.start(2, second, 500);
  BOOST_TEST((start.when == When::now));
  BOOST_TEST(start.cached == 10 * block);
  BOOST_TEST(start.source == 101U);
}

BOOST_AUTO_TEST_CASE(what_has_not_been_opened_everywhere_is_nobodys_source) {
  // What opens a text may come to a hop later than what opens one that begins with its KV.
  Book b;
  auto shared = text(1, 4 * block);
  b.keep(1, joined(shared, text(2, 20)));
  auto second = joined(shared, text(3, 20));
  BOOST_TEST(b.start(2, second, 1000).source == 101U);
  BOOST_TEST(b.start(3, joined(shared, text(4, 20)), 1000).source == 101U);
  b.read(2, second);
  BOOST_TEST(b.start(4, joined(shared, text(5, 20)), 1000).source == 102U);
}

BOOST_AUTO_TEST_CASE(after_a_recovery_who_begins_like_a_text_waits_until_that_is_heard_of) {
  Book b;
  auto first = text(1, 6 * block);
  BOOST_TEST((b.start(1, first, 1000).when == When::now));
  b.read(1, first);
  b.book.part([](SessionId) { return Position{6 * block}; });
  BOOST_TEST(b.book.go_on(1, 201));
  auto like_it = joined(text(1, 5 * block), text(2, 20));
  BOOST_TEST((b.start(2, like_it, 1000).when == When::after_another));
  b.book.advance(1, 6 * block + 1, std::vector<Token>{9});
  BOOST_TEST(b.start(2, like_it, 1000).source == 201U);
}

BOOST_AUTO_TEST_CASE(a_source_stays_until_those_that_begin_with_it_have_been_opened_everywhere) {
  Book b(8 * block);
  auto shared = text(1, 4 * block);
  b.keep(1, joined(shared, text(2, 10)));
  auto second = joined(shared, text(3, 10));
  BOOST_TEST(b.start(2, second, 5 * block).source == 101U);
  // There would be room for this one without the kept text.
  BOOST_TEST((b.start(3, text(5, 40), 3 * block).when == When::when_there_is_room));
  BOOST_TEST(b.book.take_evicted().empty());
  b.read(2, second);
  BOOST_TEST((b.start(3, text(5, 40), 3 * block).when == When::now));
  BOOST_TEST(b.book.take_evicted() == std::vector<SessionId>{101},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_text_whose_blocks_all_belong_to_one_that_is_being_opened_stays_for_it) {
  Book b;
  auto shared = text(1, 4 * block);
  BOOST_TEST((b.start(1, shared, 4 * block + 1).when == When::now));
  b.read(1, shared);
  BOOST_TEST(b.start(2, joined(shared, text(3, 20)), 1000).source == 101U);
  b.book.stop(1, true);
  BOOST_TEST(b.book.take_evicted().empty());
}

BOOST_AUTO_TEST_CASE(the_kept_text_that_was_not_used_for_longest_goes_first) {
  Book b(16 * block);
  for (KvBook::TextId id : {1U, 2U, 3U})
    b.keep(id, text(static_cast<Token>(id), 3 * block + 1));
  auto used = joined(text(1, 3 * block + 1), {7});
  b.start(4, used, static_cast<Position>(used.size()) + 1);
  b.read(4, used);
  b.book.stop(4, false);
  BOOST_TEST(b.book.take_evicted().empty());
  BOOST_TEST((b.start(5, text(5, 20), 5 * block, false).when == When::now));
  BOOST_TEST(b.book.take_evicted() == std::vector<SessionId>{102},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_text_that_goes_on_with_a_kept_one_takes_its_place) {
  Book b;
  auto first = text(1, 5 * block);
  b.keep(1, first);
  auto kept = joined(first, {9});
  auto longer = joined(kept, text(2, 50));
  b.keep(2, longer);
  BOOST_TEST(b.book.take_evicted() == std::vector<SessionId>{101},
             boost::test_tools::per_element());
  BOOST_TEST(b.start(3, joined(longer, text(3, 50)), 1000).source == 102U);
}

BOOST_AUTO_TEST_CASE(short_texts_are_not_kept) {
  Book b;
  b.keep(1, text(1, 3));
  BOOST_TEST(b.book.take_evicted() == std::vector<SessionId>{101},
             boost::test_tools::per_element());
  BOOST_TEST(b.book.used() == 0U);
}

BOOST_AUTO_TEST_CASE(texts_that_have_nothing_of_their_own_do_not_pile_up) {
  Book b;
  auto prompt = joined(text(1, 5 * block), {7});
  b.keep(1, prompt);
  for (KvBook::TextId id = 2; id < 100; ++id) {
    // Given up before anything was computed.
    BOOST_TEST(b.start(id, prompt, 200).cached == 5 * block);
    b.book.stop(id, true);
    BOOST_TEST(b.book.take_evicted() == std::vector<SessionId>{100 + id},
               boost::test_tools::per_element());
  }
  BOOST_TEST(b.book.kept_numbers().size() == 1U);
}

BOOST_AUTO_TEST_CASE(after_a_recovery_nothing_is_shared_until_it_has_been_restored) {
  Book b(100 * block);
  auto system = text(1, 20 * block);
  b.start(1, joined(system, text(2, 7)), 600);
  b.book.advance(1, 20 * block + 7, std::vector<Token>{9});
  b.start(2, joined(system, text(3, 7)), 600);
  b.book.advance(2, 20 * block + 7, std::vector<Token>{9});
  auto shared = b.book.used();
  b.book.part([](SessionId) { return 300U; });
  BOOST_TEST(b.book.go_on(1, 201));
  BOOST_TEST(b.book.go_on(2, 202));
  BOOST_TEST(b.book.used() == shared + 20 * block);
  // 300 tokens are cached, and the rest is computed again.
  auto prompt = joined(system, text(4, 7));
  BOOST_TEST((b.start(3, prompt, 600).when == When::after_another));
  b.book.advance(2, 20 * block + 7, std::vector<Token>{9});
  BOOST_TEST(b.start(3, prompt, 600).cached == 20 * block);
}

BOOST_AUTO_TEST_CASE(after_a_recovery_without_room_the_last_to_come_stops) {
  Book b(40 * block);
  auto system = text(1, 15 * block);
  b.start(1, joined(system, text(2, 7)), 16 * block + 8, false);
  b.book.advance(1, 15 * block + 7, std::vector<Token>{9});
  b.start(2, joined(system, text(3, 7)), 16 * block + 8, false);
  b.book.resize(20 * block);
  b.book.part([](SessionId) { return 100U; });
  BOOST_TEST(b.book.go_on(1, 201));
  BOOST_TEST(!b.book.go_on(2, 202));
  BOOST_TEST(!b.book.wants_more(2));
}

BOOST_AUTO_TEST_CASE(forty_texts_of_512_tokens_run_in_the_room_of_eight_of_4096) {
  Book b(8 * 4096);
  for (KvBook::TextId id = 1; id <= 40; ++id) {
    auto prompt = text(static_cast<Token>(id), 64);
    BOOST_REQUIRE((b.start(id, prompt, 512).when == When::now));
  }
  for (Position position = 64; position < 511; ++position)
    for (KvBook::TextId id = 1; id <= 40; ++id) {
      b.book.advance(id, position, std::vector<Token>{5});
      if (b.book.wants_more(id))
        BOOST_REQUIRE(b.book.grow(id).has_value());
    }
}

BOOST_AUTO_TEST_CASE(whatever_happens_no_more_is_given_than_there_is) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    Book b(60 * block);
    std::map<KvBook::TextId, std::pair<Position, Position>> running;  // position, most
    KvBook::TextId last = 0;
    for (int step = 0; step < 2000; ++step) {
      auto kind = static_cast<Token>(1 + random() % 4);
      if (random() % 3 == 0) {
        auto prompt = joined(text(kind, 1 + random() % 100), text(9, 1 + random() % 30));
        auto most = static_cast<Position>(prompt.size() + 1 + random() % 300);
        auto id = last + 1;
        if (b.book.fits(most) && b.start(id, prompt, most, random() % 4 != 0).when == When::now) {
          last = id;
          running[id] = {static_cast<Position>(prompt.size()), most};
        }
      } else if (!running.empty()) {
        auto it = running.begin();
        std::advance(it, random() % running.size());
        auto& [position, most] = it->second;
        if (position + 1 >= most || random() % 40 == 0) {
          b.book.stop(it->first, random() % 2 == 0);
          running.erase(it);
        } else if (position < b.book.limit(it->first)) {
          b.book.advance(it->first, position++,
                         std::vector<Token>{static_cast<Token>(random() % 3)});
          if (b.book.wants_more(it->first))
            b.book.grow(it->first);
        } else if (!b.book.grow(it->first)) {
          b.book.stop(it->first, false);
          running.erase(it);
        }
      }
      BOOST_REQUIRE(b.book.used() <= 60 * block);
    }
    for (const auto& [id, at] : running)
      b.book.stop(id, false);
    b.book.resize(0);
    b.start(last + 1, text(1, 5), 10);
    BOOST_TEST(b.book.used() == 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace flowspec::test
