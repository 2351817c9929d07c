#include "blob/content_etag.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/sha256.h"

namespace isotherm {

namespace {

std::string EtagOf(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  return ToHex({reinterpret_cast<const char*>(canonical.digest), sizeof(canonical.digest)});
}

}  // namespace

struct ContentHash::State {
  XXH3_state_t xxh3;
};

ContentHash::ContentHash() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh3); }
ContentHash::~ContentHash() = default;
ContentHash::ContentHash(ContentHash&&) noexcept = default;

void ContentHash::Update(std::string_view bytes) { XXH3_128bits_update(&state_->xxh3, bytes.data(), bytes.size()); }

std::string ContentHash::Etag() const { return EtagOf(XXH3_128bits_digest(&state_->xxh3)); }

std::string ContentEtag(std::string_view bytes) { return EtagOf(XXH3_128bits(bytes.data(), bytes.size())); }

}  // namespace isotherm
