// How the commands reach collections and stores.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "isotherm/collection.h"
#include "isotherm/stores.h"
#include "tools/commands/flags.h"

namespace isotherm::tool {

// Of a command that changes rows and is over soon: compacts when it is told to.
Options OptionsToWrite();

Result<std::shared_ptr<BlobStore>> OpenStore(const std::string& uri, const std::string& profile);
// For writing; `flags.as_of` is not looked at.
Result<std::unique_ptr<Collection>> OpenCollection(const StoreFlags& flags, Options options,
                                                   const Context& context = {});
Result<std::unique_ptr<Collection>> OpenToRead(const StoreFlags& flags, const Context& context = {});
// The same for what takes long: no vacuum removes the version until it is closed, if the store can be written to.
Result<std::unique_ptr<Collection>> OpenToReadAtLength(const StoreFlags& flags);

// Commits, and asks again where the outcome is not known.
Status CommitSettled(Collection& collection);

// "latency: …", for whatever prints times or costs.
Result<std::string> ProfileLine(const std::string& profile);

// `text` as a key of a collection with keys of this type.
Result<Key> ParseKey(const std::string& text, KeyType type);
Result<std::vector<Key>> ParseKeys(const std::vector<std::string>& texts, KeyType type);
const char* KeyTypeName(KeyType type);  // "int", "string"

int64_t NowNs();

}  // namespace isotherm::tool
