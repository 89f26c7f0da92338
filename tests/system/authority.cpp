#include "tests/system/authority.hpp"

#include <cstdlib>
#include <fstream>

#include <boost/test/unit_test.hpp>

namespace flowspec::test {

namespace {

void openssl(const std::string& command) {
  auto line = "openssl " + command + " >/dev/null 2>&1";
  BOOST_REQUIRE_MESSAGE(std::system(line.c_str()) == 0, "failed: " << line);
}

}  // namespace

Authority::Authority() {
  openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout " + file("ca.key") +
          " -out " + file("ca.pem"));
  sign("own");
}

void Authority::sign(const std::string& name) {
  openssl("req -newkey rsa:2048 -nodes -subj /CN=" + name + " -keyout " + file(name + ".key") +
          " -out " + file(name + ".csr"));
  openssl("x509 -req -days 2 -CAcreateserial -CA " + file("ca.pem") + " -CAkey " + file("ca.key") +
          " -in " + file(name + ".csr") + " -out " + file(name + ".pem"));
}

void Authority::revoke(const std::string& name) {
  std::ofstream(file("index.txt"));
  std::ofstream(file("crlnumber")) << "01\n";
  std::ofstream(file("ca.cnf")) << "[ca]\ndefault_ca = this\n[this]\ndatabase = "
                                << file("index.txt") << "\ncrlnumber = " << file("crlnumber")
                                << "\ndefault_md = sha256\ndefault_crl_days = 2\n";
  auto as_authority =
      "ca -config " + file("ca.cnf") + " -cert " + file("ca.pem") + " -keyfile " + file("ca.key");
  openssl(as_authority + " -revoke " + file(name + ".pem"));
  openssl(as_authority + " -gencrl -out " + file("crl.pem"));
}

Arguments Authority::options(const std::string& name) const {
  return {"--cert", file(name + ".pem"), "--key", file(name + ".key"), "--ca", file("ca.pem")};
}

}  // namespace flowspec::test
