// One limit for the memory of all the collections of a process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace isotherm {

// What memory is used for.
enum class MemoryUse : uint8_t {
  kMemtable,    // rows that are not in a segment yet, and their index
  kBlockCache,  // extents that are kept for later reads; the first to make room
  kBuild,       // flush, compaction, import
  kQuery,       // what reads and queries hold while they run
  kOther,       // the disk cache's index and what waits to be written to it
};
inline constexpr int kMemoryUses = 5;

const char* MemoryUseName(MemoryUse use);  // "memtable", "block_cache", "build", "query", "other"

struct MemoryUsage {
  uint64_t limit_bytes = 0;           // 0: unlimited
  uint64_t used_bytes = 0;            // the sum of the two below
  uint64_t by_use[kMemoryUses] = {};  // by MemoryUse
  uint64_t set_aside_bytes = 0;       // held ready for flushes and commits, so that they can always run
  uint64_t peak_bytes = 0;            // the most that was used at once
  uint64_t refused = 0;               // requests that did not fit
  uint64_t waiting = 0;               // requests that wait for others to give back

  // "5242880 of 8388608 bytes are used (memtable 4194304, block_cache 0, …, set aside 1048576)"
  std::string ToString() const;
};

// Shared by every collection that is opened with it.
class MemoryBudget;

// `limit_bytes` 0: unlimited; use is counted all the same.
std::shared_ptr<MemoryBudget> MakeMemoryBudget(uint64_t limit_bytes);
MemoryUsage UsageOf(const MemoryBudget& budget);

}  // namespace isotherm
