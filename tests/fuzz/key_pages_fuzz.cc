// Any bytes as a page of keys: all that it lists is found, and found again in the pages that are built of it. And any
// bytes as a filter of keys.
#include "base/coding.h"
#include "segment/key_pages.h"
#include "tests/fuzz/sealed.h"

#include <map>
#include <optional>

namespace isotherm {
namespace {

using namespace fuzz;

// Of the hash of an integer: the finaliser's steps backwards.
uint64_t Unhash(uint64_t h) {
  h ^= h >> 33;
  h *= 0x9cb4b2f8129337db;
  h ^= h >> 33;
  h *= 0x4f74430c22a54005;
  return h ^ (h >> 33);
}

// The key of an entry; nothing where the page says another hash than its text has.
std::optional<Key> KeyOf(uint64_t hash, std::string_view text) {
  Key key = text.empty() ? Key(Unhash(hash)) : Key(std::string(text));
  if (HashKey(key) != hash || text.size() > kMaxKeyBytes) return std::nullopt;
  return key;
}

bool Same(const KeyLocation& a, const KeyLocation& b) {
  return a.ordinal == b.ordinal && a.document.offset == b.document.offset && a.document.length == b.document.length &&
         a.attributes == b.attributes;
}

void FindInPages(std::string_view pages, const Key& key, const KeyLocation& expected) {
  auto count = static_cast<uint32_t>(pages.size() / kKeyPageBytes);
  uint32_t page = KeyPageOf(HashKey(key), count);
  for (uint32_t tried = 0; tried < count; ++tried, page = (page + 1) % count) {
    auto found = FindInKeyPage(pages.substr(size_t{page} * kKeyPageBytes, kKeyPageBytes), key);
    Require(found.ok());
    if (found->found) {
      Require(Same(*found->found, expected));
      return;
    }
    Require(found->look_further);
  }
  Require(false);
}

void Read(std::string_view page) {
  std::map<Key, KeyLocation> first;
  Status status = VisitKeyPage(page, [&](uint64_t hash, std::string_view text, const KeyLocation& location) {
    if (auto key = KeyOf(hash, text)) first.emplace(*key, location);
  });
  if (!status.ok()) {
    Require(status.code() == StatusCode::kCorruption);
    Require(FindInKeyPage(page, Key(uint64_t{1})).status().code() != StatusCode::kInternal);
    return;
  }
  KeyTotals totals;
  for (const auto& [key, location] : first) {
    auto found = FindInKeyPage(page, key);
    Require(found.ok() && found->found && Same(*found->found, location));
    totals.Add(key, location.attributes);
  }
  KeyPageBuilder builder(totals);
  std::string filter = KeyFilter::Make(first.size());
  for (const auto& [key, location] : first) {
    Require(builder.Add(key, location).ok());
    KeyFilter::Add(filter, HashKey(key));
  }
  std::string pages = builder.Finish();
  for (const auto& [key, location] : first) {
    FindInPages(pages, key, location);
    Require(KeyFilter::MayContain(filter, HashKey(key)));
  }
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  std::string_view bytes = fuzz::ViewOf(data, size);
  for (uint64_t hash : {uint64_t{0}, ~uint64_t{0}, uint64_t{size} << 32}) KeyFilter::MayContain(bytes, hash);
  Read(bytes);
  std::string page(bytes.substr(0, kKeyPageBytes));
  page.resize(kKeyPageBytes);
  fuzz::SetFixed<uint32_t>(page, 0, Crc32c(std::string_view(page).substr(4)));
  Read(page);
  return 0;
}
