// Leases: objects that keep a version from being removed.
#include "base/macros.h"
#include "engine/collection_impl.h"
#include "engine/history.h"
#include "engine/object_writer.h"

namespace isotherm {

// Whoever wants a version to stay writes a lease first and then reads the head: if a vacuum begins later, it sees the
// lease, and if it began before, the head tells.
Result<std::string> CollectionImpl::TakeLease(const std::string& branch, uint64_t version, int64_t duration_ms,
                                              const Context& context) {
  std::string name = kLeasePrefix + NonceHex(MakeNonce(*path_->env->random));
  Lease lease{branch, version, path_->env->clock->WallMs() + duration_ms};
  auto put = path_->store->Put(context, name, EncodeLease(lease));
  RETURN_IF_ERROR(WithoutOutcome(put.status()));
  CommitLog log(path_->store, path_->env, BranchPrefix(branch));
  auto head = log.Load(context);
  Status status = head.status();
  if (status.ok() && head->head.oldest_version > version) {
    status = Status::NotFound("version " + std::to_string(version) + " was removed by a vacuum; the oldest one is " +
                              std::to_string(head->head.oldest_version));
  }
  if (status.ok()) return name;
  RemoveObjects({name}, context);
  return status;
}

Status CollectionImpl::BeginLease(const Context& context) {
  if (options_.lease_ms <= 0) return Status::Ok();
  // A vacuum may have removed the version since it was loaded.
  while (true) {
    auto lease = TakeLease(branch_, snapshot()->head.version, options_.lease_ms, context);
    if (lease.ok()) {
      lease_ = *lease;
      lease_renewed_ms_.store(path_->env->clock->WallMs());
      return Status::Ok();
    }
    bool newest = options_.as_of_version == 0 && options_.as_of_ms == 0;
    if (lease.status().code() != StatusCode::kNotFound || !newest) return lease.status();
    RETURN_IF_ERROR(Refresh(context));
  }
}

// At a third of its time; by whoever comes first.
void CollectionImpl::RenewLease() const {
  if (lease_.empty()) return;
  int64_t now_ms = path_->env->clock->WallMs();
  int64_t renewed_ms = lease_renewed_ms_.load();
  if (now_ms - renewed_ms < options_.lease_ms / 3) return;
  if (!lease_renewed_ms_.compare_exchange_strong(renewed_ms, now_ms)) return;
  background_.Start([this, now_ms](const Context& context) {
    Lease lease{branch_, snapshot()->head.version, now_ms + options_.lease_ms};
    auto head = CommitLog(path_->store, path_->env, path_->branch_prefix).Load(context);
    // What holds rows that are to be erased is held no longer than was said.
    if (head.ok() && lease.version < head->head.erasure.oldest_version) return;
    Status renewed = head.ok() ? path_->store->Put(context, lease_, EncodeLease(lease)).status() : head.status();
    if (!renewed.ok()) lease_renewed_ms_.store(0);  // the next call tries again
  });
}

}  // namespace isotherm
