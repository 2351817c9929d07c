// A part of another store, as a store of its own.
#pragma once

#include <memory>
#include <string>

#include "isotherm/blob_store.h"

namespace isotherm {

// The object "a" is "<prefix>/a" in `store`. The prefix is a valid object name.
class PrefixedBlobStore : public BlobStore {
 public:
  PrefixedBlobStore(std::shared_ptr<BlobStore> store, std::string prefix);

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override;
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition = {}) override;
  std::vector<PutResult> PutAll(const Context& context, std::span<const PutRequest> requests) override;
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override;
  Status Delete(const Context& context, std::string_view name) override;
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after = {},
                        size_t limit = 1000) override;
  std::string Describe() const override;

 private:
  std::string Full(std::string_view name) const;

  const std::shared_ptr<BlobStore> store_;
  const std::string prefix_;  // with '/' behind it
};

}  // namespace isotherm
