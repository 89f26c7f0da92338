#include "actors/cluster/librarian.hpp"

#include <algorithm>
#include <deque>
#include <fstream>
#include <optional>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/model_choice.hpp"
#include "actors/cluster/node.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"
#include "messages/limits.hpp"
#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/hash_cache.hpp"
#include "models/model_heads.hpp"

namespace flowspec {

namespace {

class Librarian {
 public:
  /// Cards that pieces can be asked of: a model, its draft, and some room.
  static constexpr std::size_t most_cards = 8;

  explicit Librarian(std::shared_ptr<Node> node) : node_(std::move(node)) {}

  /// Reads the whole model if its hash is not known yet.
  ModelCard card(const std::string& name) {
    check_name(name);
    auto heads = find(name);
    if (heads.files.size() > limits::model_files)
      throw ModelError(fmt::format("{} has {} files, more than the {} of which a node tells",
                                   heads.name, heads.files.size(), limits::model_files));
    ModelCard card;
    card.name = heads.name;
    card.hash = hash(heads);
    card.is_folder = heads.is_folder;
    for (const FileHead& file : heads.files)
      card.files.push_back({file.name, file.bytes, file.head_bytes});
    heads.model.reset();
    std::erase_if(given_, [&](const Given& other) { return is_same_hash(other.hash, card.hash); });
    if (given_.size() == most_cards)
      given_.pop_front();
    given_.push_back({card.hash, std::move(heads.files)});
    return card;
  }

  FilePiece piece(const std::string& hash, const std::string& name, std::uint64_t offset) const {
    auto given = std::ranges::find_if(
        given_, [&](const Given& one) { return is_same_hash(one.hash, hash); });
    if (given == given_.end())
      throw ModelError(fmt::format("has told nobody here of a model with the hash {}", hash));
    auto file = std::ranges::find(given->files, name, &FileHead::name);
    if (file == given->files.end())
      throw ModelError(fmt::format("the model with the hash {} has no file {}", hash, name));
    if (offset >= file->head_bytes)
      throw ModelError(
          fmt::format("{}: byte {} is asked for, and only the first {} are given to "
                      "those who have no weights",
                      name, offset, file->head_bytes));
    FilePiece piece;
    piece.bytes.resize(std::min<std::uint64_t>(limits::file_piece, file->head_bytes - offset));
    std::ifstream in(file->path, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(file->begin + offset));
    in.read(piece.bytes.data(), static_cast<std::streamsize>(piece.bytes.size()));
    if (!in)
      throw ModelError(fmt::format("{}: cannot be read", file->path.string()));
    fail_if_changed(file->path, file->identity);
    return piece;
  }

  caf::error error_of(const std::exception& e) const {
    auto text = fmt::format("node {}: {}", node_->options().name, e.what());
    spdlog::info("no card or piece of a model: {}", text);
    return text_error(ErrorCode::does_not_fit, text);
  }

 private:
  /// What was told, until it is forgotten: only that is given.
  struct Given {
    std::string hash;
    std::vector<FileHead> files;
  };

  static void check_name(const std::string& name) {
    if (name.empty() || name.size() > limits::text || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos)
      throw ModelError(fmt::format("\"{}\" is no plain name of a model", printable(name)));
  }

  /// The first of that name that can be opened.
  ModelHeads find(const std::string& name) const {
    std::exception_ptr first;
    for (const auto& path : node_->library().find(name)) {
      try {
        return heads_of(path);
      } catch (const ModelError&) {
        if (!first)
          first = std::current_exception();
      }
    }
    std::rethrow_exception(first);
  }

  std::string hash(const ModelHeads& heads) const {
    auto stop_if_closed = [this](std::uint64_t, std::uint64_t) {
      if (node_->closed())
        throw ModelError("the node is closing");
    };
    return heads.model ? node_->library().hash(*heads.model, stop_if_closed)
                       : user_hash_cache().get(heads.head_weights, stop_if_closed).hash;
  }

  std::shared_ptr<Node> node_;
  std::deque<Given> given_;
};

LibrarianActor::behavior_type librarian(LibrarianActor::pointer self, std::shared_ptr<Node> node) {
  log_failures(self);
  auto state = std::make_shared<Librarian>(std::move(node));
  return {
      [state](model_a, const std::string& name) -> caf::result<ModelCardMessage> {
        try {
          return ModelCardMessage{state->card(name)};
        } catch (const std::exception& e) {
          return state->error_of(e);
        }
      },
      [state](piece_a, const std::string& hash, const std::string& file,
              std::uint64_t offset) -> caf::result<FilePieceMessage> {
        try {
          return FilePieceMessage{state->piece(hash, file, offset)};
        } catch (const std::exception& e) {
          return state->error_of(e);
        }
      },
  };
}

}  // namespace

LibrarianActor spawn_librarian(caf::actor_system& system, std::shared_ptr<Node> node) {
  return system.spawn<caf::detached>(librarian, std::move(node));
}

}  // namespace flowspec
