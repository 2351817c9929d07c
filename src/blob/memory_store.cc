#include "blob/memory_store.h"

#include <utility>

#include "base/macros.h"
#include "blob/request_check.h"

namespace isotherm {

class MemoryBlobStore::Writer : public BlobWriter {
 public:
  Writer(const Context& context, std::string name, std::shared_ptr<Environment> environment,
         std::shared_ptr<Objects> objects)
      : context_(context), name_(std::move(name)), environment_(std::move(environment)), objects_(std::move(objects)) {}

  Status Append(std::string_view bytes) override {
    RETURN_IF_ERROR(CheckRequest(context_, *environment_->clock, "append", name_));
    bytes_.append(bytes);
    return Status::Ok();
  }

  Result<std::string> Finish() override {
    RETURN_IF_ERROR(CheckRequest(context_, *environment_->clock, "put", name_));
    return objects_->Put(name_, std::move(bytes_), PutCondition::Overwrite());
  }

 private:
  const Context context_;
  const std::string name_;
  const std::shared_ptr<Environment> environment_;
  const std::shared_ptr<Objects> objects_;
  std::string bytes_;
};

MemoryBlobStore::MemoryBlobStore(std::shared_ptr<Environment> environment)
    : environment_(std::move(environment)), objects_(std::make_shared<Objects>()) {}

std::vector<ReadResult> MemoryBlobStore::Read(const Context& context, std::span<const ReadRequest> requests) {
  std::vector<ReadResult> results(requests.size());
  Clock& clock = *environment_->clock;
  // All are asked for at once, though they are looked up one by one.
  const int64_t start_ns = clock.NowNs();
  for (size_t i = 0; i < requests.size(); ++i) {
    results[i].start_ns = start_ns;
    results[i].status = CheckRequest(context, clock, "read", requests[i].name);
    if (results[i].status.ok()) ReadOne(requests[i], results[i]);
    results[i].end_ns = clock.NowNs();
  }
  return results;
}

void MemoryBlobStore::ReadOne(const ReadRequest& request, ReadResult& result) {
  Object object;
  {
    std::lock_guard lock(objects_->mutex);
    auto found = objects_->by_name.find(request.name);
    if (found != objects_->by_name.end()) object = found->second;
  }
  if (object.bytes == nullptr) {
    result.status = Status::NotFound(request.name + ": no such object in memory");
    return;
  }
  if (!request.if_match.empty() && request.if_match != object.etag) {
    result.status = EtagMismatch(request.name, request.if_match, object.etag);
    return;
  }
  if (request.range.has_value()) {
    Result<ByteRange> range = ClipRange(*request.range, object.bytes->size(), request.name);
    result.status = range.status();
    if (!range.ok()) return;
    result.data = object.bytes->substr(range->offset, range->length);
  } else {
    result.data = *object.bytes;
  }
  result.etag = std::move(object.etag);
  result.object_size = object.bytes->size();
}

Result<std::string> MemoryBlobStore::Objects::Put(std::string_view name, std::string bytes,
                                                  const PutCondition& condition) {
  auto content = std::make_shared<const std::string>(std::move(bytes));
  std::lock_guard lock(mutex);
  auto found = by_name.find(name);
  bool exists = found != by_name.end();
  if (condition.mode == PutMode::kIfAbsent && exists) {
    return Status::Conflict(std::string(name) + ": the object exists already");
  }
  if (condition.mode == PutMode::kIfMatch && (!exists || found->second.etag != condition.etag)) {
    return EtagMismatch(name, condition.etag, exists ? found->second.etag : "no object");
  }
  std::string etag = std::to_string(++writes);
  Object object{std::move(content), etag};
  if (exists) {
    found->second = std::move(object);
  } else {
    by_name.emplace(name, std::move(object));
  }
  return etag;
}

Result<std::string> MemoryBlobStore::Put(const Context& context, std::string_view name, std::string_view bytes,
                                         const PutCondition& condition) {
  RETURN_IF_ERROR(CheckRequest(context, *environment_->clock, "put", name));
  return objects_->Put(name, std::string(bytes), condition);
}

Result<std::unique_ptr<BlobWriter>> MemoryBlobStore::CreateWriter(const Context& context, std::string_view name) {
  RETURN_IF_ERROR(CheckRequest(context, *environment_->clock, "put", name));
  return std::unique_ptr<BlobWriter>(std::make_unique<Writer>(context, std::string(name), environment_, objects_));
}

Status MemoryBlobStore::Delete(const Context& context, std::string_view name) {
  RETURN_IF_ERROR(CheckRequest(context, *environment_->clock, "delete", name));
  std::lock_guard lock(objects_->mutex);
  auto found = objects_->by_name.find(name);
  if (found != objects_->by_name.end()) objects_->by_name.erase(found);
  return Status::Ok();
}

Result<ListPage> MemoryBlobStore::List(const Context& context, std::string_view prefix, std::string_view start_after,
                                       size_t limit) {
  RETURN_IF_ERROR(CheckList(context, *environment_->clock, prefix, limit));
  ListPage page;
  std::lock_guard lock(objects_->mutex);
  const auto& names = objects_->by_name;
  auto at = start_after < prefix ? names.lower_bound(prefix) : names.upper_bound(start_after);
  for (; at != names.end() && std::string_view(at->first).starts_with(prefix); ++at) {
    if (page.entries.size() == limit) {
      page.more = true;
      break;
    }
    page.entries.push_back({at->first, at->second.bytes->size()});
  }
  return page;
}

}  // namespace isotherm
