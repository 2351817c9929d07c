#include "blob/prefixed_store.h"

#include <utility>

#include "base/macros.h"

namespace isotherm {

PrefixedBlobStore::PrefixedBlobStore(std::shared_ptr<BlobStore> store, std::string prefix)
    : store_(std::move(store)), prefix_(std::move(prefix) + "/") {}

std::string PrefixedBlobStore::Full(std::string_view name) const { return std::string(prefix_).append(name); }

std::vector<ReadResult> PrefixedBlobStore::Read(const Context& context, std::span<const ReadRequest> requests) {
  std::vector<ReadRequest> full(requests.begin(), requests.end());
  for (ReadRequest& request : full) request.name = Full(request.name);
  return store_->Read(context, full);
}

Result<std::string> PrefixedBlobStore::Put(const Context& context, std::string_view name, std::string_view bytes,
                                           const PutCondition& condition) {
  return store_->Put(context, Full(name), bytes, condition);
}

std::vector<PutResult> PrefixedBlobStore::PutAll(const Context& context, std::span<const PutRequest> requests) {
  std::vector<PutRequest> full(requests.begin(), requests.end());
  for (PutRequest& request : full) request.name = Full(request.name);
  return store_->PutAll(context, full);
}

Result<std::unique_ptr<BlobWriter>> PrefixedBlobStore::CreateWriter(const Context& context, std::string_view name) {
  return store_->CreateWriter(context, Full(name));
}

Status PrefixedBlobStore::Delete(const Context& context, std::string_view name) {
  return store_->Delete(context, Full(name));
}

Result<ListPage> PrefixedBlobStore::List(const Context& context, std::string_view prefix, std::string_view start_after,
                                         size_t limit) {
  std::string after = start_after.empty() ? std::string() : Full(start_after);
  ASSIGN_OR_RETURN(ListPage page, store_->List(context, Full(prefix), after, limit));
  for (ListEntry& entry : page.entries) entry.name.erase(0, prefix_.size());
  return page;
}

std::string PrefixedBlobStore::Describe() const {
  std::string text = store_->Describe();
  if (!text.ends_with('/') && !text.ends_with(':')) text.push_back('/');
  return text.append(prefix_, 0, prefix_.size() - 1);
}

}  // namespace isotherm
