#include "runtime/membership/membership.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "actors/cluster/wire/secret.hpp"
#include "actors/cluster/wire/wire_error.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/read_file.hpp"
#include "runtime/membership/files.hpp"
#include "runtime/membership/revocation.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* ca_file = "ca.pem";
constexpr const char* ca_key_file = "ca.key";
constexpr const char* member_file = "member.pem";
constexpr const char* crl_file = "crl.pem";
constexpr const char* book_file = "members.json";
/// Of the authority, and of its revocation lists: longer than machines live.
constexpr Seconds authority_validity = 20 * 365 * day;
/// Clocks of machines differ.
constexpr Seconds clock_tolerance = 60 * 60;
constexpr std::size_t most_file = std::size_t{16} << 20U;

Validity from(Seconds now, Seconds length) {
  return {now - clock_tolerance, now + length};
}

Member member_of(const std::string& certificate) {
  auto facts = facts_of(certificate);
  facts.validity.since += clock_tolerance;  // when it was made
  return {facts.name, facts.serial, facts.validity, std::nullopt, false, facts.is_owner};
}

}  // namespace

/// What the owner knows.
struct Membership::Book {
  std::vector<Member> members;
  /// Counts the revocation lists.
  std::uint64_t lists = 0;

  /// The certificate that counts.
  Member* find(const std::string& name) {
    auto found = std::ranges::find_if(members, [&](const Member& member) {
      return member.name == name && !member.removed && !member.is_replaced;
    });
    return found == members.end() ? nullptr : &*found;
  }

  std::string names() const {
    std::string text;
    for (const Member& member : members)
      if (!member.removed && !member.is_replaced)
        text += (text.empty() ? "" : ", ") + member.name;
    return text;
  }

  std::string text() const {
    auto list = Json::array();
    for (const Member& member : members) {
      Json json{{"name", member.name},
                {"serial", member.serial},
                {"since", member.validity.since},
                {"until", member.validity.until}};
      if (member.removed)
        json["removed"] = *member.removed;
      if (member.is_replaced)
        json["replaced"] = true;
      if (member.is_owner)
        json["owner"] = true;
      list.push_back(std::move(json));
    }
    return Json{{"revocation_lists", lists}, {"members", list}}.dump(1) + "\n";
  }
};

fs::path cluster_folder() {
  try {
    return user_secret_path().parent_path() / "cluster";
  } catch (const WireError&) {
    throw RuntimeError("this user has no home folder to keep a membership in: set HOME");
  }
}

Membership::Membership(fs::path folder) : folder_(std::move(folder)) {}

bool Membership::exists() const {
  std::error_code error;
  return fs::exists(folder_ / member_file, error);
}

bool Membership::is_owner() const {
  std::error_code error;
  return fs::exists(folder_ / ca_key_file, error);
}

void Membership::check_exists() const {
  if (!exists())
    throw RuntimeError(fmt::format(
        "this user belongs to no cluster ({} is not there): make one by `flowspec cluster "
        "init`, or join one by the line that `flowspec cluster invite` prints elsewhere",
        one_line((folder_ / member_file).string())));
}

void Membership::check_owner(const char* what) const {
  check_exists();
  if (!is_owner())
    throw RuntimeError(fmt::format(
        "only the machine that made the cluster has the authority's key, and can {}", what));
}

std::string Membership::read(const char* name) const {
  auto file = folder_ / name;
  struct stat status {};
  // As for the keys that options name: a group may read them.
  if (::stat(file.c_str(), &status) == 0 && (status.st_mode & (S_IWGRP | S_IRWXO)) != 0)
    throw RuntimeError(fmt::format("{}: others may read or write it. Say chmod 600 {}",
                                   one_line(file.string()), one_line(file.string())));
  return read_file(file, "membership file", most_file);
}

Identity Membership::authority_identity() const {
  return {read(ca_file), read(ca_key_file)};
}

Membership::Book Membership::read_book() const {
  Book book;
  try {
    auto json = Json::parse(read(book_file));
    book.lists = json.at("revocation_lists").get<std::uint64_t>();
    for (const auto& entry : json.at("members")) {
      Member member{entry.at("name"),
                    entry.at("serial"),
                    {entry.at("since"), entry.at("until")},
                    {},
                    entry.value("replaced", false),
                    entry.value("owner", false)};
      if (entry.contains("removed"))
        member.removed = entry.at("removed").get<Seconds>();
      book.members.push_back(std::move(member));
    }
  } catch (const Json::exception& e) {
    throw RuntimeError(fmt::format("{}: is no list of members: {}",
                                   one_line((folder_ / book_file).string()), one_line(e.what())));
  }
  return book;
}

void Membership::write_book(const Book& book) const {
  write_private(folder_ / book_file, book.text());
}

void Membership::init(const std::string& name, Seconds now, Seconds validity) {
  check_member_name(name);
  auto authority = make_authority(from(now, authority_validity));
  Identity own;
  own.key = make_key();
  own.certificate = sign(authority, make_request(own.key, name), {name, from(now, validity), true});
  Book book{{member_of(own.certificate)}, 1};
  auto list = make_revocation_list(authority, {}, book.lists, from(now, authority_validity));
  if (!make_private_folder(folder_, {{ca_file, authority.certificate},
                                     {ca_key_file, authority.key},
                                     {member_file, own.certificate + own.key},
                                     {crl_file, list},
                                     {book_file, book.text()}}))
    throw RuntimeError(
        fmt::format("this user belongs to a cluster already, in {}. To leave it for good, move "
                    "that folder away",
                    one_line(folder_.string())));
}

TlsFiles Membership::files() const {
  auto path = [&](const char* name) { return (folder_ / name).string(); };
  return {path(member_file), path(member_file), path(ca_file), path(crl_file)};
}

std::string Membership::authority() const {
  check_exists();
  return read(ca_file);
}

std::string Membership::revocation_list() const {
  check_exists();
  return read(crl_file);
}

Identity Membership::own_identity() const {
  check_exists();
  auto both = read(member_file);
  return {both, both};
}

CertificateFacts Membership::own() const {
  auto identity = own_identity();
  try {
    return facts_of(identity.certificate);
  } catch (const RuntimeError& e) {
    throw RuntimeError(fmt::format("{}: {}", one_line((folder_ / member_file).string()), e.what()));
  }
}

std::vector<Member> Membership::members() const {
  check_exists();
  return is_owner() ? read_book().members
                    : std::vector<Member>{member_of(own_identity().certificate)};
}

void Membership::check_member(const std::string& name) const {
  check_owner("invite");
  auto book = read_book();
  if (book.find(name) == nullptr)
    throw RuntimeError(
        fmt::format("there is no member \"{}\"; there are {}", one_line(name), book.names()));
}

JoinAnswer Membership::admit(const JoinRequest& request, const std::string& renewed, Seconds now,
                             Seconds validity) {
  check_owner("admit members");
  check_member_name(request.name);
  FolderLock lock(folder_);
  auto book = read_book();
  auto* standing = book.find(request.name);
  if (!renewed.empty() && request.name != renewed)
    throw RuntimeError(fmt::format("this invitation renews the certificate of {}, not of {}",
                                   renewed, request.name));
  if (!renewed.empty() && standing == nullptr)
    throw RuntimeError(fmt::format("{} is no member any more", renewed));
  if (renewed.empty() && standing != nullptr)
    throw RuntimeError(
        fmt::format("there is a member {} already: take another name by --name, or "
                    "ask for `flowspec cluster invite --renew {}` if it is this one",
                    request.name, request.name));
  auto authority = authority_identity();
  JoinAnswer answer;
  answer.certificate = sign(authority, request.request, {request.name, from(now, validity), false});
  answer.authority = authority.certificate;
  answer.revocation_list = read(crl_file);
  if (standing != nullptr)
    standing->is_replaced = true;
  book.members.push_back(member_of(answer.certificate));
  write_book(book);
  return answer;
}

void Membership::remove(const std::string& name, Seconds now) {
  check_owner("remove members");
  FolderLock lock(folder_);
  auto book = read_book();
  auto* standing = book.find(name);
  if (standing == nullptr) {
    bool was_one = std::ranges::find(book.members, name, &Member::name) != book.members.end();
    throw RuntimeError(was_one ? fmt::format("{} has been removed already", one_line(name))
                               : fmt::format("there is no member \"{}\"; there are {}",
                                             one_line(name), book.names()));
  }
  if (standing->is_owner)
    throw RuntimeError(
        fmt::format("{} is this machine, which has the authority's key: it cannot be removed. To "
                    "end the cluster, "
                    "move {} away",
                    name, one_line(folder_.string())));
  std::vector<Revoked> revoked;
  for (Member& member : book.members) {
    if (member.name == name && !member.removed)
      member.removed = now;
    if (member.removed)
      revoked.push_back({member.serial, *member.removed});
  }
  ++book.lists;
  // The list of members last: if anything fails, `remove` can be said again.
  write_private(folder_ / crl_file, make_revocation_list(authority_identity(), revoked, book.lists,
                                                         from(now, authority_validity)));
  write_book(book);
}

void Membership::renew_owner(Seconds now) {
  check_owner(
      "renew its certificate by itself. Elsewhere a member is renewed by the line that "
      "`flowspec cluster invite --renew NAME` prints there");
  FolderLock lock(folder_);
  auto book = read_book();
  auto old = own();
  Identity fresh;
  fresh.key = make_key();
  fresh.certificate = sign(authority_identity(), make_request(fresh.key, old.name),
                           {old.name, from(now, member_validity), true});
  if (auto* standing = book.find(old.name))
    standing->is_replaced = true;
  book.members.push_back(member_of(fresh.certificate));
  write_private(folder_ / member_file, fresh.certificate + fresh.key);
  write_book(book);
}

void Membership::accept(const JoinAnswer& answer, const std::string& key, Seconds now) {
  Identity own{answer.certificate, key};
  if (auto problem = identity_problem(own, answer.authority, now); !problem.empty())
    throw RuntimeError(
        ErrorCode::protocol,
        fmt::format("the certificate that was given is not good: {}. The inviter has "
                    "admitted this member: ask it for `flowspec cluster invite "
                    "--renew NAME` once that is mended",
                    problem));
  revocation_number(answer.revocation_list, answer.authority);
  if (!exists()) {
    if (make_private_folder(folder_, {{ca_file, answer.authority},
                                      {member_file, answer.certificate + key},
                                      {crl_file, answer.revocation_list}}))
      return;
    throw RuntimeError(fmt::format("{} has files of something else: move it away, and join again",
                                   one_line(folder_.string())));
  }
  FolderLock lock(folder_);
  write_private(folder_ / member_file, answer.certificate + key);
  write_private(folder_ / crl_file, answer.revocation_list);
}

bool Membership::sync(const std::string& revocation_list) {
  check_exists();
  FolderLock lock(folder_);
  auto ca = authority();
  auto newer = revocation_number(revocation_list, ca);
  auto standing = revocation_number(read(crl_file), ca);
  if (newer < standing)
    throw RuntimeError(fmt::format(
        "this revocation list is number {}, older than number {}, which stands", newer, standing));
  if (newer == standing)
    return false;
  write_private(folder_ / crl_file, revocation_list);
  return true;
}

}  // namespace flowspec
