// Rows as bytes: metadata values, documents (metadata and payload), and whole rows for the head. docs/format.md has the
// byte tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "isotherm/row.h"
#include "isotherm/status.h"

namespace isotherm {

void PutValue(std::string& out, const Value& value);
// Fails the decoder on anything malformed.
Value GetValue(Decoder& in);

void PutMetadata(std::string& out, const Metadata& metadata);
Metadata GetMetadata(Decoder& in);

void PutKey(std::string& out, const Key& key);
Key GetKey(Decoder& in, KeyType type);

// What is stored of a row apart from its vector: crc32c of the rest, metadata, payload. Empty for a row with neither.
std::string EncodeDocument(const Row& row);
// Sets the row's metadata and payload; Corruption on a wrong checksum or malformed bytes.
Status DecodeDocument(std::string_view bytes, Row& row);

// A whole row, without a checksum of its own.
void PutRow(std::string& out, const Row& row);
Row GetRow(Decoder& in, KeyType type, uint32_t dimension);
size_t EncodedRowBytes(const Row& row);

}  // namespace isotherm
