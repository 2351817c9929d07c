// Does to its user what a store and a network may do.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/environment.h"
#include "base/sync.h"
#include "isotherm/blob_store.h"
#include "isotherm/metering.h"

namespace isotherm {

enum class FaultKind : uint8_t {
  kNone,
  kFail,        // the request is not executed; `status` is returned
  kLoseAnswer,  // the request is executed, and its answer lost
  kLate,        // of a put or delete: the answer is lost, and the request is executed later. Of others: kLoseAnswer
  kTruncate,    // only the first `position` bytes come back from a read, or are stored by a put
  kFlipBit,     // the bit `position`, modulo the number of bits, is the other one in what is read or stored
  kStaleRead,   // a whole or ranged read sees the object as it was before the last put or delete made through here
};
inline constexpr int kFaultKinds = 7;

struct Fault {
  FaultKind kind = FaultKind::kNone;
  // What the caller is told by the kinds that tell it of a failure.
  Status status = Status::Unavailable("the answer was lost (injected)");
  uint64_t position = 0;
  // Of kLate: execute it just before the n-th request that follows; 0: only in DeliverLate.
  uint64_t after_requests = 0;
};

// Asked once for every request, in order: `index` counts all requests of the store from 0, each read of a batch by
// itself. `name` is that of the object, or a list's prefix. Called from the requesting threads, several at once.
using FaultHook = std::function<Fault(uint64_t index, RequestKind kind, std::string_view name)>;

// Thread-safe. An object that is written in pieces is one put, at Finish, and is held in memory until then.
class FaultBlobStore : public BlobStore {
 public:
  FaultBlobStore(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> environment, FaultHook hook = nullptr);
  // Late requests that were not delivered never happen.
  ~FaultBlobStore() override;

  void SetHook(FaultHook hook);
  // Executes what is still under way, oldest first; returns how each went.
  std::vector<Status> DeliverLate();
  uint64_t requests() const { return next_index_.load(); }
  // How often a fault of this kind was done to a request on which it has an effect.
  uint64_t hits(FaultKind kind) const { return hits_[static_cast<int>(kind)].load(); }

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override;
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition = {}) override;
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override;
  Status Delete(const Context& context, std::string_view name) override;
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after = {},
                        size_t limit = 1000) override;
  std::string Describe() const override { return store_->Describe(); }

 private:
  class Writer;
  struct Version {
    std::string bytes;
    std::string etag;
  };
  struct LateRequest {
    uint64_t due_index;
    std::function<Status()> execute;
  };

  Fault NextFault(RequestKind kind, std::string_view name);
  void Hit(FaultKind kind) { ++hits_[static_cast<int>(kind)]; }
  void Postpone(const Fault& fault, std::function<Status()> execute);
  void ApplyToRead(const Fault& fault, const ReadRequest& request, ReadResult& result);
  void ReadStale(const ReadRequest& request, ReadResult& result);
  // Puts through, keeping what was there before for stale reads.
  Result<std::string> ExecutePut(const Context& context, const std::string& name, const std::string& bytes,
                                 const PutCondition& condition);
  Status ExecuteDelete(const Context& context, const std::string& name);
  std::optional<Version> CurrentVersion(const std::string& name);

  const std::shared_ptr<BlobStore> store_;
  const std::shared_ptr<Environment> environment_;
  std::atomic<uint64_t> next_index_{0};
  std::atomic<uint64_t> hits_[kFaultKinds] = {};
  Mutex mutex_;
  FaultHook hook_;
  std::vector<LateRequest> late_;
  std::map<std::string, std::optional<Version>> previous_;  // nothing: there was no object
};

}  // namespace isotherm
