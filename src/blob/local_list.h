// Lists the objects of a local store.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "isotherm/blob_store.h"
#include "isotherm/context.h"
#include "isotherm/status.h"

namespace isotherm {

// As BlobStore::List, of the files below the directory `root`, in which `.tmp` and files whose names no object could
// have don't count. A missing directory has no objects.
Result<ListPage> ListLocalObjects(const Context& context, const Environment& environment, const std::string& root,
                                  std::string_view prefix, std::string_view start_after, size_t limit);

}  // namespace isotherm
