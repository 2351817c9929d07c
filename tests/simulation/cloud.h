// The object store that all simulated processes share: what it does with a request once that has arrived. How requests
// get there, and what becomes of the answers, is sim_store.h's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "isotherm/blob_store.h"

namespace isotherm::simulation {

class Cloud {
 public:
  struct Object {
    std::shared_ptr<const std::string> bytes;
    std::string etag;
    uint64_t write = 0;  // its number among all writes
  };
  using Objects = std::map<std::string, Object, std::less<>>;
  // Who asked, for what object, and whether it is gone now; called right after a write has happened.
  using WriteHook = std::function<void(uint64_t client, const std::string& name, bool deleted)>;

  // Etags are hashes of the content, or else the number of the write.
  explicit Cloud(bool etags_by_content) : etags_by_content_(etags_by_content) {}

  void SetHook(WriteHook hook) { hook_ = std::move(hook); }
  const Objects& objects() const { return objects_; }
  // So many objects were put; the newest has this number.
  uint64_t writes() const { return writes_; }

  Result<std::string> Put(uint64_t client, const std::string& name, std::shared_ptr<const std::string> bytes,
                          const PutCondition& condition);
  void Delete(uint64_t client, const std::string& name);

 private:
  const bool etags_by_content_;
  Objects objects_;
  uint64_t writes_ = 0;
  WriteHook hook_;
};

// What a store that holds `objects` answers.
void ReadFrom(const Cloud::Objects& objects, const ReadRequest& request, ReadResult& result);
ListPage ListOf(const Cloud::Objects& objects, std::string_view prefix, std::string_view start_after, size_t limit);

// A store to read from at once and without failure. `objects` must outlive it and stay as they are during its calls.
std::shared_ptr<BlobStore> MakeReadOnlyView(const Cloud::Objects& objects);

}  // namespace isotherm::simulation
