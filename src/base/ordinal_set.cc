#include "base/ordinal_set.h"

#include <roaring/roaring.h>

#include <new>
#include <utility>

namespace isotherm {

namespace {

roaring_bitmap_t* Checked(roaring_bitmap_t* bitmap) {
  if (bitmap == nullptr) throw std::bad_alloc();
  return bitmap;
}

}  // namespace

OrdinalSet::OrdinalSet(OrdinalSet&& other) noexcept : bitmap_(std::exchange(other.bitmap_, nullptr)) {}

OrdinalSet& OrdinalSet::operator=(OrdinalSet&& other) noexcept {
  std::swap(bitmap_, other.bitmap_);
  return *this;
}

OrdinalSet::OrdinalSet(const OrdinalSet& other)
    : bitmap_(other.bitmap_ == nullptr ? nullptr : Checked(roaring_bitmap_copy(other.bitmap_))) {}

OrdinalSet& OrdinalSet::operator=(const OrdinalSet& other) {
  OrdinalSet copy(other);
  std::swap(bitmap_, copy.bitmap_);
  return *this;
}

OrdinalSet::~OrdinalSet() {
  if (bitmap_ != nullptr) roaring_bitmap_free(bitmap_);
}

roaring_bitmap_s& OrdinalSet::Bitmap() {
  if (bitmap_ == nullptr) bitmap_ = Checked(roaring_bitmap_create());
  return *bitmap_;
}

void OrdinalSet::Add(uint32_t ordinal) { roaring_bitmap_add(&Bitmap(), ordinal); }

void OrdinalSet::Remove(uint32_t ordinal) {
  if (bitmap_ != nullptr) roaring_bitmap_remove(bitmap_, ordinal);
}

bool OrdinalSet::Contains(uint32_t ordinal) const {
  return bitmap_ != nullptr && roaring_bitmap_contains(bitmap_, ordinal);
}

uint64_t OrdinalSet::size() const { return bitmap_ == nullptr ? 0 : roaring_bitmap_get_cardinality(bitmap_); }

OrdinalSet& OrdinalSet::operator|=(const OrdinalSet& other) {
  if (other.bitmap_ != nullptr) roaring_bitmap_or_inplace(&Bitmap(), other.bitmap_);
  return *this;
}

OrdinalSet& OrdinalSet::operator-=(const OrdinalSet& other) {
  if (bitmap_ == nullptr || other.bitmap_ == nullptr) return *this;
  if (bitmap_ == other.bitmap_) return *this = OrdinalSet();
  roaring_bitmap_andnot_inplace(bitmap_, other.bitmap_);
  return *this;
}

bool operator==(const OrdinalSet& a, const OrdinalSet& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty();
  return roaring_bitmap_equals(a.bitmap_, b.bitmap_);
}

void OrdinalSet::ForEach(const std::function<void(uint32_t)>& visit) const {
  if (bitmap_ == nullptr) return;
  auto call = [](uint32_t ordinal, void* context) {
    (*static_cast<const std::function<void(uint32_t)>*>(context))(ordinal);
    return true;
  };
  roaring_iterate(bitmap_, call, const_cast<std::function<void(uint32_t)>*>(&visit));
}

std::string OrdinalSet::Encode() const {
  // Into an aligned buffer: the library writes words.
  OrdinalSet copy(*this);
  roaring_bitmap_t& bitmap = copy.Bitmap();
  roaring_bitmap_run_optimize(&bitmap);
  std::string out(roaring_bitmap_portable_size_in_bytes(&bitmap), '\0');
  roaring_bitmap_portable_serialize(&bitmap, out.data());
  return out;
}

Result<OrdinalSet> OrdinalSet::Decode(std::string_view bytes) {
  OrdinalSet set;
  set.bitmap_ = roaring_bitmap_portable_deserialize_safe(bytes.data(), bytes.size());
  if (set.bitmap_ == nullptr) return Status::Corruption("set of rows: malformed");
  // Rebuilt from what it holds: the library checks lengths, not the order inside, on which its operations rely.
  OrdinalSet checked;
  set.ForEach([&](uint32_t ordinal) { checked.Add(ordinal); });
  if (checked.Encode() != bytes) return Status::Corruption("set of rows: malformed");
  return checked;
}

}  // namespace isotherm
