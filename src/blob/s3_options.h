// What OpenS3Store was given, completed from the environment variables, checked, and made into the address of a bucket.
#pragma once

#include <string>

#include "blob/s3_store.h"
#include "isotherm/status.h"

namespace isotherm {

// Every field that S3Options' comments promise is filled in and valid.
Result<S3Options> ResolveS3Options(S3Options options);

struct S3Address {
  std::string scheme;       // "https"
  std::string host;         // of the Host header: with the bucket for virtual-host style, with a port unless default
  std::string path_prefix;  // "/bucket" for path style, else empty
};

// Of resolved options.
Result<S3Address> AddressOf(const S3Options& options);

}  // namespace isotherm
