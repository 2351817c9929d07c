#include "tools/formats/base64.h"

#include <algorithm>
#include <cstdint>

namespace isotherm::formats {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = (group << 8) | (j < count ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) out.push_back(j <= count ? kAlphabet[(group >> (18 - 6 * j)) & 63] : '=');
  }
  return out;
}

Result<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return Status::InvalidArgument("base64 of " + std::to_string(text.size()) +
                                   " characters; a multiple of 4 is wanted");
  }
  size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string out;
  for (size_t i = 0; i < text.size(); i += 4) {
    uint32_t group = 0;
    size_t digits = i + 4 == text.size() ? 4 - padding : 4;
    for (size_t j = 0; j < 4; ++j) {
      size_t digit = j < digits ? kAlphabet.find(text[i + j]) : 0;
      if (digit == std::string_view::npos) {
        return Status::InvalidArgument("character " + std::to_string(i + j) + " is none of base64's");
      }
      group = (group << 6) | static_cast<uint32_t>(digit);
    }
    for (size_t j = 0; j + 1 < digits; ++j) out.push_back(static_cast<char>(group >> (16 - 8 * j)));
  }
  return out;
}

}  // namespace isotherm::formats
