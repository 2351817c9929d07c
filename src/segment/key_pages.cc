#include "segment/key_pages.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/macros.h"

namespace isotherm {

namespace {

constexpr size_t kPageHeaderBytes = 8;
constexpr size_t kEntryBytes = 26;  // without a string key's bytes, version and expiry
constexpr size_t kAttributeBytes = 16;
constexpr uint16_t kRanOver = 1;
constexpr uint16_t kWithAttributes = 2;
constexpr double kFill = 0.75;

size_t EntryBytes(size_t text_bytes, bool with_attributes) {
  return kEntryBytes + text_bytes + (with_attributes ? kAttributeBytes : 0);
}

std::string_view TextOf(const Key& key) {
  return key.type() == KeyType::kString ? std::string_view(key.text()) : std::string_view();
}

}  // namespace

uint64_t HashKey(const Key& key) {
  if (key.type() == KeyType::kString) return XXH3_64bits(key.text().data(), key.text().size());
  // The finaliser of MurmurHash3: a bijection.
  uint64_t h = key.number();
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
  return h ^ (h >> 33);
}

// The high 32 bits spread evenly over [0, pages).
uint32_t KeyPageOf(uint64_t hash, uint32_t pages) { return static_cast<uint32_t>(((hash >> 32) * pages) >> 32); }

void KeyTotals::Add(const Key& key, const RowAttributes& attributes) {
  ++keys;
  uint64_t text = TextOf(key).size();
  text_bytes += text;
  longest_text = std::max(longest_text, text);
  with_attributes = with_attributes || attributes != RowAttributes();
}

uint32_t KeyTotals::pages() const {
  uint64_t bytes = text_bytes + keys * EntryBytes(0, with_attributes);
  // Long keys fill a page in few entries and leave an unused end each.
  size_t longest = EntryBytes(longest_text, with_attributes);
  double room = kFill * static_cast<double>(kKeyPageBytes - kPageHeaderBytes - longest);
  return static_cast<uint32_t>(static_cast<double>(bytes) / room) + 1;
}

KeyPageBuilder::KeyPageBuilder(const KeyTotals& totals)
    : with_attributes_(totals.with_attributes), pages_(totals.pages()), bytes_(pages_.size() * kKeyPageBytes, '\0') {}

bool KeyPageBuilder::AddToPage(uint32_t at, std::string_view entry) {
  Page& page = pages_[at];
  if (kPageHeaderBytes + page.used + entry.size() > kKeyPageBytes) {
    page.ran_over = true;
    return false;
  }
  std::memcpy(&bytes_[size_t{at} * kKeyPageBytes + kPageHeaderBytes + page.used], entry.data(), entry.size());
  page.used = static_cast<uint16_t>(page.used + entry.size());
  ++page.count;
  return true;
}

Status KeyPageBuilder::Add(const Key& key, const KeyLocation& location) {
  uint64_t hash = HashKey(key);
  std::string_view text = TextOf(key);
  std::string entry;
  PutFixed<uint64_t>(entry, hash);
  PutFixed<uint32_t>(entry, location.ordinal);
  PutFixed<uint32_t>(entry, location.document.length);
  PutFixed<uint64_t>(entry, location.document.offset);
  PutFixed<uint16_t>(entry, static_cast<uint16_t>(text.size()));
  entry += text;
  if (with_attributes_) {
    PutFixed<uint64_t>(entry, location.attributes.version);
    PutFixed<int64_t>(entry, location.attributes.expires_at_ms);
  }
  auto count = static_cast<uint32_t>(pages_.size());
  uint32_t at = KeyPageOf(hash, count);
  for (uint32_t tried = 0; tried < count; ++tried, at = (at + 1) % count) {
    if (AddToPage(at, entry)) return Status::Ok();
  }
  return Status::Internal("key pages: more keys than were told of");
}

std::string KeyPageBuilder::Finish() {
  for (size_t at = 0; at < pages_.size(); ++at) {
    const Page& page = pages_[at];
    auto flags = static_cast<uint16_t>((page.ran_over ? kRanOver : 0) | (with_attributes_ ? kWithAttributes : 0));
    std::string header;
    PutFixed<uint16_t>(header, page.count);
    PutFixed<uint16_t>(header, flags);
    char* begin = &bytes_[at * kKeyPageBytes];
    std::memcpy(begin + sizeof(uint32_t), header.data(), header.size());
    uint32_t crc = Crc32c({begin + sizeof(crc), kKeyPageBytes - sizeof(crc)});
    std::memcpy(begin, &crc, sizeof(crc));
  }
  return std::move(bytes_);
}

namespace {

// Calls `visit` until it returns false; returns whether the page ran over.
Result<bool> WalkPage(std::string_view page,
                      const std::function<bool(uint64_t, std::string_view, const KeyLocation&)>& visit) {
  if (page.size() != kKeyPageBytes) return Status::Corruption("key page: wrong size");
  Decoder in(page);
  auto crc = in.Fixed<uint32_t>();
  if (Crc32c(page.substr(sizeof(crc))) != crc) return Status::Corruption("key page: does not match its crc32c");
  auto count = in.Fixed<uint16_t>();
  auto flags = in.Fixed<uint16_t>();
  for (uint16_t i = 0; i < count; ++i) {
    auto hash = in.Fixed<uint64_t>();
    KeyLocation location;
    location.ordinal = in.Fixed<uint32_t>();
    location.document.length = in.Fixed<uint32_t>();
    location.document.offset = in.Fixed<uint64_t>();
    std::string_view text = in.Raw(in.Fixed<uint16_t>());
    if ((flags & kWithAttributes) != 0) {
      location.attributes.version = in.Fixed<uint64_t>();
      location.attributes.expires_at_ms = in.Fixed<int64_t>();
    }
    if (!in.ok()) return Status::Corruption("key page: truncated");
    if (!visit(hash, text, location)) break;
  }
  return (flags & kRanOver) != 0;
}

}  // namespace

Result<KeyPageLookup> FindInKeyPage(std::string_view page, const Key& key) {
  uint64_t wanted = HashKey(key);
  std::string_view wanted_text = key.type() == KeyType::kString ? std::string_view(key.text()) : std::string_view();
  KeyPageLookup lookup;
  ASSIGN_OR_RETURN(bool overflow,
                   WalkPage(page, [&](uint64_t hash, std::string_view text, const KeyLocation& location) {
                     if (hash != wanted || text != wanted_text) return true;
                     lookup.found = location;
                     return false;
                   }));
  lookup.look_further = overflow && !lookup.found;
  return lookup;
}

Status VisitKeyPage(std::string_view page,
                    const std::function<void(uint64_t, std::string_view, const KeyLocation&)>& visit) {
  auto walked = WalkPage(page, [&](uint64_t hash, std::string_view text, const KeyLocation& location) {
    visit(hash, text, location);
    return true;
  });
  return walked.status();
}

namespace {

constexpr size_t kFilterBlockBytes = 64;
constexpr size_t kBitsPerKey = 12;
constexpr int kProbes = 6;

size_t FilterBlockOf(uint64_t hash, size_t blocks) { return ((hash >> 32) * blocks) >> 32; }

// The block is chosen by the high bits; the bits inside by a second mix of them all, nine each.
uint64_t FilterBits(uint64_t hash) { return (hash * 0x9e3779b97f4a7c15) ^ (hash >> 29); }

}  // namespace

std::string KeyFilter::Make(uint64_t keys) {
  uint64_t blocks = std::max<uint64_t>(1, (keys * kBitsPerKey + kFilterBlockBytes * 8 - 1) / (kFilterBlockBytes * 8));
  return std::string(blocks * kFilterBlockBytes, '\0');
}

void KeyFilter::Add(std::string& bytes, uint64_t hash) {
  char* block = bytes.data() + FilterBlockOf(hash, bytes.size() / kFilterBlockBytes) * kFilterBlockBytes;
  uint64_t bits = FilterBits(hash);
  for (int p = 0; p < kProbes; ++p, bits >>= 9) block[(bits & 511) >> 3] |= static_cast<char>(1 << (bits & 7));
}

bool KeyFilter::MayContain(std::string_view bytes, uint64_t hash) {
  if (bytes.empty() || bytes.size() % kFilterBlockBytes != 0) return true;
  const char* block = bytes.data() + FilterBlockOf(hash, bytes.size() / kFilterBlockBytes) * kFilterBlockBytes;
  uint64_t bits = FilterBits(hash);
  for (int p = 0; p < kProbes; ++p, bits >>= 9) {
    if ((block[(bits & 511) >> 3] & (1 << (bits & 7))) == 0) return false;
  }
  return true;
}

}  // namespace isotherm
