// Any bytes as a .npy, .fvecs, .bvecs or .ivecs file, as the tool imports them; and what is an array of floats comes
// back from the file that is written of it. And any text as a time, a span and base64.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/sealed.h"
#include "tools/formats/base64.h"
#include "tools/formats/npy.h"
#include "tools/formats/time_text.h"
#include "tools/formats/vecs.h"

namespace isotherm {
namespace {

using namespace fuzz;

// A file in memory.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(::memfd_create("fuzz", 0)) {
    Require(descriptor_ >= 0);
    Require(::write(descriptor_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  const int descriptor_;
};

constexpr size_t kMostNumbers = 1 << 16;

void ReadNpy(const std::string& path, size_t size) {
  auto opened = formats::NpyReader::Open(path);
  if (!opened.ok()) {
    Require(opened.status().code() == StatusCode::kInvalidArgument);
    return;
  }
  Require(opened->rows() == 0 || opened->columns() <= size);
  Require(!opened->ReadFloats(opened->rows(), 1).ok());
  if (opened->columns() == 0 || opened->columns() > kMostNumbers) return;
  size_t rows = std::min(opened->rows(), kMostNumbers / opened->columns());
  auto integers = opened->ReadIntegers(0, rows);
  auto floats = opened->ReadFloats(0, rows);
  Require(floats.ok() || integers.ok());
  if (integers.ok()) Require(integers->size() == rows * opened->columns());
  if (!floats.ok()) return;
  Require(floats->size() == rows * opened->columns());
  MemoryFile written("");
  Require(formats::WriteNpy(written.path(), std::span<const float>(*floats), opened->columns()).ok());
  auto again = formats::NpyReader::Open(written.path());
  Require(again.ok() && again->rows() == rows && again->columns() == opened->columns());
  auto same = again->ReadFloats(0, rows);
  Require(same.ok() && same->size() == floats->size());
  Require(floats->empty() || std::memcmp(same->data(), floats->data(), floats->size() * sizeof(float)) == 0);
}

// The name says the type, so here it is a file that has one.
void ReadVecs(std::string_view bytes) {
  const std::string stem = (std::filesystem::temp_directory_path() / "isotherm-fuzz-").string();
  for (const char* suffix : {".fvecs", ".bvecs", ".ivecs"}) {
    const std::string path = stem + std::to_string(::getpid()) + suffix;
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    auto opened = formats::VecsReader::Open(path);
    if (opened.ok()) {
      Require(opened->rows() * opened->dimension() <= bytes.size());
      Require(!opened->ReadFloats(opened->rows(), 1).ok());
      auto floats = opened->ReadFloats(0, opened->rows());
      auto integers = opened->ReadIntegers(0, opened->rows());
      // A row that says another dimension than the first makes both fail.
      if (floats.ok()) Require(floats->size() == opened->rows() * opened->dimension());
      if (integers.ok()) Require(integers->size() == opened->rows() * opened->dimension());
    } else {
      Require(opened.status().code() == StatusCode::kInvalidArgument);
    }
    std::filesystem::remove(path);
  }
}

void ReadTexts(std::string_view text) {
  if (auto time = formats::ParseTime(text); time.ok()) {
    auto again = formats::ParseTime(formats::FormatTime(*time));
    Require(again.ok() && *again == *time);
  }
  if (auto span = formats::ParseSpan(text); span.ok()) Require(*span >= 0);
  std::string encoded = formats::EncodeBase64(text);
  auto decoded = formats::DecodeBase64(encoded);
  Require(decoded.ok() && *decoded == text);
  if (auto bytes = formats::DecodeBase64(text); bytes.ok()) {
    // Bits beyond the last byte are not looked at.
    auto again = formats::DecodeBase64(formats::EncodeBase64(*bytes));
    Require(again.ok() && *again == *bytes);
  }
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  std::string_view bytes = fuzz::ViewOf(data, size);
  ReadNpy(MemoryFile(bytes).path(), size);
  // Touches a disk: not every time.
  if (size % 8 == 0) ReadVecs(bytes);
  ReadTexts(bytes);
  return 0;
}
