// Writing one immutable object piece by piece.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/macros.h"
#include "isotherm/blob_store.h"
#include "segment/segment_writer.h"

namespace isotherm {

// The failure of a write to an object that no head names: whether it is there makes no difference to anybody, so
// kUnknown, which would promise the caller an outcome, becomes kUnavailable.
inline Status WithoutOutcome(const Status& status) {
  if (status.code() != StatusCode::kUnknown) return status;
  return Status::Unavailable(status.message());
}

// Calls `produce` with a sink for the object's bytes, and publishes it when that returns ok. Nothing is visible
// otherwise.
template <typename T>
Result<T> WriteObject(BlobStore& store, const Context& context, const std::string& name,
                      const std::function<Result<T>(const ByteSink&)>& produce) {
  ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> writer, store.CreateWriter(context, name));
  Result<T> product = produce([&](std::string_view bytes) { return writer->Append(bytes); });
  if (!product.ok()) return product;
  auto finished = writer->Finish();
  if (!finished.ok()) return WithoutOutcome(finished.status());
  return product;
}

}  // namespace isotherm
