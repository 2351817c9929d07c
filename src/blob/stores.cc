#include "isotherm/stores.h"

#include "base/environment.h"
#include "base/macros.h"
#include "blob/latency_store.h"
#include "blob/uri.h"

namespace isotherm {

namespace {

Result<LatencyProfile> FindProfile(std::string_view name) {
  if (name == "s3") return LatencyProfile::S3();
  if (name == "fixed20") return LatencyProfile::Fixed(std::chrono::milliseconds(20));
  return Status::InvalidArgument("unknown latency profile '" + std::string(name) + "': s3, fixed20 or none");
}

std::shared_ptr<Environment> OrDefault(std::shared_ptr<Environment> env) {
  return env != nullptr ? std::move(env) : Environment::Default();
}

}  // namespace

Result<std::shared_ptr<BlobStore>> OpenBlobStore(std::string_view uri, std::shared_ptr<Environment> env) {
  return OpenStore(uri, OrDefault(std::move(env)));
}

Result<std::shared_ptr<BlobStore>> SimulateLatency(std::shared_ptr<BlobStore> store, std::string_view profile,
                                                   uint64_t seed, std::shared_ptr<Environment> env) {
  if (profile == "none") return store;
  env = OrDefault(std::move(env));
  LatencyOptions options;
  ASSIGN_OR_RETURN(options.profile, FindProfile(profile));
  options.seed = seed != 0 ? seed : env->random->Next();
  return std::shared_ptr<BlobStore>(std::make_shared<LatencyBlobStore>(std::move(store), env, options));
}

Result<std::string> DescribeLatency(std::string_view profile) {
  if (profile == "none") return std::string("none: the store's own times");
  ASSIGN_OR_RETURN(LatencyProfile found, FindProfile(profile));
  return found.Describe();
}

}  // namespace isotherm
