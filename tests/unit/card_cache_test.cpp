/// Models of nodes: what is told of them, and what is kept here, without weights.

#include "runtime/cluster/card_cache.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/drafts/eagle3_files.hpp"
#include "models/formats/gguf.hpp"
#include "models/formats/safetensors.hpp"
#include "models/model_heads.hpp"
#include "models/open_model.hpp"
#include "runtime/cluster/roles.hpp"
#include "runtime/console/error.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/eagle3_files.hpp"
#include "tests/support/eagle_files.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* some_hash = "0123456789abcdef0123456789abcdef";

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// As a node tells of it.
ModelCard card_of(const ModelHeads& heads) {
  ModelCard card{heads.name, some_hash, heads.is_folder, {}};
  for (const FileHead& file : heads.files)
    card.files.push_back({file.name, file.bytes, file.head_bytes});
  return card;
}

/// As a node reads it, in small pieces.
CardCache::ReadPiece reader_of(const ModelHeads& heads) {
  return [heads](const ModelCard::File& wanted, std::uint64_t offset) {
    const auto file = std::ranges::find(heads.files, wanted.name, &FileHead::name);
    return text_of(file->path)
        .substr(file->begin + offset, std::min<std::uint64_t>(1000, file->head_bytes - offset));
  };
}

CardCache::Kept keep(const CardCache& cache, const fs::path& model) {
  const auto heads = heads_of(model);
  return cache.get(card_of(heads), reader_of(heads));
}

std::uint64_t head_bytes(const fs::path& model) {
  std::uint64_t bytes = 0;
  for (const FileHead& file : heads_of(model).files)
    bytes += file.head_bytes;
  return bytes;
}

/// Everything but weights is the same.
void check_same(const OpenModel& kept, const OpenModel& original) {
  BOOST_TEST(kept.files->path().filename() == original.files->path().filename());
  BOOST_TEST(kept.files->file_size() == original.files->file_size());
  BOOST_TEST(kept.config.layers == original.config.layers);
  const auto a = kept.files->all_tensors();
  const auto b = original.files->all_tensors();
  BOOST_REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    BOOST_TEST(a[i]->name == b[i]->name);
    BOOST_TEST(a[i]->offset == b[i]->offset);
  }
}

/// A card that lies in one place.
void check_lie(const std::string& complaint, const std::function<void(ModelCard&)>& lie) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  const auto heads = heads_of(folder / "m.gguf");
  auto card = card_of(heads);
  lie(card);
  const CardCache cache(folder / "cards");
  check_throws<std::runtime_error>(
      [&] {
        cache.get(card, [&](const ModelCard::File&, std::uint64_t offset) {
          return text_of(folder / "m.gguf")
              .substr(offset, std::min<std::uint64_t>(1 << 20, card.files[0].head_bytes - offset));
        });
      },
      {complaint});
  // Nothing is left of it.
  BOOST_TEST((!fs::exists(folder / "cards") || fs::is_empty(folder / "cards")));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(card_cache)

BOOST_AUTO_TEST_CASE(the_head_of_a_gguf_file_ends_where_its_tensors_begin) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  const auto heads = heads_of(folder / "m.gguf");
  BOOST_TEST(heads.name == "m.gguf");
  BOOST_TEST(!heads.is_folder);
  BOOST_REQUIRE(heads.files.size() == 1U);
  std::uint64_t first = heads.files[0].bytes;
  const auto file = GgufFile::open(folder / "m.gguf");
  for (const TensorInfo& tensor : file.tensors())
    first = std::min(first, tensor.offset);
  BOOST_TEST(heads.files[0].head_bytes == first);
  BOOST_TEST(heads.files[0].bytes == fs::file_size(folder / "m.gguf"));
}

BOOST_AUTO_TEST_CASE(kept_models_open_as_the_originals_do) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  make_llama({}, {}, 1).write_parts(folder.path(), "parts", 3);
  HfWriter(GgufFile::open(folder / "m.gguf")).write(folder / "hf", 2);
  const CardCache cache(folder / "cards");
  for (const char* name : {"m.gguf", "parts-00001-of-00003.gguf", "hf"}) {
    const auto kept = keep(cache, folder / name);
    BOOST_TEST(kept.read_bytes == head_bytes(folder / name));
    check_same(open_model(kept.path), open_model(folder / name));
    BOOST_TEST(keep(cache, folder / name).read_bytes == 0U, name);
  }
  BOOST_TEST(open_tokenizer(keep(cache, folder / "m.gguf").path).vocab_size() ==
             open_tokenizer(folder / "m.gguf").vocab_size());
}

BOOST_AUTO_TEST_CASE(no_weights_are_read) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  const auto kept = keep(CardCache(folder / "cards"), folder / "m.gguf");
  const OpenModel model = open_model(kept.path);
  for (const TensorInfo* tensor : model.files->all_tensors())
    BOOST_TEST(std::ranges::all_of(tensor->data, [](std::byte b) { return b == std::byte{0}; }),
               tensor->name);
}

BOOST_AUTO_TEST_CASE(tables_are_kept_wherever_they_lie) {
  const TempFolder folder;
  GgufWriter writer = make_llama({}, {}, 1);
  const std::vector<float> divisors{1, 1, 2, 4, 8, 8, 8, 8};
  writer.add_tensor("rope_freqs.weight", TensorType::f32, {8}, divisors);  // the last tensor
  writer.write(folder / "m.gguf");
  writer.write_parts(folder.path(), "parts", 3);
  const CardCache cache(folder / "cards");
  for (const char* name : {"m.gguf", "parts-00001-of-00003.gguf"}) {
    const auto kept = keep(cache, folder / name);
    BOOST_TEST(open_model(kept.path).config.rope_scaling.divisors == divisors, name);
  }
}

BOOST_AUTO_TEST_CASE(eagle_heads_are_kept_with_their_configuration) {
  const TempFolder folder;
  fs::create_directories(folder / "one");
  EagleFiles({}, 1).write(folder / "one");
  const CardCache cache(folder / "cards");
  const auto kept = keep(cache, folder / "one");
  BOOST_TEST(kept.path.filename() == "one");
  BOOST_TEST(text_of(kept.path / "config.json") == text_of(folder / "one/config.json"));
  BOOST_TEST((SafetensorsFile::open(kept.path / "model.safetensors").find("fc.weight") != nullptr));
  for (const auto dialect : all_eagle3_dialects) {
    const fs::path original = folder / name_of(dialect);
    fs::create_directories(original);
    Eagle3Files(dialect, {}, 1).write(original);
    const auto heads = heads_of(original);
    const auto three = open_eagle3(cache.get(card_of(heads), reader_of(heads)).path);
    BOOST_TEST(three.files->find("d2t")->integers() ==
                   open_eagle3(original).files->find("d2t")->integers(),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_card_that_lies_leaves_nothing_behind) {
  check_lie(
      "no model is read from a file like .bashrc",
      [](ModelCard& card) {
        card.files.push_back({".bashrc", 10, 10});
      });
  check_lie(
      "its hash is none", [](ModelCard& card) { card.hash = "ab"; });
  check_lie(
      "it has two files", [](ModelCard& card) { card.files.push_back(card.files[0]); });
  check_lie(
      "its file is not in the list", [](ModelCard& card) { card.name = "other.gguf"; });
  check_lie(
      "bytes, of which", [](ModelCard& card) { card.files[0].bytes = std::uint64_t{1} << 60; });
  check_lie(
      "bytes, of which",
      [](ModelCard& card) {
        card.files[0].bytes = card.files[0].head_bytes = std::uint64_t{1} << 40;
      });
  check_lie("no file has the tensor", [](ModelCard& card) {
    card.files.push_back({"rope_freqs.weight", 32, 32});
  });
  // A header that ends in a hole, where its reader would go on for as long as the hole is.
  check_lie("left in the file", [](ModelCard& card) {
    card.files[0].bytes = std::uint64_t{1} << 40;
    card.files[0].head_bytes /= 2;
  });
}

BOOST_AUTO_TEST_CASE(a_node_that_stops_giving_leaves_nothing_behind) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  const auto heads = heads_of(folder / "m.gguf");
  const CardCache cache(folder / "cards");
  const auto nothing = [](const ModelCard::File&, std::uint64_t) { return std::string(); };
  check_throws<RuntimeError>([&] { cache.get(card_of(heads), nothing); }, {"it gives 0"});
  const auto too_much = [](const ModelCard::File& file, std::uint64_t) {
    return std::string(file.head_bytes + 1, 'x');
  };
  check_throws<RuntimeError>([&] { cache.get(card_of(heads), too_much); }, {"it gives"});
  BOOST_TEST(fs::is_empty(folder / "cards"));
}

BOOST_AUTO_TEST_CASE(what_was_deleted_or_cut_is_read_again) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  const CardCache cache(folder / "cards");
  const auto kept = keep(cache, folder / "m.gguf");
  fs::resize_file(kept.path, 100);
  BOOST_TEST(keep(cache, folder / "m.gguf").read_bytes == kept.read_bytes);
  fs::remove_all(folder / "cards");
  BOOST_TEST(keep(cache, folder / "m.gguf").read_bytes == kept.read_bytes);
}

BOOST_AUTO_TEST_CASE(what_was_used_longest_ago_goes_first) {
  const TempFolder folder;
  for (const char* name : {"1.gguf", "2.gguf", "3.gguf"})
    write_llama_gguf(folder / name, {}, {}, 1);
  const CardCache large(folder / "cards");
  const auto now = fs::file_time_type::clock::now();
  std::vector<fs::path> kept;
  for (int i = 1; i <= 2; ++i) {
    kept.push_back(keep(large, folder / (std::to_string(i) + ".gguf")).path);
    fs::last_write_time(kept.back().parent_path(), now - std::chrono::hours(i));
  }
  fs::create_directories(folder / "cards/unfinished-abc");
  fs::last_write_time(folder / "cards/unfinished-abc", now - std::chrono::hours(1));
  // There is room for two, in whole pages.
  constexpr std::uint64_t page = 4096;
  const auto one = (head_bytes(folder / "1.gguf") + page - 1) / page * page;
  const CardCache small(folder / "cards", 2 * one + one / 2);
  const auto last = keep(small, folder / "3.gguf").path;
  BOOST_TEST(fs::exists(last));
  BOOST_TEST(fs::exists(kept[0]));
  BOOST_TEST(!fs::exists(kept[1]));
  BOOST_TEST(!fs::exists(folder / "cards/unfinished-abc"));
}

BOOST_AUTO_TEST_CASE(parts_without_weights_here_go_to_the_last_node) {
  const auto all = roles_with_weights({}, false, false);
  for (const auto& place : {all.verifier, all.draft, all.pruner})
    BOOST_TEST(place == "last");
  BOOST_TEST(roles_with_weights({}, true, true).empty());
  const auto draft = roles_with_weights({}, true, false);
  BOOST_TEST(draft.draft == "last");
  BOOST_TEST(draft.verifier.empty());
  BOOST_TEST(roles_with_weights({"a", "", "here"}, false, true).verifier == "a");
  BOOST_TEST(roles_with_weights({"a", "", "here"}, false, true).pruner == "here");
  check_throws<RuntimeError>(
      [] {
        roles_with_weights({"here", "", ""}, false, true);
      },
      {"verifier=here", "needs weights that are not on this machine"});
  check_throws<RuntimeError>(
      [] {
        roles_with_weights({"", "here", ""}, false, false);
      },
      {"draft=here"});
}

BOOST_AUTO_TEST_SUITE_END()
