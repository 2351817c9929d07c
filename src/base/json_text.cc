#include "base/json_text.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace isotherm {

void AppendJsonString(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out.push_back('"');
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      out += "\\u00";
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

std::string FloatToJson(double value) {
  if (!std::isfinite(value)) return "null";  // JSON has no such numbers
  char buffer[32];
  for (int digits : {15, 16, 17}) {
    std::snprintf(buffer, sizeof(buffer), "%.*g", digits, value);
    if (std::strtod(buffer, nullptr) == value) break;
  }
  std::string text = buffer;
  // 1.0 stays a float when it is read again.
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

}  // namespace isotherm
