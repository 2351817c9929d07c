#include "blob/local_store.h"

#include <utility>

#include "base/macros.h"
#include "blob/local_list.h"
#include "blob/request_check.h"

namespace isotherm {

class LocalBlobStore::Writer : public BlobWriter {
 public:
  Writer(const Context& context, std::string name, std::shared_ptr<LocalFiles> files, std::unique_ptr<TempFile> file)
      : context_(context), name_(std::move(name)), files_(std::move(files)), file_(std::move(file)) {}

  // After an error the file may lack bytes in the middle: it stays unpublished.
  Status Append(std::string_view bytes) override {
    if (state_.ok()) state_ = CheckRequest(context_, *files_->environment()->clock, "append", name_);
    if (state_.ok()) state_ = file_->Append(bytes);
    return state_;
  }

  Result<std::string> Finish() override {
    RETURN_IF_ERROR(state_);
    state_ = Status::InvalidArgument(name_ + ": the writer has finished; create another to write again");
    RETURN_IF_ERROR(CheckRequest(context_, *files_->environment()->clock, "put", name_));
    return files_->Publish(*file_, name_, PutCondition::Overwrite());
  }

 private:
  const Context context_;
  const std::string name_;
  const std::shared_ptr<LocalFiles> files_;
  const std::unique_ptr<TempFile> file_;
  Status state_;
};

LocalBlobStore::LocalBlobStore(std::string root, std::shared_ptr<Environment> environment)
    : environment_(std::move(environment)), files_(std::make_shared<LocalFiles>(std::move(root), environment_)) {}

Status LocalBlobStore::Check(const Context& context, std::string_view operation, std::string_view name) const {
  RETURN_IF_ERROR(CheckRequest(context, *environment_->clock, operation, name));
  return files_->CheckName(name);
}

std::vector<ReadResult> LocalBlobStore::Read(const Context& context, std::span<const ReadRequest> requests) {
  std::vector<ReadResult> results(requests.size());
  // All are asked for at once, though the files are read one by one.
  const int64_t start_ns = environment_->clock->NowNs();
  for (size_t i = 0; i < requests.size(); ++i) {
    results[i].start_ns = start_ns;
    results[i].status = ReadOne(context, requests[i], results[i]);
    results[i].end_ns = environment_->clock->NowNs();
  }
  return results;
}

Status LocalBlobStore::ReadOne(const Context& context, const ReadRequest& request, ReadResult& result) {
  RETURN_IF_ERROR(Check(context, "read", request.name));
  RETURN_IF_ERROR(files_->MakeNameDurable(request.name));
  ASSIGN_OR_RETURN(auto file, environment_->file_system->Open(files_->PathOf(request.name), OpenMode::kRead));
  ASSIGN_OR_RETURN(uint64_t size, file->Size());
  result.object_size = size;
  if (request.range.has_value() && request.if_match.empty()) {
    ASSIGN_OR_RETURN(ByteRange range, ClipRange(*request.range, size, request.name));
    ASSIGN_OR_RETURN(result.data, ReadBytes(context, *environment_->clock, *file, request.name, range));
    return Status::Ok();
  }
  ASSIGN_OR_RETURN(result.data, ReadBytes(context, *environment_->clock, *file, request.name, {0, size}));
  result.etag = ContentEtag(result.data);
  if (!request.if_match.empty() && request.if_match != result.etag) {
    result.data.clear();
    return EtagMismatch(request.name, request.if_match, result.etag);
  }
  if (request.range.has_value()) {
    Result<ByteRange> range = ClipRange(*request.range, size, request.name);
    result.data = range.ok() ? result.data.substr(range->offset, range->length) : std::string();
    return range.status();
  }
  return Status::Ok();
}

Result<std::string> LocalBlobStore::Put(const Context& context, std::string_view name, std::string_view bytes,
                                        const PutCondition& condition) {
  RETURN_IF_ERROR(Check(context, "put", name));
  // Publish decides; this spares a lost race the writing.
  RETURN_IF_ERROR(files_->CheckCondition(name, condition));
  ASSIGN_OR_RETURN(std::unique_ptr<TempFile> file, files_->CreateTempFile());
  RETURN_IF_ERROR(file->Append(bytes));
  RETURN_IF_ERROR(Check(context, "put", name));
  return files_->Publish(*file, name, condition);
}

Result<std::unique_ptr<BlobWriter>> LocalBlobStore::CreateWriter(const Context& context, std::string_view name) {
  RETURN_IF_ERROR(Check(context, "put", name));
  ASSIGN_OR_RETURN(std::unique_ptr<TempFile> file, files_->CreateTempFile());
  return std::unique_ptr<BlobWriter>(std::make_unique<Writer>(context, std::string(name), files_, std::move(file)));
}

Status LocalBlobStore::Delete(const Context& context, std::string_view name) {
  RETURN_IF_ERROR(Check(context, "delete", name));
  return files_->Remove(name);
}

Result<ListPage> LocalBlobStore::List(const Context& context, std::string_view prefix, std::string_view start_after,
                                      size_t limit) {
  RETURN_IF_ERROR(CheckList(context, *environment_->clock, prefix, limit));
  return ListLocalObjects(context, *environment_, files_->root(), prefix, start_after, limit);
}

std::string LocalBlobStore::Describe() const { return "file://" + files_->root(); }

}  // namespace isotherm
