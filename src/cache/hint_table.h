// Small named values that the disk cache keeps across restarts.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "isotherm/status.h"

namespace isotherm {

// Not thread-safe.
class HintTable {
 public:
  // The encoded table never grows beyond `max_bytes`: the values that were put longest ago make room.
  explicit HintTable(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // False when nothing changed: the value was there, or does not fit at all.
  bool Put(std::string_view name, std::string_view value);
  std::string Get(std::string_view name) const;  // empty when there is none

  std::string Encode() const;
  // Replaces everything. kCorruption, and nothing changed, when `bytes` is not what Encode gave.
  Status Decode(std::string_view bytes);

 private:
  struct Hint {
    std::string value;
    uint64_t put = 0;  // which Put it was
  };
  void Store(std::string_view name, std::string_view value);
  uint64_t EncodedBytes() const;

  uint64_t max_bytes_;
  std::map<std::string, Hint, std::less<>> hints_;
  std::map<uint64_t, std::string> names_by_put_;
  uint64_t text_bytes_ = 0;
  uint64_t puts_ = 0;
};

}  // namespace isotherm
