// Which row has a key: 4 KiB pages, a key's page chosen by its hash, so that a look-up reads one page. A page that ran
// over says so, and its surplus is in the next one (wrapping around).
//
//   page: crc32c u32 of the rest | entries u16 | flags u16 | entries
//   entry: hash u64 | ordinal u32 | document length u32 | document offset u64 | key length u16 | bytes of a string key
//          | version u64 | expiry i64
//
// Flags: 1 the page ran over, 2 entries have version and expiry.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isotherm/row.h"
#include "isotherm/status.h"
#include "segment/cell_block.h"

namespace isotherm {

inline constexpr uint32_t kKeyPageBytes = 4096;

// The same in every version: it is part of the format. Distinct integers have distinct hashes.
uint64_t HashKey(const Key& key);

struct KeyLocation {
  uint32_t ordinal = 0;
  DocumentRef document;
  RowAttributes attributes{};
};

// What must be known of a segment's keys before the first one is given.
struct KeyTotals {
  uint64_t keys = 0;
  uint64_t text_bytes = 0;       // of string keys
  uint64_t longest_text = 0;     // of one of them, or more
  bool with_attributes = false;  // some row has a version or an expiry of its own

  void Add(const Key& key, const RowAttributes& attributes);
  uint32_t pages() const;
};

// Makes all pages, with no more memory than these take.
class KeyPageBuilder {
 public:
  explicit KeyPageBuilder(const KeyTotals& totals);
  // Internal when more comes than was told.
  Status Add(const Key& key, const KeyLocation& location);
  // All pages, one behind the other; ≥ 1. To be called once.
  std::string Finish();

 private:
  struct Page {
    uint16_t used = 0;  // bytes
    uint16_t count = 0;
    bool ran_over = false;
  };
  bool AddToPage(uint32_t at, std::string_view entry);

  const bool with_attributes_;
  std::vector<Page> pages_;
  std::string bytes_;
};

uint32_t KeyPageOf(uint64_t hash, uint32_t pages);

struct KeyPageLookup {
  std::optional<KeyLocation> found;
  bool look_further = false;  // not found here, and the page ran over: ask the next one
};
// `page`: kKeyPageBytes bytes. Corruption when they don't match their checksum or are malformed.
Result<KeyPageLookup> FindInKeyPage(std::string_view page, const Key& key);
// Every entry of a page: the key's hash, its bytes (empty for an integer) and where it is. Corruption as above.
Status VisitKeyPage(std::string_view page,
                    const std::function<void(uint64_t hash, std::string_view text, const KeyLocation&)>& visit);

// "Surely not here, or maybe": a blocked Bloom filter, 64-byte blocks, about 12 bits a key (Putze, Sanders, Singler,
// "Cache-, Hash- and Space-Efficient Bloom Filters", WEA 2007); about 0.5 % false positives.
class KeyFilter {
 public:
  // An empty one for so many keys.
  static std::string Make(uint64_t keys);
  static void Add(std::string& bytes, uint64_t hash);
  // An empty `bytes`, or a size that is no multiple of 64, says maybe to all.
  static bool MayContain(std::string_view bytes, uint64_t hash);
};

}  // namespace isotherm
