// Little-endian encoding into a string, and bounds-checked decoding out of one.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace isotherm {

static_assert(std::endian::native == std::endian::little, "big-endian machines need byte swaps here");

template <typename T>
void PutFixed(std::string& out, T value) {
  static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

inline void PutBytes(std::string& out, std::string_view bytes) {
  PutFixed<uint32_t>(out, static_cast<uint32_t>(bytes.size()));
  out.append(bytes);
}

// Reads from the front of a view. Once a read does not fit, every later one fails too and ok() stays false, so that a
// decoder checks once at its end. A failed read gives zero or an empty view.
class Decoder {
 public:
  explicit Decoder(std::string_view input) : rest_(input) {}

  template <typename T>
  T Fixed() {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    T value{};
    std::string_view bytes = Raw(sizeof(T));
    if (ok_) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }

  // The next `n` bytes, not copied.
  std::string_view Raw(uint64_t n) {
    if (!ok_ || n > rest_.size()) {
      ok_ = false;
      return {};
    }
    std::string_view bytes = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return bytes;
  }

  std::string_view Bytes() { return Raw(Fixed<uint32_t>()); }

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  size_t remaining() const { return rest_.size(); }
  void Fail() { ok_ = false; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace isotherm
