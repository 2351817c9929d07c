#include <bit>
#include <cstring>

#include "cache/block_cache.h"
#include "cache/block_hash.h"

namespace isotherm {

namespace {

// Two lanes of multiply-and-fold over 16 bytes a step.
class Hash128 {
 public:
  void Add(uint64_t first, uint64_t second) {
    a_ = FoldedProduct(a_ ^ first, kRoot5 ^ second);
    b_ = FoldedProduct(b_ ^ second, kRoot7 ^ std::rotl(first, 32)) + a_;
  }

  // The length goes first, so that ("ab", "c") and ("a", "bc") differ.
  void Add(std::string_view text) {
    Add(text.size(), kRoot2);
    while (!text.empty()) {
      uint64_t words[2] = {0, 0};
      size_t n = text.size() < sizeof words ? text.size() : sizeof words;
      std::memcpy(words, text.data(), n);
      Add(words[0], words[1]);
      text.remove_prefix(n);
    }
  }

  BlockKey Finish() const {
    return {FoldedProduct(a_ ^ kRoot3, b_ ^ kRoot5), FoldedProduct(b_ ^ kRoot7, std::rotl(a_, 29) ^ kRoot2)};
  }

 private:
  uint64_t a_ = kRoot2;
  uint64_t b_ = kRoot3;
};

}  // namespace

BlockKey BlockKey::Of(std::string_view scope, std::string_view object, uint64_t offset) {
  Hash128 hash;
  hash.Add(scope);
  hash.Add(object);
  hash.Add(offset, kRoot3);
  return hash.Finish();
}

}  // namespace isotherm
