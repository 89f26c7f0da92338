/// Models that are split over several GGUF files.

#include <filesystem>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/formats/gguf.hpp"
#include "models/open_model.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;
namespace fs = std::filesystem;

namespace {

const LlamaShape shape;

/// A folder with a model in three parts.
struct Split {
  Split() { writer.write_parts(folder.path(), "m", 3); }

  fs::path part(std::uint32_t number) const { return folder / part_name("m", number, 3); }

  TempFolder folder;
  GgufWriter writer = make_llama(shape, {}, 1);
};

/// Opens `path` and checks that this is refused with a message that has all of `words`.
void check_refused(const fs::path& path, const std::vector<std::string>& words) {
  BOOST_CHECK_EXCEPTION(
      open_model(path), ModelError,
      [&](const ModelError& error) {
        BOOST_TEST_MESSAGE(error.what());
        for (const std::string& word : words)
          BOOST_TEST(std::string(error.what()).find(word) != std::string::npos,
                     "no \"" << word << "\" in: " << error.what());
        return true;
      });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gguf_parts)

BOOST_AUTO_TEST_CASE(any_part_and_the_folder_name_the_whole_model) {
  const Split split;
  split.writer.write(split.folder / "whole.gguf.txt");
  const GgufFile whole = GgufFile::open(split.folder / "whole.gguf.txt");
  for (const fs::path& path :
       {split.part(0), split.part(1), split.part(2), split.folder.path(), split.folder / ""}) {
    const OpenModel model = open_model(path);
    BOOST_TEST(model.files->path().filename() == "m-00001-of-00003.gguf");
    BOOST_TEST(model.files->parts().size() == 3U);
    BOOST_TEST(model.config.layers == shape.layers);
    BOOST_TEST(open_tokenizer(path).vocab_size() == shape.vocab_size);
    for (const TensorInfo& tensor : whole.tensors())
      BOOST_TEST((model.files->require(tensor.name, tensor.shape).floats() == tensor.floats()));
    BOOST_TEST(model.files->file_size() == fs::file_size(split.part(0)) +
                                               fs::file_size(split.part(1)) +
                                               fs::file_size(split.part(2)));
  }
  BOOST_TEST(GgufFile::open(split.part(1)).tensors().size() == whole.tensors().size());
}

BOOST_AUTO_TEST_CASE(the_hash_is_that_of_the_list_of_parts) {
  const Split split;
  std::string listing;
  for (std::uint32_t i = 0; i < 3; ++i)
    listing += hash_file(split.part(i)) + "  " + part_name("m", i, 3) + "\n";
  for (std::uint32_t i = 0; i < 3; ++i)
    BOOST_TEST(hash_model(*open_model(split.part(i)).files) == hash_bytes(listing));
}

BOOST_AUTO_TEST_CASE(tensors_without_metadata_and_metadata_without_tensors_are_parts) {
  const TempFolder folder;
  // More parts than tensors: some have none.
  make_llama({.layers = 1}, {}, 1).write_parts(folder / "m", "m", 20);
  BOOST_TEST(open_model(folder / "m").files->parts().size() == 20U);
  make_llama(shape, {}, 1).write_parts(folder / "one", "m", 1);
  BOOST_TEST(open_model(folder / "one").files->parts().size() == 1U);
}

BOOST_AUTO_TEST_CASE(missing_parts_are_named) {
  const Split split;
  fs::remove(split.part(1));
  check_refused(split.part(0), {"m-00001-of-00003.gguf: is part 1 of 3", "1 are missing",
                                "m-00002-of-00003.gguf"});
  check_refused(split.part(2), {"is part 3 of 3", "m-00002-of-00003.gguf"});
  check_refused(split.folder.path(), {"m-00002-of-00003.gguf"});
  fs::remove(split.part(0));
  check_refused(split.folder.path(),
                {"is part 3 of 3", "2 are missing", "m-00001-of-00003.gguf, m-00002-of-00003"});
}

BOOST_AUTO_TEST_CASE(renamed_parts_are_told) {
  const Split split;
  fs::copy_file(split.part(1), split.folder / "other.gguf");
  check_refused(split.folder / "other.gguf",
                {"other.gguf: is part 2 of 3", "should end with '-00002-of-00003.gguf'"});
  fs::rename(split.folder / "other.gguf", split.folder / "other");
  // Two parts with each other's names.
  fs::rename(split.part(1), split.folder / "x");
  fs::rename(split.part(2), split.part(1));
  fs::rename(split.folder / "x", split.part(2));
  check_refused(split.part(0), {"m-00002-of-00003.gguf: has the name of part 2 of 3",
                                "says that it is part 3 of 3"});
  check_refused(split.part(2), {"is part 2 of 3", "should end with"});
}

BOOST_AUTO_TEST_CASE(parts_of_different_models_are_told) {
  const Split split;
  // Of a model with more layers: another number of tensors.
  GgufWriter longer = make_llama({.layers = 3}, {}, 1);
  longer.part(1, 3).write(split.part(1));
  check_refused(split.part(0), {"m-00002-of-00003.gguf: is of another model than "
                                "m-00001-of-00003.gguf",
                                "'split.tensors.count' differs"});
  // Of one that is split in another way.
  split.writer.part(1, 4).write(split.part(1));
  check_refused(split.part(0), {"m-00002-of-00003.gguf", "part 2 of 3", "it is part 2 of 4"});
  // With metadata of its own.
  GgufWriter named = split.writer.part(1, 3);
  named.add_string("general.name", "another model");
  named.write(split.part(1));
  check_refused(split.part(0), {"m-00002-of-00003.gguf", "'general.name' differs"});
  // Of as many tensors with the same names.
  GgufWriter twice = split.writer.part(1, 3);
  twice.add_tensor("output_norm.weight", TensorType::f32, {64}, std::vector<float>(64));
  twice.write(split.part(1));
  check_refused(split.part(0), {"m-00003-of-00003.gguf: has the tensor 'output_norm.weight'",
                                "m-00002-of-00003.gguf has too"});
  // With a tensor too many.
  twice = split.writer.part(1, 3);
  twice.add_tensor("other.weight", TensorType::f32, {64}, std::vector<float>(64));
  twice.write(split.part(1));
  check_refused(split.part(0), {"21 tensors", "have 22"});
  // No part at all.
  make_llama(shape, {}, 1).write(split.part(1));
  check_refused(split.part(0), {"m-00002-of-00003.gguf", "it is part 1 of 1"});
}

BOOST_AUTO_TEST_CASE(absurd_numbers_of_parts_are_refused) {
  const TempFolder folder;
  const auto check = [&](std::uint32_t number, std::uint32_t count, const char* words) {
    GgufWriter writer = make_llama(shape, {}, 1);
    writer.add_uint("split.no", number);
    writer.add_uint("split.count", count);
    writer.write(folder / "m.gguf");
    check_refused(folder / "m.gguf", {words});
  };
  check(3, 3, "part 3 (from 0 on) of 3");
  check(0, 1025, "at most 1024");
  check(0xffffffff, 0xffffffff, "at most 1024");
  GgufWriter writer = make_llama(shape, {}, 1);
  writer.add_string("split.count", "three");
  writer.write(folder / "m.gguf");
  check_refused(folder / "m.gguf", {"'split.count' is not a number"});
}

BOOST_AUTO_TEST_CASE(a_misshapen_tensor_is_told_with_its_part) {
  const Split split;
  GgufWriter wrong(3);
  for (const auto& [key, value] : {std::pair{"split.no", 2}, std::pair{"split.count", 3},
                                   std::pair{"split.tensors.count", 21}})
    wrong.add_raw(key, 5, bytes_of<std::int32_t>(value));
  const GgufFile file = GgufFile::open(split.part(0));
  for (std::size_t i = 14; i < 21; ++i) {
    const std::string& name = file.tensors()[i].name;
    wrong.add_tensor(name, TensorType::f32, {1}, std::vector<float>(1));
  }
  wrong.write(split.part(2));
  const GgufFile bad = GgufFile::open(split.part(0));
  BOOST_CHECK_EXCEPTION(
      bad.require("output_norm.weight", {64}), ModelError, [](const ModelError& error) {
        return std::string(error.what()).find("m-00003-of-00003.gguf: tensor") != std::string::npos;
      });
}

BOOST_AUTO_TEST_CASE(a_folder_with_several_models_lists_them) {
  const Split split;
  split.writer.write(split.folder / "q8.gguf");
  check_refused(split.folder.path(), {"holds 2 models: m-00001-of-00003.gguf, q8.gguf"});
  BOOST_CHECK_THROW(open_tokenizer(split.folder.path()), ModelError);
  fs::remove(split.folder / "q8.gguf");
  split.writer.write_parts(split.folder.path(), "m", 2);
  check_refused(split.folder.path(), {"m-00001-of-00002.gguf, m-00001-of-00003.gguf"});
}

BOOST_AUTO_TEST_SUITE_END()
