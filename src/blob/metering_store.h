// Counts what a store is asked.
#pragma once

#include <memory>
#include <string>

#include "base/environment.h"
#include "isotherm/blob_store.h"
#include "isotherm/metering.h"
#include "isotherm/metrics.h"

namespace isotherm {

// Adds a record of every request to `meter` and to the context's meter, the failed ones too: each read of a batch with
// the times of its own result, a put with those of the call. An object that is written in pieces counts as one put, of
// all its bytes, that lasts from Finish's begin to its end.
class MeteringBlobStore : public BlobStore {
 public:
  // `meter` may be null and must outlive the store; `metrics` may be null. The environment's clock must be the one that
  // `store` uses.
  MeteringBlobStore(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> environment, Meter* meter = nullptr,
                    std::shared_ptr<Metrics> metrics = nullptr);

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override;
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition = {}) override;
  std::vector<PutResult> PutAll(const Context& context, std::span<const PutRequest> requests) override;
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override;
  Status Delete(const Context& context, std::string_view name) override;
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after = {},
                        size_t limit = 1000) override;
  std::string Describe() const override { return store_->Describe(); }

 private:
  class Writer;
  // Where a request is recorded beside its own call's meter.
  struct Records {
    Meter* meter;
    std::shared_ptr<Metrics> metrics;
    void Add(const RequestRecord& record, Meter* callers) const;
  };

  const std::shared_ptr<BlobStore> store_;
  const std::shared_ptr<Environment> environment_;
  const Records records_;
};

}  // namespace isotherm
