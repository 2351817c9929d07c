// The etag of an object on a disk: the XXH3-128 hash of its bytes, which any process can compute again.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace isotherm {

// Of bytes that come in pieces.
class ContentHash {
 public:
  ContentHash();
  ~ContentHash();
  ContentHash(ContentHash&&) noexcept;

  void Update(std::string_view bytes);
  // 32 hexadecimal digits.
  std::string Etag() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string ContentEtag(std::string_view bytes);

}  // namespace isotherm
