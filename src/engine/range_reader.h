// Reads many small ranges that carry their own checksums (raw vectors, documents, key pages) in one wave.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cache/block_cache.h"
#include "isotherm/blob_store.h"
#include "isotherm/context.h"
#include "isotherm/status.h"

namespace isotherm {

struct ObjectRange {
  std::string object;
  uint64_t offset = 0;
  uint64_t length = 0;  // 0: nothing is read, the result is empty
};

struct RangeRead {
  Status status;
  std::string_view bytes;  // points into ReadRanges' result
  bool cached = false;     // came from RAM: was checked before
  uint64_t clears = 0;     // of the cache, when it was asked for
};

struct RangeReads {
  std::vector<std::string> buffers;
  std::vector<PinnedBlock> blocks;
  std::vector<RangeRead> ranges;  // ranges[i] answers wanted[i]
};

// Ranges of one object with at most `max_gap_bytes` between them are read by one request of at most 8 MiB (a longer
// range by one of its own). An object that is missing or ends too early is kCorruption: the head says that it is there.
// With a cache, what KeepRange put there is not read.
RangeReads ReadRanges(BlobStore& store, const Context& context, std::span<const ObjectRange> wanted,
                      uint64_t max_gap_bytes = 32 << 10, BlockCache* cache = nullptr);

// Keeps a range whose own checksum was found right, unless it is longer than 1 MiB.
void KeepRange(BlockCache& cache, const ObjectRange& range, const RangeRead& read);

}  // namespace isotherm
