#pragma once
/// Private to this folder: converts between plain values and Cap'n Proto.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>

#include "flowspec.capnp.h"
#include <capnp/message.h>

#include "messages/setup_types.hpp"
#include "messages/types.hpp"
#include "messages/wire.hpp"

/// Every type that is a message of its own.
// clang-format off
#define FLOWSPEC_FOR_EACH_MESSAGE(X)                                                 \
  X(Segment) X(Prunes) X(Open) X(Close) X(Cancel) X(SegmentEnd) X(Verdict) X(SentRows)   \
  X(Features) X(Ready) X(Tokens) X(Closed) X(TextDelta) X(Report) X(Fault)           \
  X(StageSpec) X(NodeInfo) X(StageStats) X(Restored) X(Kept)                           \
  X(PartSpec) X(ModelCard) X(FilePiece) X(Grow)
// clang-format on

namespace flowspec {

static_assert(schema::PROTOCOL_VERSION == protocol_version);

template <class T>
struct SchemaOf;

// NOLINTBEGIN(bugprone-macro-parentheses): T names a type.
#define FLOWSPEC_CODEC(T)                                                                           \
  template <>                                                                                       \
  struct SchemaOf<T> {                                                                              \
    using type = schema::T;                                                                         \
    static constexpr const char* name = #T;                                                         \
  };                                                                                                \
  /** Words that lists, strings and tensors of `content` take at most. */                           \
  std::size_t variable_words(const T& content);                                                     \
  void encode(const T& content, schema::T::Builder out);                                            \
  /** Decodes into a fresh `out`; `owner` keeps the message. @throws DecodeError, kj::Exception. */ \
  void decode(schema::T::Reader in, const std::shared_ptr<const void>& owner, T& out);
FLOWSPEC_FOR_EACH_MESSAGE(FLOWSPEC_CODEC)
#undef FLOWSPEC_CODEC
// NOLINTEND(bugprone-macro-parentheses)

// The parts that a SegmentWriter encodes by itself.
std::size_t words_of_rows(std::size_t rows);
std::size_t words_of_tensor(std::size_t values, HiddenType type);
std::size_t words_of(std::span<const Prune> prunes);
void encode(std::span<const Row> rows, capnp::List<schema::Row>::Builder out);
void encode(std::span<const Prune> prunes, capnp::List<schema::Prune>::Builder out);
/// A tensor of zeros, and where its values lie in the message; aligned to 8 bytes.
std::uint8_t* init_tensor(schema::Tensor::Builder out, std::size_t rows, std::size_t columns,
                          HiddenType type);

/// A message breaks one of the bounds.
class DecodeError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Builds a message inside the buffer that will be sent, so that nothing is copied afterwards.
class FlatMessage {
 public:
  /// `variable_words` has to cover everything that is not of fixed size.
  /// @throws std::length_error
  FlatMessage(const char* name, std::size_t variable_words);

  template <class Schema>
  typename Schema::Builder root() {
    return builder_.initRoot<Schema>();
  }
  /// The message, without unused words. The builder must not be used afterwards.
  WireBuffer finish();

 private:
  std::size_t capacity_;
  std::shared_ptr<std::uint64_t[]> words_;
  capnp::FlatMessageBuilder builder_;
};

}  // namespace flowspec
