// Any bytes as a file of the disk cache: a slab, or hints. What is read of it lies inside of it.
#include <algorithm>

#include "cache/hint_table.h"
#include "cache/slab_file.h"
#include "tests/fuzz/sealed.h"

namespace isotherm {
namespace {

using namespace fuzz;

class BytesAsFile : public File {
 public:
  explicit BytesAsFile(std::string_view bytes) : bytes_(bytes) {}
  Result<size_t> Read(uint64_t offset, std::span<char> out) override {
    if (offset >= bytes_.size()) return size_t{0};
    size_t count = std::min<size_t>(out.size(), bytes_.size() - offset);
    std::copy_n(bytes_.data() + offset, count, out.data());
    return count;
  }
  Status Write(uint64_t, std::string_view) override { return Status::ReadOnly("bytes of a test"); }
  Status Sync() override { return Status::Ok(); }
  Result<uint64_t> Size() override { return uint64_t{bytes_.size()}; }

 private:
  const std::string_view bytes_;
};

void ReadAsSlab(std::string_view bytes) {
  BytesAsFile file(bytes);
  auto slab = ReadSlab(file, bytes.size());
  if (!slab.ok()) {
    Require(slab.status().code() == StatusCode::kCorruption || slab.status().code() == StatusCode::kUnsupported);
    return;
  }
  uint64_t end = kSlabFileHeaderBytes;
  for (const SlabEntry& entry : slab->entries) end += kSlabEntryHeaderBytes + entry.length;
  Require(end == slab->entries_end && end <= bytes.size());
  if (slab->sealed) Require(bytes.substr(end) == EncodeSlabFooter(slab->entries));
}

void ReadAsHints(std::string_view bytes) {
  HintTable table(4096);
  Status status = table.Decode(bytes);
  if (!status.ok()) {
    Require(status.code() == StatusCode::kCorruption);
    return;
  }
  std::string encoded = table.Encode();
  HintTable again(4096);
  Require(again.Decode(encoded).ok() && again.Encode() == encoded);
}

// All checksums of headers as they should be, for as long as the lengths lead on.
std::string SealedSlab(std::string_view bytes) {
  std::string sealed(bytes);
  std::string header = EncodeSlabFileHeader();
  if (sealed.size() < header.size()) return sealed;
  sealed.replace(0, header.size(), header);
  for (size_t at = header.size(); at + kSlabEntryHeaderBytes <= sealed.size();) {
    uint32_t length = 0;
    std::memcpy(&length, sealed.data() + at + 20, sizeof(length));
    length &= 1023;
    SetFixed<uint32_t>(sealed, at + 20, length);
    sealed.replace(at, 4, EncodeSlabEntryHeader({}).substr(0, 4));
    SetFixed<uint32_t>(sealed, at + 28, Crc32c(std::string_view(sealed).substr(at, 28)));
    at += kSlabEntryHeaderBytes + length;
  }
  return sealed;
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  std::string_view bytes = fuzz::ViewOf(data, size);
  ReadAsSlab(bytes);
  ReadAsSlab(SealedSlab(bytes));
  ReadAsHints(bytes);
  if (size < 16) return 0;
  std::string sealed(bytes);
  fuzz::SetFixed<uint32_t>(sealed, size - 4, Crc32c(bytes.substr(0, size - 4)));
  ReadAsHints(sealed);
  return 0;
}
