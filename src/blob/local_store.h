// Objects as files below a directory of this machine, each under its own name.
#pragma once

#include <memory>
#include <string>

#include "base/environment.h"
#include "blob/local_files.h"
#include "isotherm/blob_store.h"

namespace isotherm {

// Safe for any number of processes on one machine, as long as the file system has working flock(2), rename and hard
// links. An etag is the hash of the content: an object that is to be replaced with kIfMatch must never have the same
// content twice.
//
// Names that the file system can't hold are kInvalidArgument (a part of more than 255 bytes, a first part ".tmp"), and
// an object can't have the name of a directory that holds others ("a" beside "a/b").
class LocalBlobStore : public BlobStore {
 public:
  // Touches nothing: the first write creates the directory and removes what writers that died more than a day ago left.
  LocalBlobStore(std::string root, std::shared_ptr<Environment> environment);

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override;
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition = {}) override;
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override;
  Status Delete(const Context& context, std::string_view name) override;
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after = {},
                        size_t limit = 1000) override;
  std::string Describe() const override;

 private:
  class Writer;

  Status Check(const Context& context, std::string_view operation, std::string_view name) const;
  Status ReadOne(const Context& context, const ReadRequest& request, ReadResult& result);

  const std::shared_ptr<Environment> environment_;
  const std::shared_ptr<LocalFiles> files_;  // shared with writers, which may outlive the store
};

}  // namespace isotherm
