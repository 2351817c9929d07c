#include "blob/local_list.h"

#include <algorithm>
#include <utility>

#include "base/context_check.h"
#include "base/macros.h"
#include "blob/local_files.h"

namespace isotherm {

namespace {

class Walk {
 public:
  Walk(const Context& context, const Environment& environment, const std::string& root, std::string_view prefix,
       std::string_view start_after, size_t limit)
      : context_(context),
        environment_(environment),
        root_(root),
        prefix_(prefix),
        start_after_(start_after),
        limit_(limit) {}

  // `name` is that of the directory relative to the root, with '/' behind it; empty for the root.
  Status Visit(const std::string& name) {
    RETURN_IF_ERROR(CheckContext(context_, *environment_.clock, "list of " + root_));
    Result<std::vector<FileInfo>> files = environment_.file_system->ListDirectory(root_ + "/" + name);
    if (files.status().code() == StatusCode::kNotFound) return Status::Ok();
    RETURN_IF_ERROR(files.status());
    // A directory stands where the names of its objects do: "a.b" < "a/b" < "a0".
    for (FileInfo& file : *files) {
      if (file.is_directory) file.name.push_back('/');
    }
    std::sort(files->begin(), files->end(), [](const FileInfo& a, const FileInfo& b) { return a.name < b.name; });
    for (const FileInfo& file : *files) {
      if (page_.more) break;
      std::string full = name + file.name;
      if (file.is_directory) {
        if (MayHold(full)) RETURN_IF_ERROR(Visit(full));
      } else if (full.starts_with(prefix_) && full > start_after_ && ValidateObjectName(full).ok()) {
        Add(std::move(full), file.size);
      }
    }
    return Status::Ok();
  }

  ListPage TakePage() { return std::move(page_); }

 private:
  void Add(std::string name, uint64_t size) {
    if (page_.entries.size() == limit_) {
      page_.more = true;
    } else {
      page_.entries.push_back({std::move(name), size});
    }
  }

  // Whether a name that begins with `directory`, which ends with '/', can be asked for.
  bool MayHold(std::string_view directory) const {
    if (directory.substr(0, directory.find('/')) == kTempDirectory) return false;
    if (!directory.starts_with(prefix_) && !prefix_.starts_with(directory)) return false;
    if (directory < start_after_ && !start_after_.starts_with(directory)) return false;
    return ValidateObjectName(directory.substr(0, directory.size() - 1)).ok();
  }

  const Context& context_;
  const Environment& environment_;
  const std::string& root_;
  const std::string_view prefix_;
  const std::string_view start_after_;
  const size_t limit_;
  ListPage page_;
};

}  // namespace

Result<ListPage> ListLocalObjects(const Context& context, const Environment& environment, const std::string& root,
                                  std::string_view prefix, std::string_view start_after, size_t limit) {
  Walk walk(context, environment, root, prefix, start_after, limit);
  RETURN_IF_ERROR(walk.Visit(""));
  return walk.TakePage();
}

}  // namespace isotherm
