// A large object in parts: CreateMultipartUpload, UploadPart in parallel, CompleteMultipartUpload. One that fits a
// single part is one PutObject.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "blob/retry_store.h"
#include "blob/s3_client.h"
#include "blob/s3_error.h"
#include "isotherm/blob_store.h"

namespace isotherm {

// Repeats its own requests. After a failure it is of no more use: every call returns that failure. An upload that was
// begun and not completed is aborted when the writer goes, which waits for the parts under way (cancelling its context
// ends them) and for the abort's answer; where that fails, a lifecycle rule of the bucket
// ("AbortIncompleteMultipartUpload") removes the parts.
class S3Writer : public BlobWriter {
 public:
  S3Writer(const Context& context, std::string name, std::shared_ptr<S3Client> client);
  ~S3Writer() override;

  Status Append(std::string_view bytes) override;
  Result<std::string> Finish() override;

 private:
  struct Part {
    size_t number = 0;  // from 1
    std::string bytes;
    std::unique_ptr<HttpBatch> batch;  // refers to bytes: destroyed first
  };

  // Sends until it succeeds, the reason is permanent, or the attempts are used up.
  Result<HttpResponse> SendWithRetries(const S3Call& call, std::string_view what);
  S3Call PartCall(const Part& part) const;
  Status Begin();
  // Sends buffer_ as the next part, once fewer than kParallelParts are under way.
  Status StartPart();
  // Waits for the oldest part under way, and repeats it where needed.
  Status FinishOldestPart();
  Result<std::string> PutWhole();
  Result<std::string> Complete();
  // `all_answered`: no part can be under way any more.
  void Abort(bool all_answered);

  const Context context_;
  const std::string name_;
  const std::string key_;
  const std::shared_ptr<S3Client> client_;
  std::string buffer_;  // less than a part
  std::string upload_id_;
  std::deque<std::unique_ptr<Part>> under_way_;
  std::vector<std::string> etags_;  // of the parts that are done, in order
  bool finished_ = false;
  Status failure_;
};

}  // namespace isotherm
