#include "runtime/run/borrowed_models.hpp"

#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/support/end_actor.hpp"
#include "actors/type_ids.hpp"
#include "models/base/error.hpp"
#include "runtime/cluster/ask.hpp"
#include "runtime/cluster/card_cache.hpp"
#include "runtime/cluster/nodes.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/progress_bar.hpp"

namespace flowspec {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds piece_limit{30};

bool is_elsewhere(const std::string& name) {
  std::error_code ignored;
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         fs::symlink_status(name, ignored).type() == fs::file_type::not_found;
}

bool borrows_model(const RunSpec& spec) {
  return is_elsewhere(spec.model);
}

bool borrows_draft(const RunSpec& spec) {
  return spec.mode != "ar" && spec.draft != "self" && may_have_weights(spec.draft) &&
         is_elsewhere(spec.draft);
}

class Borrower {
 public:
  Borrower(caf::actor_system& system, const RunSpec& spec)
      : system_(system), self_(system), spec_(spec), addresses_(spec.cluster.nodes) {
    addresses_.insert(addresses_.end(), spec.cluster.spares.begin(), spec.cluster.spares.end());
  }
  ~Borrower() {
    for (const RemoteNode& node : nodes_)
      end_actor(node.agent);
  }
  Borrower(const Borrower&) = delete;
  Borrower& operator=(const Borrower&) = delete;

  /// Path and hash take the place of the name.
  void borrow(std::string& name, std::string& hash) {
    std::string answers;
    auto code = ErrorCode::model;
    for (const Address& address : addresses_) {
      try {
        auto card = ask_card(join(address), name);
        hash = card.hash;
        name = keep(join(address), card);
        return;
      } catch (const RuntimeError& e) {
        if (e.code() != ErrorCode::does_not_fit)
          code = e.code();
        answers += answer(address, e.what());
      } catch (const ModelError& e) {
        answers += answer(address, e.what());
      }
    }
    throw RuntimeError(
        code,
        fmt::format("there is no file or folder {} here, and no node gives it.{}", name, answers));
  }

 private:
  static std::string answer(const Address& address, const std::string& text) {
    return fmt::format(" {}: {}{}", address.text(), text, text.ends_with('.') ? "" : ".");
  }

  const RemoteNode& join(const Address& address) {
    for (const RemoteNode& node : nodes_)
      if (node.address.text() == address.text())
        return node;
    nodes_.push_back(join_nodes(system_, {address}, caf::actor_cast<caf::actor>(self_)).front());
    return nodes_.back();
  }

  /// The node may have to read the whole model, for its hash.
  ModelCard ask_card(const RemoteNode& node, const std::string& name) {
    ProgressBar bar(fmt::format("asking {} for {}", node.label(), one_line(name)),
                    spec_.shows_progress);
    auto card = ask<ModelCardMessage>(self_, node.agent, spec_.load_limit, model_a_v, name).read();
    if (!card)
      throw RuntimeError(ErrorCode::protocol, error_text(card.error()));
    return *card;
  }

  fs::path keep(const RemoteNode& node, const ModelCard& card) {
    ProgressBar bar(fmt::format("reading what is not weights of {}", one_line(card.name)),
                    spec_.shows_progress);
    auto update = bar.part();
    std::uint64_t total = 0;
    std::uint64_t done = 0;
    for (const auto& file : card.files)
      total += file.head_bytes;
    auto kept = CardCache().get(card, [&](const ModelCard::File& file, std::uint64_t offset) {
      auto piece = ask<FilePieceMessage>(self_, node.agent, piece_limit, piece_a_v, card.hash,
                                         file.name, offset)
                       .read();
      if (!piece)
        throw RuntimeError(ErrorCode::protocol, error_text(piece.error()));
      done += piece->bytes.size();
      update(done, total);
      return std::move(piece->bytes);
    });
    bar.end();
    spdlog::info("{} without weights, as node {} has it: {} bytes read, {} kept from before",
                 one_line(card.name), node.label(), kept.read_bytes, total - kept.read_bytes);
    return kept.path;
  }

  caf::actor_system& system_;
  caf::scoped_actor self_;
  const RunSpec& spec_;
  std::vector<Address> addresses_;
  std::vector<RemoteNode> nodes_;
};

}  // namespace

bool borrows_models(const RunSpec& spec) {
  return !spec.cluster.nodes.empty() && (borrows_model(spec) || borrows_draft(spec));
}

void borrow_models(caf::actor_system& system, RunSpec& spec) {
  Borrower borrower(system, spec);
  bool draft_too = borrows_draft(spec);
  if (borrows_model(spec))
    borrower.borrow(spec.model, spec.model_hash);
  if (draft_too)
    borrower.borrow(spec.draft, spec.draft_hash);
}

}  // namespace flowspec
