// A set of row numbers: a compressed bitmap (CRoaring).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "isotherm/status.h"

struct roaring_bitmap_s;

namespace isotherm {

// Thread-compatible. Costs a pointer while empty.
class OrdinalSet {
 public:
  OrdinalSet() = default;
  OrdinalSet(OrdinalSet&& other) noexcept;
  OrdinalSet& operator=(OrdinalSet&& other) noexcept;
  OrdinalSet(const OrdinalSet& other);
  OrdinalSet& operator=(const OrdinalSet& other);
  ~OrdinalSet();

  void Add(uint32_t ordinal);
  void Remove(uint32_t ordinal);
  bool Contains(uint32_t ordinal) const;
  bool empty() const { return size() == 0; }
  uint64_t size() const;

  OrdinalSet& operator|=(const OrdinalSet& other);
  OrdinalSet& operator-=(const OrdinalSet& other);
  friend bool operator==(const OrdinalSet& a, const OrdinalSet& b);

  // Ascending.
  void ForEach(const std::function<void(uint32_t ordinal)>& visit) const;

  // The portable format of Roaring (github.com/RoaringBitmap/RoaringFormatSpec), the same on every machine.
  std::string Encode() const;
  // Corruption on malformed bytes. All of `bytes` must be used up.
  static Result<OrdinalSet> Decode(std::string_view bytes);

 private:
  roaring_bitmap_s& Bitmap();

  roaring_bitmap_s* bitmap_ = nullptr;  // null: empty
};

}  // namespace isotherm
