#include "base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

#include "base/crc32c_fold.h"

namespace isotherm {

namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected

// tables[k][b]: the crc of byte b followed by k zero bytes, for eight bytes a step.
constexpr std::array<std::array<uint32_t, 256>, 8> MakeTables() {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      uint32_t previous = tables[k - 1][byte];
      tables[k][byte] = (previous >> 8) ^ tables[0][previous & 255];
    }
  }
  return tables;
}

constexpr auto kTables = MakeTables();

uint32_t ExtendByTable(uint32_t crc, const char* p, size_t n) {
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    word ^= crc;
    crc = 0;
    for (size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][(word >> (8 * k)) & 255];
  }
  for (; n > 0; ++p, --n) crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint8_t>(*p)) & 255];
  return crc;
}

#if defined(__x86_64__)

// The instruction has a latency of three cycles and a throughput of one: three streams of kLane bytes run side by side
// and are joined by shifting a crc over kLane zero bytes.
constexpr size_t kLane = 1024;

// shift[k][b]: the crc whose byte k is b, moved over kLane zero bytes.
std::array<std::array<uint32_t, 256>, 4> MakeShiftTables() {
  std::array<std::array<uint32_t, 256>, 4> shift{};
  for (size_t k = 0; k < 4; ++k) {
    for (uint32_t byte = 1; byte < 256; ++byte) {
      // A crc is linear: only single bits are moved step by step. The first cold query of a process waits for this.
      if (uint32_t lowest = byte & -byte; lowest != byte) {
        shift[k][byte] = shift[k][lowest] ^ shift[k][byte ^ lowest];
        continue;
      }
      uint32_t crc = byte << (8 * k);
      for (size_t i = 0; i < kLane; ++i) crc = (crc >> 8) ^ kTables[0][crc & 255];
      shift[k][byte] = crc;
    }
  }
  return shift;
}

__attribute__((target("sse4.2"))) uint32_t ExtendByInstruction(uint32_t start, const char* p, size_t n) {
  static const auto kShift = MakeShiftTables();
  auto shift_lane = [](uint32_t crc) {
    return kShift[0][crc & 255] ^ kShift[1][(crc >> 8) & 255] ^ kShift[2][(crc >> 16) & 255] ^ kShift[3][crc >> 24];
  };
  auto word = [](const char* at) {
    uint64_t value;
    std::memcpy(&value, at, 8);
    return value;
  };
  uint64_t crc = start;
  for (; n >= 3 * kLane; p += 3 * kLane, n -= 3 * kLane) {
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t i = 0; i < kLane; i += 8) {
      crc = _mm_crc32_u64(crc, word(p + i));
      second = _mm_crc32_u64(second, word(p + kLane + i));
      third = _mm_crc32_u64(third, word(p + 2 * kLane + i));
    }
    crc = shift_lane(static_cast<uint32_t>(crc)) ^ second;
    crc = shift_lane(static_cast<uint32_t>(crc)) ^ third;
  }
  for (; n >= 8; p += 8, n -= 8) crc = _mm_crc32_u64(crc, word(p));
  auto result = static_cast<uint32_t>(crc);
  for (; n > 0; ++p, --n) result = _mm_crc32_u8(result, static_cast<uint8_t>(*p));
  return result;
}

bool HasInstruction() { return __builtin_cpu_supports("sse4.2") != 0; }

#elif defined(__aarch64__)

__attribute__((target("+crc"))) uint32_t ExtendByInstruction(uint32_t crc, const char* p, size_t n) {
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t value;
    std::memcpy(&value, p, 8);
    crc = __crc32cd(crc, value);
  }
  for (; n > 0; ++p, --n) crc = __crc32cb(crc, static_cast<uint8_t>(*p));
  return crc;
}

bool HasInstruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

#else

uint32_t ExtendByInstruction(uint32_t crc, const char* p, size_t n) { return ExtendByTable(crc, p, n); }
bool HasInstruction() { return false; }

#endif

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes) {
  static const bool has_instruction = HasInstruction();
  static const bool can_fold = CanFoldCrc32c();
  crc = ~crc;
  if (can_fold && bytes.size() >= kMinFoldedBytes) {
    size_t folded = bytes.size() / kFoldStride * kFoldStride;
    crc = FoldCrc32c(crc, bytes.data(), folded);
    bytes.remove_prefix(folded);
  }
  crc = has_instruction ? ExtendByInstruction(crc, bytes.data(), bytes.size())
                        : ExtendByTable(crc, bytes.data(), bytes.size());
  return ~crc;
}

uint32_t ExtendCrc32cPortable(uint32_t crc, std::string_view bytes) {
  return ~ExtendByTable(~crc, bytes.data(), bytes.size());
}

uint32_t Crc32c(std::string_view bytes) { return ExtendCrc32c(0, bytes); }

}  // namespace isotherm
