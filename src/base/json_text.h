// Pieces of JSON text.
#pragma once

#include <string>
#include <string_view>

namespace isotherm {

// `text` in quotes, what JSON does not allow in them escaped. Bytes from 0x80 on stay as they are.
void AppendJsonString(std::string& out, std::string_view text);

// The shortest digits that give the same number again, with a point or an exponent; null for what is no number.
std::string FloatToJson(double value);

}  // namespace isotherm
