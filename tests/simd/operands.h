// Operands for the kernels' tests: memory that faults one byte past its ends, seeded values, and the list of levels.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "simd/kernels.h"

namespace isotherm::simd {

// Memory between two pages that may not be touched. A read past an operand that ends at the end faults, in every build;
// one into the gap before a neighbour takes bytes 0xff, which are NaN or -1 and change any sum.
class GuardedMemory {
 public:
  explicit GuardedMemory(size_t capacity) {
    page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    capacity_ = (capacity + page_ - 1) / page_ * page_;
    void* mapped = mmap(nullptr, capacity_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    begin_ = static_cast<uint8_t*>(mapped) + page_;
    if (mprotect(begin_, capacity_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    std::memset(begin_, 0xff, capacity_);
  }
  ~GuardedMemory() { munmap(begin_ - page_, capacity_ + 2 * page_); }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  // A copy that ends `gap` bytes before the end, and stays until the next Place.
  template <typename T>
  const T* PlaceAtEnd(const std::vector<T>& values, size_t gap) {
    return Place(values, begin_ + capacity_ - gap - values.size() * sizeof(T));
  }
  // A copy that begins `gap` bytes after the begin.
  template <typename T>
  const T* PlaceAtBegin(const std::vector<T>& values, size_t gap) {
    return Place(values, begin_ + gap);
  }
  // Room for n elements that ends at the end, all bytes 0xff.
  template <typename T>
  T* RoomAtEnd(size_t n) {
    std::memset(begin_, 0xff, capacity_);
    return reinterpret_cast<T*>(begin_ + capacity_ - n * sizeof(T));
  }

 private:
  template <typename T>
  const T* Place(const std::vector<T>& values, uint8_t* at) {
    if (placed_bytes_ > 0) std::memset(placed_, 0xff, placed_bytes_);
    placed_ = at;
    placed_bytes_ = values.size() * sizeof(T);
    if (placed_bytes_ > 0) std::memcpy(at, values.data(), placed_bytes_);
    return reinterpret_cast<const T*>(at);
  }

  size_t page_;
  size_t capacity_;
  uint8_t* begin_;
  uint8_t* placed_ = nullptr;
  size_t placed_bytes_ = 0;
};

class Values {
 public:
  explicit Values(uint32_t seed) : engine_(seed) {}

  // Uniform in [-scale, scale].
  std::vector<float> Floats(size_t n, float scale = 1) {
    std::uniform_real_distribution<float> uniform(-scale, scale);
    std::vector<float> values(n);
    std::generate(values.begin(), values.end(), [&] { return uniform(engine_); });
    return values;
  }
  // Zeros, subnormals and normal values below 4.
  std::vector<float16_t> Halves(size_t n) {
    std::vector<float16_t> values(n);
    for (float16_t& value : values) {
      const uint32_t bits = engine_();
      value = static_cast<float16_t>((bits & 0x83ff) | ((bits >> 16) % 17) << 10);
    }
    return values;
  }
  // All 256 values.
  std::vector<int8_t> Bytes(size_t n) {
    std::vector<int8_t> values(n);
    std::generate(values.begin(), values.end(), [&] { return static_cast<int8_t>(engine_()); });
    return values;
  }
  uint32_t Bits() { return engine_(); }

 private:
  std::mt19937 engine_;
};

// The value of a half that is finite, by its definition.
inline double HalfValue(float16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int mantissa = half & 0x3ff;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(0x400 + mantissa, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

// Every length about the vectors' widths and unrolling, and those that embeddings have.
inline std::vector<size_t> TestLengths() {
  std::vector<size_t> lengths;
  for (size_t n = 0; n <= 131; ++n) lengths.push_back(n);
  for (size_t n : {255, 256, 257, 384, 768, 1000, 1536, 4096}) lengths.push_back(n);
  return lengths;
}

// In the name that CTest shows.
inline void PrintTo(const Level& level, std::ostream* out) { *out << level.name; }

// A test run once for every level the project knows, and skipped where the processor lacks it.
class LevelTest : public testing::TestWithParam<Level> {
 protected:
  void SetUp() override {
    if (GetParam().kernels == nullptr) {
      GTEST_SKIP() << "level " << GetParam().name << " is not compiled in, or this processor lacks it";
    }
  }
  static const Kernels& kernels() { return *GetParam().kernels; }
};

inline std::string LevelTestName(const testing::TestParamInfo<Level>& info) {
  std::string name(info.param.name);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '.' || c == '-'; }, '_');
  return name;
}

inline const Kernels& Scalar() { return *Levels().back().kernels; }

}  // namespace isotherm::simd
