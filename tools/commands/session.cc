#include "tools/commands/session.h"

#include <charconv>

#include "base/environment.h"
#include "base/macros.h"

namespace isotherm::tool {

Result<std::shared_ptr<BlobStore>> OpenStore(const std::string& uri, const std::string& profile) {
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenBlobStore(uri));
  return SimulateLatency(std::move(store), profile);
}

Result<std::unique_ptr<Collection>> OpenCollection(const StoreFlags& flags, Options options, const Context& context) {
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenStore(flags.uri, flags.profile));
  options.cache_dir = flags.cache_dir;
  return Open(std::move(store), options, context);
}

Result<std::unique_ptr<Collection>> OpenToRead(const StoreFlags& flags, const Context& context) {
  Options options;
  options.read_only = true;
  return OpenCollection(flags, std::move(options), context);
}

Result<std::string> ProfileLine(const std::string& profile) {
  ASSIGN_OR_RETURN(std::string line, DescribeLatency(profile));
  return "latency: " + line;
}

Result<Key> ParseKey(const std::string& text, KeyType type) {
  if (type == KeyType::kString) return Key(text);
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  auto [parsed, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || parsed != end) {
    return Status::InvalidArgument("key '" + text + "': this collection's keys are integers from 0 to 2^64 - 1");
  }
  return Key(number);
}

const char* KeyTypeName(KeyType type) { return type == KeyType::kString ? "string" : "int"; }

int64_t NowNs() { return Environment::Default()->clock->NowNs(); }

}  // namespace isotherm::tool
