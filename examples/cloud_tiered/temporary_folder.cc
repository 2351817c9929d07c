#include "temporary_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace cloud_tiered {

TemporaryFolder::TemporaryFolder() : path_(std::filesystem::temp_directory_path() / "isotherm-demo-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "cannot make " + path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) std::fprintf(stderr, "cannot remove %s: %s\n", path_.c_str(), error.message().c_str());
}

UploadedObjects::~UploadedObjects() {
  isotherm::Result<isotherm::ListPage> page = store_->List({}, "");
  isotherm::Status removed = page.status();
  for (size_t i = 0; removed.ok() && i < page->entries.size(); ++i) removed = store_->Delete({}, page->entries[i].name);
  if (!removed.ok()) {
    std::fprintf(stderr, "some objects stay at %s: %s\n", store_->Describe().c_str(), removed.ToString().c_str());
  }
}

}  // namespace cloud_tiered
