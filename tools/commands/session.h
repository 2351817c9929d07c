// How the commands reach collections and stores.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "isotherm/collection.h"
#include "isotherm/stores.h"
#include "tools/commands/flags.h"

namespace isotherm::tool {

Result<std::shared_ptr<BlobStore>> OpenStore(const std::string& uri, const std::string& profile);
Result<std::unique_ptr<Collection>> OpenCollection(const StoreFlags& flags, Options options,
                                                   const Context& context = {});
Result<std::unique_ptr<Collection>> OpenToRead(const StoreFlags& flags, const Context& context = {});

// "latency: …", for whatever prints times or costs.
Result<std::string> ProfileLine(const std::string& profile);

// `text` as a key of a collection with keys of this type.
Result<Key> ParseKey(const std::string& text, KeyType type);
const char* KeyTypeName(KeyType type);  // "int", "string"

int64_t NowNs();

}  // namespace isotherm::tool
