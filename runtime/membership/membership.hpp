#pragma once
/// The cluster that this user belongs to, in the user's configuration folder:
///
///   cluster/ca.pem         the authority's certificate
///   cluster/member.pem     this member's key and certificate, in one file so that they always fit
///   cluster/crl.pem        the certificates that count no more
///   cluster/ca.key         only where the cluster was made: the authority's key
///   cluster/members.json   only there: whom it has given certificates

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "actors/cluster/wire/tls.hpp"
#include "runtime/membership/certificates.hpp"
#include "runtime/membership/join_messages.hpp"

namespace flowspec {

/// One certificate, and whose it is.
struct Member {
  std::string name;
  std::string serial;
  Validity validity;
  std::optional<Seconds> removed;
  /// The member has a newer certificate.
  bool is_replaced = false;
  bool is_owner = false;

  bool operator==(const Member&) const = default;
};

inline constexpr Seconds day = 24 * 60 * 60;
/// How long a member's certificate is good.
inline constexpr Seconds member_validity = 730 * day;
/// So long before the end, users are told.
inline constexpr Seconds renewal_time = 30 * day;

/// `flowspec/cluster`, next to the user's secret. Throws RuntimeError if the user has no home folder.
std::filesystem::path cluster_folder();

/// All functions that read or write throw RuntimeError, which names the file and what to do.
class Membership {
 public:
  explicit Membership(std::filesystem::path folder = cluster_folder());

  const std::filesystem::path& folder() const { return folder_; }
  bool exists() const;
  /// Whether this is where the cluster was made.
  bool is_owner() const;

  /// Makes a cluster with one member, this one.
  void init(const std::string& name, Seconds now, Seconds validity = member_validity);

  /// For programs.
  TlsFiles files() const;
  std::string authority() const;
  std::string revocation_list() const;
  /// This member's.
  CertificateFacts own() const;
  Identity own_identity() const;

  /// The owner's list, in the order of admission; elsewhere only this member.
  std::vector<Member> members() const;

  /// What a newcomer gets. With `renewed`, only that member is served, and gets a new certificate.
  /// Throws RuntimeError if the name is taken, or the request unfit.
  JoinAnswer admit(const JoinRequest& request, const std::string& renewed, Seconds now,
                   Seconds validity = member_validity);
  /// Throws RuntimeError unless a member has this name: before somebody is invited to renew.
  void check_member(const std::string& name) const;
  /// The member's certificates count no more.
  void remove(const std::string& name, Seconds now);
  /// A new certificate for the owner.
  void renew_owner(Seconds now);

  /// Takes what an inviter has given, for this key. In the same cluster, it replaces the old one.
  void accept(const JoinAnswer& answer, const std::string& key, Seconds now);
  /// Takes a newer revocation list. False if it is the one that stands.
  bool sync(const std::string& revocation_list);

 private:
  struct Book;

  std::string read(const char* name) const;
  Identity authority_identity() const;
  Book read_book() const;
  void write_book(const Book& book) const;
  void check_exists() const;
  void check_owner(const char* what) const;

  std::filesystem::path folder_;
};

}  // namespace flowspec
