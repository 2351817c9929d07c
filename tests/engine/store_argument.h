// A store as an argument of a program that a test starts: "file|PATH" or
// "s3|ENDPOINT|BUCKET|PREFIX|REGION|ACCESS|SECRET".
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/macros.h"
#include "blob/local_store.h"
#include "blob/retry_store.h"
#include "blob/s3_store.h"
#include "isotherm/status.h"

namespace isotherm::testing_support {

inline std::string StoreArgument(const std::string& directory) { return "file|" + directory; }
inline std::string StoreArgument(const S3Options& options) {
  std::string text = "s3";
  for (const std::string& field :
       {options.endpoint, options.bucket, options.prefix, options.region, options.access_key, options.secret_key}) {
    text.append("|").append(field);
  }
  return text;
}

inline std::vector<std::string> Fields(std::string_view text, char separator) {
  std::vector<std::string> fields{""};
  for (char c : text) {
    if (c == separator) {
      fields.emplace_back();
    } else {
      fields.back().push_back(c);
    }
  }
  return fields;
}

inline Result<std::shared_ptr<BlobStore>> OpenStoreOf(std::string_view argument) {
  std::vector<std::string> fields = Fields(argument, '|');
  std::shared_ptr<Environment> environment = Environment::Default();
  if (fields.size() == 2 && fields[0] == "file") {
    return std::shared_ptr<BlobStore>(std::make_shared<LocalBlobStore>(fields[1], environment));
  }
  if (fields.size() != 7 || fields[0] != "s3") return Status::InvalidArgument(std::string(argument));
  S3Options options;
  options.endpoint = fields[1];
  options.bucket = fields[2];
  options.prefix = fields[3];
  options.region = fields[4];
  options.access_key = fields[5];
  options.secret_key = fields[6];
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenS3Store(options, environment));
  RetryOptions retry;
  retry.unavailable_is_definite = true;
  return std::shared_ptr<BlobStore>(std::make_shared<RetryBlobStore>(std::move(store), environment, retry));
}

}  // namespace isotherm::testing_support
