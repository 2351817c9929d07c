// A certificate for a test server on loopback, made on the spot: nothing secret lies in the tree, and none expires.
#pragma once

#include <string>

#include "isotherm/status.h"

namespace isotherm {

// Writes a fresh P-256 key and a self-signed certificate for 127.0.0.1, both PEM.
Status WriteLoopbackCertificate(const std::string& certificate_path, const std::string& key_path);

}  // namespace isotherm
