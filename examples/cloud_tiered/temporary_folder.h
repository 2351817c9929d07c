// What the demo leaves nothing of: its folder, and the objects that it put into a store.
#pragma once

#include <memory>
#include <string>

#include "isotherm/blob_store.h"

namespace cloud_tiered {

// A new folder; removed with all in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// All objects of a store that was empty; removed at the end.
class UploadedObjects {
 public:
  explicit UploadedObjects(std::shared_ptr<isotherm::BlobStore> store) : store_(std::move(store)) {}
  ~UploadedObjects();
  UploadedObjects(const UploadedObjects&) = delete;
  UploadedObjects& operator=(const UploadedObjects&) = delete;

 private:
  const std::shared_ptr<isotherm::BlobStore> store_;
};

}  // namespace cloud_tiered
