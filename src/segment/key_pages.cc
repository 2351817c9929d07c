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

struct Page {
  std::string entries;
  uint16_t count = 0;
  uint16_t flags = 0;
};

size_t EntryBytes(const Key& key, uint16_t flags) {
  return kEntryBytes + (key.type() == KeyType::kString ? key.text().size() : 0) +
         ((flags & kWithAttributes) != 0 ? kAttributeBytes : 0);
}

std::string FinishPage(const Page& page) {
  std::string body;
  PutFixed<uint16_t>(body, page.count);
  PutFixed<uint16_t>(body, page.flags);
  body += page.entries;
  body.resize(kKeyPageBytes - sizeof(uint32_t), '\0');
  std::string out;
  PutFixed<uint32_t>(out, Crc32c(body));
  return out + body;
}

bool AddToPage(Page& page, uint64_t hash, const KeyEntry& entry) {
  if (kPageHeaderBytes + page.entries.size() + EntryBytes(*entry.key, page.flags) > kKeyPageBytes) {
    page.flags |= kRanOver;
    return false;
  }
  PutFixed<uint64_t>(page.entries, hash);
  PutFixed<uint32_t>(page.entries, entry.location.ordinal);
  PutFixed<uint32_t>(page.entries, entry.location.document.length);
  PutFixed<uint64_t>(page.entries, entry.location.document.offset);
  std::string_view text =
      entry.key->type() == KeyType::kString ? std::string_view(entry.key->text()) : std::string_view();
  PutFixed<uint16_t>(page.entries, static_cast<uint16_t>(text.size()));
  page.entries += text;
  if ((page.flags & kWithAttributes) != 0) {
    PutFixed<uint64_t>(page.entries, entry.location.attributes.version);
    PutFixed<int64_t>(page.entries, entry.location.attributes.expires_at_ms);
  }
  ++page.count;
  return true;
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

std::string EncodeKeyPages(std::span<const KeyEntry> entries) {
  uint16_t flags = 0;
  for (const KeyEntry& entry : entries) {
    if (entry.location.attributes != RowAttributes()) flags = kWithAttributes;
  }
  size_t bytes = 0;
  // Long keys fill a page in few entries and leave an unused end each.
  size_t longest = kEntryBytes;
  for (const KeyEntry& entry : entries) {
    bytes += EntryBytes(*entry.key, flags);
    longest = std::max(longest, EntryBytes(*entry.key, flags));
  }
  double room = kFill * static_cast<double>(kKeyPageBytes - kPageHeaderBytes - longest);
  auto page_count = static_cast<uint32_t>(static_cast<double>(bytes) / room) + 1;
  std::vector<Page> pages(page_count, Page{{}, 0, flags});
  for (const KeyEntry& entry : entries) {
    uint64_t hash = HashKey(*entry.key);
    uint32_t at = KeyPageOf(hash, page_count);
    while (!AddToPage(pages[at], hash, entry)) at = (at + 1) % page_count;
  }
  std::string out;
  out.reserve(size_t{page_count} * kKeyPageBytes);
  for (const Page& page : pages) out += FinishPage(page);
  return out;
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

std::string KeyFilter::Build(std::span<const uint64_t> hashes) {
  size_t blocks =
      std::max<size_t>(1, (hashes.size() * kBitsPerKey + kFilterBlockBytes * 8 - 1) / (kFilterBlockBytes * 8));
  std::string bytes(blocks * kFilterBlockBytes, '\0');
  for (uint64_t hash : hashes) {
    char* block = bytes.data() + FilterBlockOf(hash, blocks) * kFilterBlockBytes;
    uint64_t bits = FilterBits(hash);
    for (int p = 0; p < kProbes; ++p, bits >>= 9) block[(bits & 511) >> 3] |= static_cast<char>(1 << (bits & 7));
  }
  return bytes;
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
