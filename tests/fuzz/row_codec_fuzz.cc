// Any bytes as a row, a document and a value; what is one comes back from its encoding. The first byte chooses the type
// of keys and the dimension of rows.
#include "segment/row_codec.h"
#include "tests/fuzz/sealed.h"

namespace isotherm {
namespace {

using namespace fuzz;

std::string Encoded(const Row& row) {
  std::string bytes;
  PutRow(bytes, row);
  return bytes;
}

void ReadRow(std::string_view bytes, KeyType type, uint32_t dimension) {
  Decoder in(bytes);
  Row row = GetRow(in, type, dimension);
  if (!in.ok()) return;
  // Metadata is a map: its order, and fields that are named twice, do not come back as they were.
  std::string encoded = Encoded(row);
  Require(EncodedRowBytes(row) == encoded.size());
  Decoder again(encoded);
  Row same = GetRow(again, type, dimension);
  Require(again.done() && Encoded(same) == encoded);
}

void ReadDocument(std::string_view bytes) {
  Row row;
  Status status = DecodeDocument(bytes, row);
  if (!status.ok()) {
    Require(status.code() == StatusCode::kCorruption);
    return;
  }
  std::string encoded = EncodeDocument(row);
  Row same;
  Require(DecodeDocument(encoded, same).ok() && EncodeDocument(same) == encoded && same.payload == row.payload);
}

void ReadValue(std::string_view bytes) {
  Decoder in(bytes);
  Value value = GetValue(in);
  if (!in.ok()) return;
  std::string encoded;
  PutValue(encoded, value);
  Require(encoded == bytes.substr(0, bytes.size() - in.remaining()));
  Require(!value.ToString().empty());
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  if (size == 0) return 0;
  std::string_view bytes = fuzz::ViewOf(data + 1, size - 1);
  ReadRow(bytes, (data[0] & 8) != 0 ? KeyType::kString : KeyType::kInteger, 1 + (data[0] & 7));
  ReadValue(bytes);
  ReadDocument(bytes);
  if (bytes.size() < 4) return 0;
  std::string sealed(bytes);
  fuzz::SetFixed<uint32_t>(sealed, 0, Crc32c(std::string_view(sealed).substr(4)));
  ReadDocument(sealed);
  return 0;
}
