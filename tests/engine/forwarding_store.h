// Passes every call on. For decorators that change one or two of them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "isotherm/blob_store.h"

namespace isotherm::testing_support {

class ForwardingStore : public BlobStore {
 public:
  explicit ForwardingStore(std::shared_ptr<BlobStore> store) : store_(std::move(store)) {}

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override {
    return store_->Read(context, requests);
  }
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition = {}) override {
    return store_->Put(context, name, bytes, condition);
  }
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override {
    return store_->CreateWriter(context, name);
  }
  Status Delete(const Context& context, std::string_view name) override { return store_->Delete(context, name); }
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after = {},
                        size_t limit = 1000) override {
    return store_->List(context, prefix, start_after, limit);
  }
  std::string Describe() const override { return store_->Describe(); }

 protected:
  const std::shared_ptr<BlobStore> store_;
};

}  // namespace isotherm::testing_support
