// Objects in this process's memory: for tests, and for collections that need not outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/environment.h"
#include "base/sync.h"
#include "isotherm/blob_store.h"

namespace isotherm {

// An etag is the number of the write, so that equal content never has an equal etag. Durable only as long as it lives.
class MemoryBlobStore : public BlobStore {
 public:
  explicit MemoryBlobStore(std::shared_ptr<Environment> environment = Environment::Default());

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override;
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition = {}) override;
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override;
  Status Delete(const Context& context, std::string_view name) override;
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after = {},
                        size_t limit = 1000) override;
  std::string Describe() const override { return "memory:"; }

 private:
  class Writer;
  // Readers copy from `bytes` outside of the lock.
  struct Object {
    std::shared_ptr<const std::string> bytes;
    std::string etag;
  };
  struct Objects {
    Mutex mutex;
    std::map<std::string, Object, std::less<>> by_name;
    uint64_t writes = 0;

    Result<std::string> Put(std::string_view name, std::string bytes, const PutCondition& condition);
  };

  void ReadOne(const ReadRequest& request, ReadResult& result);

  const std::shared_ptr<Environment> environment_;
  const std::shared_ptr<Objects> objects_;  // shared with writers, which may outlive the store
};

}  // namespace isotherm
