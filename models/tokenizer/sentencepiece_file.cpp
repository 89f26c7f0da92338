#include "models/tokenizer/sentencepiece_file.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>

#include "models/base/error.hpp"
#include "models/formats/file_mapping.hpp"
#include "models/formats/text_file.hpp"

namespace flowspec {
namespace {

struct Field {
  std::uint64_t number = 0;
  /// 0: varint, 1: eight bytes, 2: a length and that many bytes, 5: four bytes.
  unsigned wire_type = 0;
  /// For wire types 0 and 5.
  std::uint64_t value = 0;
  /// For wire type 2.
  std::string_view bytes = {};
};

/// The fields of a message, one after the other.
/// Format: https://protobuf.dev/programming-guides/encoding/
class Message {
 public:
  Message(std::string_view bytes, const std::filesystem::path& path) : rest_(bytes), path_(path) {}

  bool next(Field& field) {
    if (rest_.empty())
      return false;
    const std::uint64_t tag = varint();
    field = {.number = tag >> 3, .wire_type = static_cast<unsigned>(tag & 7)};
    switch (field.wire_type) {
      case 0:
        field.value = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5: {
        const std::string_view bytes = take(4);
        for (std::size_t i = 0; i < 4; ++i)
          field.value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
        break;
      }
      default:
        fail("has a field of the unknown wire type " + std::to_string(field.wire_type));
    }
    return true;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw ModelError(path_.string() + ": " + what +
                     ", so it is no SentencePiece file. Get the model from another source.");
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80)
        return value;
    }
    fail("has a number of more than 64 bits");
  }

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size())
      fail("ends inside a field");
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  std::string_view rest_;
  const std::filesystem::path& path_;
};

SentencePieceFile::Piece read_piece(Message message) {
  SentencePieceFile::Piece piece;
  for (Field field; message.next(field);) {
    if (field.number == 1 && field.wire_type == 2) {
      piece.text = field.bytes;
    } else if (field.number == 2 && field.wire_type == 5) {
      piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
    } else if (field.number == 3 && field.wire_type == 0) {
      if (field.value < 1 || field.value > 6)
        message.fail("has a piece of the unknown type " + std::to_string(field.value));
      piece.kind = static_cast<TokenKind>(field.value);
    }
  }
  if (std::isnan(piece.score))
    message.fail("has a score that is not a number");
  return piece;
}

void read_trainer(Message message, SentencePieceFile& file) {
  for (Field field; message.next(field);) {
    if (field.wire_type != 0)
      continue;
    switch (field.number) {
      case 3:
        file.model_type = field.value;
        break;
      case 24:
        file.whitespace_is_suffix = field.value != 0;
        break;
      case 40:
        file.unknown = static_cast<std::int32_t>(field.value);
        break;
      case 41:
        file.bos = static_cast<std::int32_t>(field.value);
        break;
      case 42:
        file.eos = static_cast<std::int32_t>(field.value);
        break;
      default:
        break;
    }
  }
}

void read_normalizer(Message message, SentencePieceFile& file) {
  for (Field field; message.next(field);)
    if (field.number == 2 && field.wire_type == 2)
      file.has_character_map = !field.bytes.empty();
    else if (field.wire_type == 0 && field.number == 3)
      file.add_dummy_prefix = field.value != 0;
    else if (field.wire_type == 0 && field.number == 4)
      file.remove_extra_whitespaces = field.value != 0;
    else if (field.wire_type == 0 && field.number == 5)
      file.escape_whitespaces = field.value != 0;
}

}  // namespace

SentencePieceFile SentencePieceFile::read(const std::filesystem::path& path) {
  constexpr std::size_t most_bytes = std::size_t{64} << 20;
  const FileMapping mapping(path);
  check_file_size(path, mapping.bytes().size(), most_bytes, "Get the model from another source.");
  const auto* data = reinterpret_cast<const char*>(mapping.bytes().data());
  Message message({data, mapping.bytes().size()}, path);
  SentencePieceFile file;
  // A piece takes at least two bytes of the file, so the table is not much larger than that.
  for (Field field; message.next(field);) {
    if (field.wire_type != 2)
      continue;
    if (field.number == 1)
      file.pieces.push_back(read_piece({field.bytes, path}));
    else if (field.number == 2)
      read_trainer({field.bytes, path}, file);
    else if (field.number == 3)
      read_normalizer({field.bytes, path}, file);
    check_vocabulary_size(path, std::max<std::size_t>(file.pieces.size(), 1));
  }
  mapping.check_unchanged();
  check_vocabulary_size(path, file.pieces.size());
  return file;
}

}  // namespace flowspec
