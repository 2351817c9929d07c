// A stateless search node: all it is given is where the collection is. It serves questions (protocol.h) until its input
// ends.
#pragma once

#include <memory>
#include <string>

#include "isotherm/blob_store.h"

namespace cloud_tiered {

struct NodeOptions {
  std::string store;      // URI
  std::string profile;    // latency that is added to it, "none" for a real one
  std::string cache_dir;  // empty: no disk cache
};

// The store with the profile's latency.
std::shared_ptr<isotherm::BlobStore> OpenProfiledStore(const std::string& uri, const std::string& profile);

void RunSearchNode(const NodeOptions& options);

}  // namespace cloud_tiered
