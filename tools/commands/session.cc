#include "tools/commands/session.h"

#include <charconv>

#include "base/environment.h"
#include "base/macros.h"

namespace isotherm::tool {

namespace {

Result<std::unique_ptr<Collection>> OpenReader(const StoreFlags& flags, int64_t lease_ms, const Context& context) {
  Options options;
  options.read_only = true;
  options.lease_ms = lease_ms;
  if (flags.as_of.empty()) return OpenCollection(flags, std::move(options), context);
  ASSIGN_OR_RETURN(Moment moment, ParseMoment(flags.as_of));
  options.as_of_version = moment.version;
  options.as_of_ms = moment.ms;
  auto collection = OpenCollection(flags, std::move(options), context);
  if (collection.ok()) return collection;
  return collection.status().WithContext("as of " + flags.as_of);
}

}  // namespace

Options OptionsToWrite() {
  Options options;
  options.background_compaction = false;
  return options;
}

Result<std::shared_ptr<BlobStore>> OpenStore(const std::string& uri, const std::string& profile) {
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenBlobStore(uri));
  return SimulateLatency(std::move(store), profile);
}

Result<std::unique_ptr<Collection>> OpenCollection(const StoreFlags& flags, Options options, const Context& context) {
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenStore(flags.uri, flags.profile));
  options.cache_dir = flags.cache_dir;
  options.branch = flags.branch;
  // A command that failed leaves nothing half-done to be committed behind its back.
  options.commit_on_close = false;
  auto collection = Open(std::move(store), options, context);
  if (flags.branch.empty() || collection.ok()) return collection;
  return collection.status().WithContext("branch '" + flags.branch + "'");
}

Result<std::unique_ptr<Collection>> OpenToRead(const StoreFlags& flags, const Context& context) {
  return OpenReader(flags, 0, context);
}

Result<std::unique_ptr<Collection>> OpenToReadAtLength(const StoreFlags& flags) {
  constexpr int64_t kLeaseMs = 24 * 60 * 60 * 1000;  // if it is killed, and can't end the lease
  auto leased = OpenReader(flags, kLeaseMs, {});
  // Refused where nothing may be written, and of a version that is the branch's that this one came from.
  return leased.ok() ? std::move(leased) : OpenReader(flags, 0, {});
}

Status CommitSettled(Collection& collection) {
  constexpr int kAttempts = 5;
  Status status = collection.Commit();
  for (int attempt = 1; status.code() == StatusCode::kUnknown && attempt < kAttempts; ++attempt) {
    status = collection.Commit();
  }
  return status;
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

Result<std::vector<Key>> ParseKeys(const std::vector<std::string>& texts, KeyType type) {
  std::vector<Key> keys;
  keys.reserve(texts.size());
  for (const std::string& text : texts) {
    ASSIGN_OR_RETURN(Key key, ParseKey(text, type));
    keys.push_back(std::move(key));
  }
  return keys;
}

const char* KeyTypeName(KeyType type) { return type == KeyType::kString ? "string" : "int"; }

int64_t NowNs() { return Environment::Default()->clock->NowNs(); }

}  // namespace isotherm::tool
