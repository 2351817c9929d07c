// What every store checks before it does anything.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/environment.h"
#include "isotherm/blob_store.h"
#include "isotherm/context.h"
#include "isotherm/status.h"

namespace isotherm {

// Whether the name is valid and the call is still wanted. `operation` is for the message: "read", "put", …
Status CheckRequest(const Context& context, Clock& clock, std::string_view operation, std::string_view name);

// The same for List.
Status CheckList(const Context& context, Clock& clock, std::string_view prefix, size_t limit);

// The part of `range` that an object of this size has; kInvalidArgument when there is none.
Result<ByteRange> ClipRange(const ByteRange& range, uint64_t object_size, std::string_view name);

// The kConflict of a read or put whose expected etag is not the object's.
Status EtagMismatch(std::string_view name, std::string_view expected, std::string_view actual);

// Of these the contract of Put says that it may have happened.
bool MayHaveHappened(StatusCode code);

}  // namespace isotherm
