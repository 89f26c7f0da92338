#include "messages/wire.hpp"

#include <exception>
#include <string_view>
#include <utility>

#include <caf/binary_deserializer.hpp>
#include <caf/deserializer.hpp>
#include <caf/error.hpp>
#include <caf/expected.hpp>
#include <caf/make_message.hpp>
#include <caf/sec.hpp>
#include <caf/serializer.hpp>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include "messages/codec.hpp"

namespace flowspec {

namespace {

/// The deepest message is a list in a struct in a list in the root.
constexpr int nesting_limit = 8;

caf::error refused(const char* name, std::string_view why) {
  return caf::make_error(caf::sec::invalid_argument, std::string(name) + ": " + std::string(why));
}

caf::error too_large(const char* name, std::size_t bytes) {
  return refused(name, "message of " + std::to_string(bytes) + " bytes, at most " +
                           std::to_string(max_wire_bytes));
}

template <class T>
T decode_flat(const WireBuffer& buffer) {
  const auto words =
      kj::arrayPtr(reinterpret_cast<const capnp::word*>(buffer.words.get()), buffer.size);
  capnp::ReaderOptions bounds;
  // Every part of a valid message is fetched once. The factor of two stops lists that overlap, or
  // whose elements claim to have no size; the 16 words are for the empty message.
  bounds.traversalLimitInWords = 2 * buffer.size + 16;
  bounds.nestingLimit = nesting_limit;
  capnp::FlatArrayMessageReader reader(words, bounds);
  if (reader.getEnd() != words.end())
    throw DecodeError("bytes after the end of the message");
  T out;
  decode(reader.getRoot<typename SchemaOf<T>::type>(), buffer.words, out);
  return out;
}

}  // namespace

template <class T>
Wire<T>::Wire(const T& content) {
  FlatMessage message(SchemaOf<T>::name, variable_words(content));
  encode(content, message.root<typename SchemaOf<T>::type>());
  buffer_ = message.finish();
}

template <class T>
caf::expected<T> Wire<T>::read() const {
  constexpr auto name = SchemaOf<T>::name;
  if (empty())
    return refused(name, "no message");
  if (!fits())
    return too_large(name, bytes());
  try {
    return decode_flat<T>(buffer_);
  } catch (const DecodeError& e) {
    return refused(name, e.what());
  } catch (const kj::Exception& e) {
    // Not what(): that would look up the lines of a stack trace.
    return refused(name, std::string("malformed: ") + e.getDescription().cStr());
  } catch (const std::exception& e) {
    return refused(name, e.what());
  }
}

template <class T>
caf::error Wire<T>::save(caf::serializer& sink) const {
  if (!fits())
    return too_large(SchemaOf<T>::name, bytes());
  auto size = static_cast<std::uint32_t>(bytes());
  if (auto error = sink(size))
    return error;
  if (size == 0)
    return caf::none;
  return sink.apply_raw(size, const_cast<std::uint64_t*>(buffer_.words.get()));
}

template <class T>
caf::error Wire<T>::load(caf::deserializer& source) {
  constexpr auto name = SchemaOf<T>::name;
  std::uint32_t size = 0;
  if (auto error = source(size))
    return error;
  if (size > max_wire_bytes)
    return too_large(name, size);
  if (size % sizeof(std::uint64_t) != 0)
    return refused(name, "a size of " + std::to_string(size) + " bytes is not whole words");
  auto* binary = dynamic_cast<caf::binary_deserializer*>(&source);
  if (binary != nullptr && binary->remaining() < size)
    return refused(name, "claims " + std::to_string(size) + " bytes, " +
                             std::to_string(binary->remaining()) + " came");
  const auto words = size / sizeof(std::uint64_t);
  auto buffer = std::make_shared_for_overwrite<std::uint64_t[]>(words);
  if (size != 0)
    if (auto error = source.apply_raw(size, buffer.get()))
      return error;
  buffer_ = {std::move(buffer), words};
  return caf::none;
}

template <class T>
caf::error inspect(caf::serializer& sink, Wire<T>& message) {
  return message.save(sink);
}

template <class T>
caf::error inspect(caf::deserializer& source, Wire<T>& message) {
  return message.load(source);
}

template <class T>
std::string to_string(const Wire<T>& message) {
  return std::string(SchemaOf<T>::name) + "(" + std::to_string(message.bytes()) + " bytes)";
}

#define FLOWSPEC_INSTANTIATE(T)                                 \
  template class Wire<T>;                                       \
  template caf::error inspect<T>(caf::serializer&, Wire<T>&);   \
  template caf::error inspect<T>(caf::deserializer&, Wire<T>&); \
  template std::string to_string<T>(const Wire<T>&);
FLOWSPEC_FOR_EACH_MESSAGE(FLOWSPEC_INSTANTIATE)
#undef FLOWSPEC_INSTANTIATE

}  // namespace flowspec
