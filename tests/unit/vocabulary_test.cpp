/// Vocabularies as such: when two are the same, and which are refused.

#include <cmath>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/formats/gguf.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/scored_vocabulary.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

BOOST_AUTO_TEST_SUITE(tokenizer)

BOOST_AUTO_TEST_CASE(vocabularies_are_compared) {
  const std::vector<Entry> words{{"a", -1}, {"b", -2}};
  const Tokenizer t = make(words);
  const Tokenizer same = make({{"a", -3}, {"b", -4}});
  BOOST_TEST(!difference(t, same));
  BOOST_TEST(t.vocab_hash() == same.vocab_hash());
  std::vector<Entry> more = words;
  for (std::size_t i = 0; i < largest_vocabulary_difference; ++i)
    more.push_back({"x" + std::to_string(i)});
  BOOST_TEST(!difference(t, make(more)));
  BOOST_TEST(!difference(make(more), t));
  more.push_back({"y"});
  const Tokenizer longer = make(more);
  BOOST_TEST(difference(t, longer).value_or("") ==
             "the first vocabulary has 7 tokens, the second 136");
  const Tokenizer other = make({{"a"}, {"\n"}});
  BOOST_TEST(difference(t, other).value_or("") ==
             "token 6 is 'b' in the first vocabulary, '\\x0a' in the second");
  const Tokenizer other_eos =
      make(words, [](GgufWriter& w) { w.add_uint("tokenizer.ggml.eos_token_id", 5); });
  BOOST_TEST(difference(t, other_eos).value_or("").find("1 and 2 in the first") !=
             std::string::npos);
  for (const Tokenizer* different : {&longer, &other, &other_eos})
    BOOST_TEST(t.vocab_hash() != different->vocab_hash());
}

BOOST_AUTO_TEST_CASE(vocabularies_may_be_padded_to_any_size) {
  const std::vector<Entry> words{{"a", -1}, {"b", -2}};
  std::vector<Entry> padded = words;
  std::vector<Entry> otherwise = words;
  for (std::size_t i = 0; i < 500; ++i)
    padded.push_back({"[PAD" + std::to_string(i) + "]", 0, unused});
  for (std::size_t i = 0; i < 300; ++i)
    otherwise.push_back({"<unused" + std::to_string(i) + ">", 0, unused});
  BOOST_TEST(!difference(make(words), make(padded)));
  BOOST_TEST(!difference(make(padded), make(words)));
  BOOST_TEST(!difference(make(padded), make(otherwise)));
  padded.push_back({"c", -3});
  BOOST_TEST(difference(make(words), make(padded)).has_value());
  // Not behind the last token only.
  const auto with_middle = [](const std::string& text, std::int32_t kind) {
    return make({{"a", -1}, {text, 0, kind}, {"b", -2}});
  };
  BOOST_TEST(!difference(with_middle("<u1>", unused), with_middle("<u2>", unused)));
  BOOST_TEST(difference(with_middle("<u1>", unused), with_middle("<u2>", normal)).has_value());
}

BOOST_AUTO_TEST_CASE(bad_vocabularies_are_refused) {
  const auto says = [](const std::string& word) {
    return [word](const ModelError& error) {
      BOOST_TEST_MESSAGE(error.what());
      return std::string(error.what()).find(word) != std::string::npos;
    };
  };
  const TempFolder folder;
  const auto open = [&folder](const GgufWriter& writer) {
    writer.write(folder / "v.gguf");
    Tokenizer::from_gguf(GgufFile::open(folder / "v.gguf"));
  };
  GgufWriter writer;
  BOOST_CHECK_EXCEPTION(open(writer), ModelError, says("tokenizer.ggml.model"));
  GgufWriter unigram;
  unigram.add_string("tokenizer.ggml.model", "t5");
  BOOST_CHECK_EXCEPTION(open(unigram), ModelError, says("'t5'"));
  writer.add_string("tokenizer.ggml.model", "llama");
  BOOST_CHECK_EXCEPTION(open(writer), ModelError, says("tokenizer.ggml.tokens"));
  writer.add_strings("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"});
  BOOST_CHECK_NO_THROW(open(writer));  // scores and types may be missing
  GgufWriter nan = writer;
  nan.add_floats("tokenizer.ggml.scores", std::vector<float>{0, std::nanf("")});
  BOOST_CHECK_EXCEPTION(open(nan), ModelError, says("not numbers"));
  GgufWriter few = writer;
  few.add_ints("tokenizer.ggml.token_type", std::vector<std::int32_t>{1});
  BOOST_CHECK_EXCEPTION(open(few), ModelError, says("token_type has 1"));
}

BOOST_AUTO_TEST_SUITE_END()
