// Byte streams that are written once, read some times and forgotten: in memory up to a limit, beyond it in temporary
// files. They belong to one build; nobody reads them after it.
//
// <directory>/<build>.lock is held while the build lives, <directory>/<build>-<stream> are its streams. Files of a
// build whose lock is free were left by a crash: the next build that spills removes them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "isotherm/status.h"

namespace isotherm {

// Thread-compatible.
class SpillFiles {
 public:
  // Nothing is touched on disk before more than `memory_bytes` are held.
  SpillFiles(std::shared_ptr<Environment> env, std::string directory, uint64_t memory_bytes);
  // Removes its files.
  ~SpillFiles();
  SpillFiles(const SpillFiles&) = delete;
  SpillFiles& operator=(const SpillFiles&) = delete;

  // The number of a new stream.
  uint32_t AddStream();
  // A record stays in one piece: it is read as it was appended, with others before and behind it.
  Status Append(uint32_t stream, std::string_view record);
  // Calls `visit` with everything that was appended, in order, in pieces of whole records; about 1 MiB, or one record.
  // kIoError when the disk gives other bytes than it was given.
  Status Read(uint32_t stream, const std::function<Status(std::string_view)>& visit);
  // Frees its memory and its file. It must not be used any more.
  void Drop(uint32_t stream);

  uint64_t bytes_on_disk() const { return bytes_on_disk_; }  // written so far

 private:
  struct Stream {
    std::vector<std::string> pieces;  // not on disk
    uint64_t memory_bytes = 0;        // that the pieces take
    uint64_t file_bytes = 0;
    std::vector<uint32_t> piece_lengths;  // on disk
    std::vector<uint32_t> piece_crcs;
  };
  std::string PathOf(uint32_t stream) const;
  Status Prepare();
  void RemoveLeftovers();
  Status FlushLargest();
  Status Flush(uint32_t stream);

  const std::shared_ptr<Environment> env_;
  const std::string directory_;
  const uint64_t memory_bytes_;
  std::string prefix_;  // directory and build; empty: nothing was written yet
  std::unique_ptr<FileLock> lock_;
  std::vector<Stream> streams_;
  uint64_t bytes_in_memory_ = 0;
  uint64_t bytes_on_disk_ = 0;
};

}  // namespace isotherm
