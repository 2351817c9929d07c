// Leases: objects that keep a version from being removed.
#include "engine/leases.h"

#include "base/macros.h"
#include "engine/collection_impl.h"
#include "engine/history.h"
#include "engine/object_writer.h"

namespace isotherm {

// Whoever wants a version to stay writes a lease first and then reads the head: if a vacuum begins later, it sees the
// lease, and if it began before, the head tells. It may tell of a vacuum that spared the version for the sake of the
// lease that is to be replaced. As long as that one is there, every vacuum that looked at leases before there was the
// new one has seen the old one and found that it holds.
Result<std::string> CollectionImpl::TakeLease(const std::string& branch, uint64_t version, int64_t duration_ms,
                                              const std::string& held, const Context& context) {
  std::string name = kLeasePrefix + NonceHex(MakeNonce(*path_->env->random));
  Lease lease{branch, version, path_->env->clock->WallMs() + duration_ms};
  auto put = path_->store->Put(context, name, EncodeLease(lease));
  Status status = WithoutOutcome(put.status());
  if (status.ok()) status = CheckLeased(branch, version, held, context);
  if (status.ok()) return name;
  RemoveLease(name);
  return status;
}

Status CollectionImpl::CheckLeased(const std::string& branch, uint64_t version, const std::string& held,
                                   const Context& context) {
  std::vector<ReadRequest> requests{{BranchPrefix(branch) + kHeadObject, {}, {}}};
  if (!held.empty()) requests.push_back({held, {}, {}});
  std::vector<ReadResult> reads = path_->store->Read(context, requests);
  auto head = reads[0].status.ok() ? DecodeHead(reads[0].data) : Result<Head>(reads[0].status);
  if (head.ok() && version < head->erasure.oldest_version) {
    return Status::NotFound("version " + std::to_string(version) + " holds rows that are being erased");
  }
  if (!held.empty() && reads[1].status.ok()) return Status::Ok();
  RETURN_IF_ERROR(reads[0].status);
  RETURN_IF_ERROR(head.status().WithContext(requests[0].name));
  if (head->oldest_version <= version) return Status::Ok();
  return Status::NotFound("version " + std::to_string(version) + " was removed by a vacuum; the oldest one is " +
                          std::to_string(head->oldest_version));
}

// Also when the caller gave up: as long as the store tries. If this fails, it lapses.
void CollectionImpl::RemoveLease(const std::string& name) {
  if (!name.empty()) RemoveObjects({name}, {});
}

Status CollectionImpl::BeginLease(const Context& context) {
  if (options_.lease_ms <= 0) return Status::Ok();
  const int64_t now_ms = path_->env->clock->WallMs();
  RETURN_IF_ERROR(ReplaceLease(context));
  lease_.EndRenewal(now_ms);
  return Status::Ok();
}

Status CollectionImpl::ReplaceLease(const Context& context) {
  const bool newest = options_.as_of_version == 0 && options_.as_of_ms == 0;
  while (true) {
    const uint64_t version = snapshot()->head.version;
    auto lease = TakeLease(branch_, version, options_.lease_ms, lease_.Of(version), context);
    if (lease.ok()) {
      std::string before = lease_.name();
      lease_.Hold(*lease, version);
      RemoveLease(before);
      return Status::Ok();
    }
    // A vacuum may have removed the version since it was loaded, or since the lease before lapsed.
    if (lease.status().code() != StatusCode::kNotFound || !newest) return lease.status();
    RETURN_IF_ERROR(Refresh(context));
    if (snapshot()->head.version == version) return lease.status();
  }
}

// At a third of its time; by whoever comes first.
void CollectionImpl::RenewLease() {
  if (options_.lease_ms <= 0) return;
  const int64_t now_ms = path_->env->clock->WallMs();
  if (!lease_.BeginRenewal(now_ms, options_.lease_ms / 3)) return;
  background_.Start([this, now_ms](const Context& context) {
    Status renewed = ReplaceLease(context);
    // A version that is gone does not come back: reads of it fail as far as they need what is no longer there.
    const bool tried = renewed.ok() || renewed.code() == StatusCode::kNotFound;
    lease_.EndRenewal(tried ? now_ms : 0);
  });
}

}  // namespace isotherm
