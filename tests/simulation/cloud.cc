#include "tests/simulation/cloud.h"

#include <utility>

#include "blob/content_etag.h"
#include "blob/request_check.h"

namespace isotherm::simulation {

Result<std::string> Cloud::Put(uint64_t client, const std::string& name, std::shared_ptr<const std::string> bytes,
                               const PutCondition& condition) {
  auto found = objects_.find(name);
  bool exists = found != objects_.end();
  if (condition.mode == PutMode::kIfAbsent && exists) return Status::Conflict(name + ": the object exists already");
  if (condition.mode == PutMode::kIfMatch && (!exists || found->second.etag != condition.etag)) {
    return EtagMismatch(name, condition.etag, exists ? found->second.etag : "no object");
  }
  ++writes_;
  std::string etag = etags_by_content_ ? ContentEtag(*bytes) : std::to_string(writes_);
  objects_[name] = {std::move(bytes), etag, writes_};
  if (hook_) hook_(client, name, /*deleted=*/false);
  return etag;
}

void Cloud::Delete(uint64_t client, const std::string& name) {
  if (objects_.erase(name) > 0 && hook_) hook_(client, name, /*deleted=*/true);
}

void ReadFrom(const Cloud::Objects& objects, const ReadRequest& request, ReadResult& result) {
  auto found = objects.find(request.name);
  if (found == objects.end()) {
    result.status = Status::NotFound(request.name + ": no such object");
    return;
  }
  const Cloud::Object& object = found->second;
  if (!request.if_match.empty() && request.if_match != object.etag) {
    result.status = EtagMismatch(request.name, request.if_match, object.etag);
    return;
  }
  ByteRange range{0, object.bytes->size()};
  if (request.range.has_value()) {
    auto clipped = ClipRange(*request.range, object.bytes->size(), request.name);
    result.status = clipped.status();
    if (!clipped.ok()) return;
    range = *clipped;
  }
  result.data = object.bytes->substr(range.offset, range.length);
  result.etag = object.etag;
  result.object_size = object.bytes->size();
}

ListPage ListOf(const Cloud::Objects& objects, std::string_view prefix, std::string_view start_after, size_t limit) {
  ListPage page;
  auto at = start_after < prefix ? objects.lower_bound(prefix) : objects.upper_bound(start_after);
  for (; at != objects.end() && std::string_view(at->first).starts_with(prefix); ++at) {
    if (page.entries.size() == limit) {
      page.more = true;
      break;
    }
    page.entries.push_back({at->first, at->second.bytes->size()});
  }
  return page;
}

namespace {

class ReadOnlyView : public BlobStore {
 public:
  explicit ReadOnlyView(const Cloud::Objects& objects) : objects_(objects) {}

  std::vector<ReadResult> Read(const Context&, std::span<const ReadRequest> requests) override {
    std::vector<ReadResult> results(requests.size());
    for (size_t i = 0; i < requests.size(); ++i) ReadFrom(objects_, requests[i], results[i]);
    return results;
  }
  Result<std::string> Put(const Context&, std::string_view name, std::string_view, const PutCondition&) override {
    return Refuse(name);
  }
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context&, std::string_view name) override {
    return Refuse(name);
  }
  Status Delete(const Context&, std::string_view name) override { return Refuse(name); }
  Result<ListPage> List(const Context&, std::string_view prefix, std::string_view start_after, size_t limit) override {
    return ListOf(objects_, prefix, start_after, limit);
  }
  std::string Describe() const override { return "view:"; }

 private:
  static Status Refuse(std::string_view name) { return Status::Internal("a reader wrote to " + std::string(name)); }

  const Cloud::Objects& objects_;
};

}  // namespace

std::shared_ptr<BlobStore> MakeReadOnlyView(const Cloud::Objects& objects) {
  return std::make_shared<ReadOnlyView>(objects);
}

}  // namespace isotherm::simulation
