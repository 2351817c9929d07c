// Arrow's errors as ours.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include <string>

#include "isotherm/status.h"

namespace isotherm::parquet {

inline Status FromArrow(const arrow::Status& status, const std::string& path) {
  if (status.ok()) return Status::Ok();
  const std::string message = path + ": " + status.message();
  if (status.IsIOError()) return Status::IoError(message);
  if (status.IsOutOfMemory()) return Status::ResourceExhausted(message);
  return Status::InvalidArgument(message);
}

}  // namespace isotherm::parquet
