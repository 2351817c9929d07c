#include "blob/metering_store.h"

#include <utility>

namespace isotherm {

namespace {

// What a list's answer carries of its entries: the names, and eight bytes for each size.
uint64_t BytesOf(const Result<ListPage>& page) {
  uint64_t bytes = 0;
  if (page.ok()) {
    for (const ListEntry& entry : page->entries) bytes += entry.name.size() + sizeof(entry.size);
  }
  return bytes;
}

}  // namespace

void MeteringBlobStore::Records::Add(const RequestRecord& record, Meter* callers) const {
  if (meter != nullptr) meter->Add(record);
  if (callers != nullptr && callers != meter) callers->Add(record);
  if (metrics == nullptr) return;
  auto kind = static_cast<size_t>(record.kind);
  metrics->Add(MetricId::kStoreRequests, 1, kind);
  metrics->Add(MetricId::kStoreBytes, record.bytes, kind);
  metrics->Observe(MetricId::kStoreSeconds, record.end_ns - record.start_ns, kind);
  metrics->AddError(MetricId::kStoreErrors, record.code);
}

class MeteringBlobStore::Writer : public BlobWriter {
 public:
  Writer(std::unique_ptr<BlobWriter> writer, std::shared_ptr<Environment> environment, Records records, Meter* callers)
      : writer_(std::move(writer)),
        environment_(std::move(environment)),
        records_(std::move(records)),
        callers_(callers) {}

  Status Append(std::string_view bytes) override {
    bytes_ += bytes.size();
    return writer_->Append(bytes);
  }

  Result<std::string> Finish() override {
    int64_t start_ns = environment_->clock->NowNs();
    Result<std::string> etag = writer_->Finish();
    int64_t end_ns = environment_->clock->NowNs();
    records_.Add({RequestKind::kPut, start_ns, end_ns, bytes_, etag.status().code()}, callers_);
    return etag;
  }

 private:
  const std::unique_ptr<BlobWriter> writer_;
  const std::shared_ptr<Environment> environment_;
  const Records records_;
  Meter* const callers_;
  uint64_t bytes_ = 0;
};

MeteringBlobStore::MeteringBlobStore(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> environment,
                                     Meter* meter, std::shared_ptr<Metrics> metrics)
    : store_(std::move(store)), environment_(std::move(environment)), records_{meter, std::move(metrics)} {}

std::vector<ReadResult> MeteringBlobStore::Read(const Context& context, std::span<const ReadRequest> requests) {
  std::vector<ReadResult> results = store_->Read(context, requests);
  for (const ReadResult& result : results) {
    records_.Add({RequestKind::kGet, result.start_ns, result.end_ns, result.data.size(), result.status.code()},
                 context.meter);
  }
  return results;
}

Result<std::string> MeteringBlobStore::Put(const Context& context, std::string_view name, std::string_view bytes,
                                           const PutCondition& condition) {
  int64_t start_ns = environment_->clock->NowNs();
  Result<std::string> etag = store_->Put(context, name, bytes, condition);
  int64_t end_ns = environment_->clock->NowNs();
  records_.Add({RequestKind::kPut, start_ns, end_ns, bytes.size(), etag.status().code()}, context.meter);
  return etag;
}

std::vector<PutResult> MeteringBlobStore::PutAll(const Context& context, std::span<const PutRequest> requests) {
  const int64_t start_ns = environment_->clock->NowNs();
  std::vector<PutResult> results = store_->PutAll(context, requests);
  const int64_t end_ns = environment_->clock->NowNs();
  for (size_t i = 0; i < results.size(); ++i) {
    PutResult& result = results[i];
    if (result.end_ns == 0) result.start_ns = start_ns, result.end_ns = end_ns;
    const RequestRecord record = {RequestKind::kPut, result.start_ns, result.end_ns, requests[i].bytes.size(),
                                  result.status.code()};
    for (uint32_t sent = 0; sent < result.requests; ++sent) records_.Add(record, context.meter);
  }
  return results;
}

Result<std::unique_ptr<BlobWriter>> MeteringBlobStore::CreateWriter(const Context& context, std::string_view name) {
  Result<std::unique_ptr<BlobWriter>> writer = store_->CreateWriter(context, name);
  if (!writer.ok()) return writer;
  return std::unique_ptr<BlobWriter>(
      std::make_unique<Writer>(std::move(writer).value(), environment_, records_, context.meter));
}

Status MeteringBlobStore::Delete(const Context& context, std::string_view name) {
  int64_t start_ns = environment_->clock->NowNs();
  Status status = store_->Delete(context, name);
  int64_t end_ns = environment_->clock->NowNs();
  records_.Add({RequestKind::kDelete, start_ns, end_ns, 0, status.code()}, context.meter);
  return status;
}

Result<ListPage> MeteringBlobStore::List(const Context& context, std::string_view prefix, std::string_view start_after,
                                         size_t limit) {
  int64_t start_ns = environment_->clock->NowNs();
  Result<ListPage> page = store_->List(context, prefix, start_after, limit);
  int64_t end_ns = environment_->clock->NowNs();
  records_.Add({RequestKind::kList, start_ns, end_ns, BytesOf(page), page.status().code()}, context.meter);
  return page;
}

}  // namespace isotherm
