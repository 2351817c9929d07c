// Which committed rows have which keys.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/snapshot.h"
#include "isotherm/context.h"
#include "isotherm/row.h"
#include "segment/key_pages.h"

namespace isotherm {

struct KeyPlace {
  uint32_t segment = 0;  // index into the head's
  KeyLocation location;
};

// Thread-safe.
class KeyLookup {
 public:
  explicit KeyLookup(const ReadPath& path) : path_(path) {}

  // Where each of `keys` lies in the snapshot's segments; absent ones are left out. Filters are read once per segment
  // (one wave) and kept; then one wave for the pages, and seldom a second one for pages that ran over.
  Result<std::map<size_t, KeyPlace>> Find(const Snapshot& snapshot, std::span<const Key> keys, const Context& context);

 private:
  Status LoadFilters(const Snapshot& snapshot, const Context& context);

  const ReadPath& path_;
  std::mutex mutex_;
  std::map<std::string, PinnedBlock> filters_;  // by segment name
};

// Fills vector, metadata and payload of the row at each place: one wave. Corruption for a wrong checksum.
struct RowParts {
  bool vector = true;
  bool document = true;
  bool fill_cache = true;
};
struct RowAddress {
  const SegmentInfo* segment = nullptr;
  KeyLocation location;
};
Status ReadRows(const ReadPath& path, const SegmentSchema& schema, std::span<const RowAddress> addresses,
                RowParts parts, const Context& context, std::span<Row> rows);

}  // namespace isotherm
