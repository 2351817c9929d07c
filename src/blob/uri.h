// Stores by their address.
//
//   memory:                        a new, empty store of its own
//   memory:NAME                    one store for all who open this name with the same NamedMemoryStores
//   file:///absolute/path          a directory of this machine
//   path, ./path, /path            the same; taken as it stands
//   s3://bucket[/prefix][?endpoint=URL&region=NAME&addressing=auto|path|virtual-host&ca_file=PATH]
//
// In the forms with a scheme %XX stands for a byte; in a path before '?', '%' and '?' must be written so.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "base/sync.h"
#include "isotherm/blob_store.h"
#include "isotherm/status.h"

namespace isotherm {

struct StoreUri {
  std::string scheme;  // "memory", "file" or "s3", lower-case
  std::string bucket;  // of s3
  std::string path;    // the name, the file's path, the prefix; decoded, without '/' at a prefix's ends
  std::map<std::string, std::string> options;
};

// kInvalidArgument says what is wrong with which part: an unknown scheme, %-encoding that is none, a missing bucket, …
// Which options there are is checked by OpenStore.
Result<StoreUri> ParseStoreUri(std::string_view text);

// Who shares memory stores. Thread-safe. A store lives as long as this does, so that it can be opened again.
class NamedMemoryStores {
 public:
  std::shared_ptr<BlobStore> Open(const std::string& name, const std::shared_ptr<Environment>& environment);

 private:
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<BlobStore>> stores_;
};

struct StoreOptions {
  std::shared_ptr<NamedMemoryStores> memory_stores;  // null: a name of a memory store is kInvalidArgument
};

// Sends nothing and creates nothing: a missing bucket or directory shows at the first use. Requests to S3 are repeated
// on failures that may pass.
Result<std::shared_ptr<BlobStore>> OpenStore(std::string_view uri, std::shared_ptr<Environment> environment,
                                             const StoreOptions& options = {});

}  // namespace isotherm
