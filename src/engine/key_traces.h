// Where the bytes of some keys' rows lie: in which segments, and through these in which versions.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/head.h"
#include "engine/key_lookup.h"
#include "engine/snapshot.h"
#include "isotherm/context.h"
#include "isotherm/row.h"

namespace isotherm {

// A row of one of the keys in a segment, deleted or not.
struct KeyTrace {
  size_t key = 0;  // index into the keys
  uint32_t ordinal = 0;
  RowAttributes attributes;
};

// Of rows that may be in other segments of the partition, whose key pages tell of them.
inline bool HasSecondCopies(const SegmentInfo& segment) { return segment.entries > segment.rows; }

// Each segment is asked once, by a few pages of keys. Thread-compatible.
class KeyTraces {
 public:
  // Keys that are there twice count once.
  KeyTraces(const ReadPath& path, std::span<const Key> keys);

  const std::vector<Key>& keys() const { return keys_; }  // ascending
  bool IsOne(const Key& key) const;

  Status Look(std::span<const SegmentInfo> segments, const Context& context);
  // Of a segment that was looked into.
  const std::vector<KeyTrace>& In(const std::string& segment) const { return traces_.at(segment); }
  // Those of the head's segments, which were looked into, that have a trace, or may have the second copy of a row that
  // has one in another segment of the partition.
  std::set<std::string> SegmentsWith(const Head& head) const;
  // Whether the head itself has a row of these keys, of a version up to that one.
  bool InRowsOf(const Head& head, uint64_t newest_version) const;

 private:
  std::vector<Key> keys_;
  KeyLookup lookup_;
  std::map<std::string, std::vector<KeyTrace>> traces_;  // by segment name
};

}  // namespace isotherm
