#pragma once
/// The one form in which messages travel between actors.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "messages/setup_types.hpp"
#include "messages/types.hpp"
#include "messages/wire_fwd.hpp"

namespace caf {
class deserializer;
class error;
template <class>
class expected;
class serializer;
}  // namespace caf

namespace flowspec {

/// The largest message that crosses a machine, in bytes.
inline constexpr std::size_t max_wire_bytes = std::size_t{256} << 20;

/// A complete flat Cap'n Proto message (segment table first), shared and immutable.
struct WireBuffer {
  std::shared_ptr<const std::uint64_t[]> words;
  /// In words of eight bytes.
  std::size_t size = 0;
};

/// An immutable message of content `T`. A copy copies one pointer, so inside a process nothing is
/// serialised; on the way to another machine the bytes are copied once on each side.
template <class T>
class Wire {
 public:
  /// Empty; `read` refuses it. CAF needs a default constructor to receive into.
  Wire() = default;
  /// Encodes. Values are not checked here: `read` on the receiving side does that.
  /// @throws std::length_error if the content exceeds `max_wire_bytes`.
  explicit Wire(const T& content);
  /// Takes the bytes unchecked; `read` tells whether they are a message.
  explicit Wire(WireBuffer buffer) : buffer_(std::move(buffer)) {}

  static Wire make(const T& content) { return Wire(content); }

  /// Decodes and checks, every time: a message from another machine may hold anything. Tensors of
  /// the result borrow the message and keep it alive through `Tensor::owner`; they are aligned to 8
  /// bytes. Never throws; an error names the message and the bound that it breaks.
  caf::expected<T> read() const;

  /// Size on the wire, without CAF's own header.
  std::size_t bytes() const { return buffer_.size * sizeof(std::uint64_t); }
  /// CAF drops errors of the sending side: ask before sending to another machine.
  bool fits() const { return bytes() <= max_wire_bytes; }
  bool empty() const { return buffer_.size == 0; }
  std::span<const std::uint64_t> words() const { return {buffer_.words.get(), buffer_.size}; }

  /// For CAF: the size, then the bytes as one block.
  caf::error save(caf::serializer& sink) const;
  /// For CAF: checks the size before allocating anything.
  caf::error load(caf::deserializer& source);

 private:
  WireBuffer buffer_;
};

template <class T>
caf::error inspect(caf::serializer& sink, Wire<T>& message);
template <class T>
caf::error inspect(caf::deserializer& source, Wire<T>& message);
/// The message's type and size, never its content.
template <class T>
std::string to_string(const Wire<T>& message);

}  // namespace flowspec
