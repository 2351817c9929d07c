#include "base/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "base/memory_budget.h"

namespace isotherm {
namespace {

constexpr size_t kChunk = Arena::kChunkBytes;

bool IsZero(const std::byte* bytes, size_t n) {
  return std::all_of(bytes, bytes + n, [](std::byte b) { return b == std::byte{0}; });
}

TEST(Arena, GivesZerosAtAlignedAddressesThatDoNotOverlap) {
  Arena arena(nullptr, MemoryUse::kOther);
  uint64_t used = 0, padding = 0;
  for (size_t i = 1; i < 3000; ++i) {
    const size_t bytes = i * 37 % 5000;
    const size_t alignment = size_t{1} << i % 13;
    std::byte* at = arena.Allocate(bytes, alignment).value();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(at) % alignment, 0U);
    EXPECT_TRUE(IsZero(at, bytes)) << i;
    std::memset(at, 0xff, bytes);
    used += bytes;
    padding += alignment;
  }
  EXPECT_EQ(arena.used_bytes(), used);
  EXPECT_EQ(arena.chunk_bytes() % kChunk, 0U);
  EXPECT_LE(arena.chunk_bytes(), used + padding + kChunk);
}

TEST(Arena, HoldsNothingBeforeItAllocates) {
  auto budget = MakeMemoryBudget(kChunk);
  Arena arena(budget, MemoryUse::kMemtable);
  EXPECT_EQ(arena.chunk_bytes(), 0U);
  EXPECT_EQ(UsageOf(*budget).used_bytes, 0U);
}

TEST(Arena, ChunksAreReservedOfTheBudgetAndGivenBackTogether) {
  auto budget = MakeMemoryBudget(3 * kChunk);
  {
    Arena arena(budget, MemoryUse::kMemtable);
    ASSERT_TRUE(arena.Allocate(1, 1).ok());
    EXPECT_EQ(UsageOf(*budget).used_bytes, kChunk);
    ASSERT_TRUE(arena.Allocate(kChunk + 1, 64).ok());
    EXPECT_EQ(UsageOf(*budget).used_bytes, 3 * kChunk);
    EXPECT_EQ(UsageOf(*budget).by_use[static_cast<int>(MemoryUse::kMemtable)], 3 * kChunk);
    EXPECT_EQ(arena.chunk_bytes(), 3 * kChunk);
  }
  EXPECT_EQ(UsageOf(*budget).used_bytes, 0U);
}

TEST(Arena, ARefusedChunkLeavesItAsItWas) {
  auto budget = MakeMemoryBudget(kChunk);
  Arena arena(budget, MemoryUse::kMemtable);
  std::byte* first = arena.Allocate(kChunk / 2, 64).value();
  EXPECT_EQ(arena.Allocate(kChunk, 64).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(arena.used_bytes(), kChunk / 2);
  EXPECT_EQ(arena.Allocate(kChunk / 2, 64).value(), first + kChunk / 2);
  EXPECT_EQ(arena.Allocate(1, 1).status().code(), StatusCode::kResourceExhausted);
}

TEST(Arena, AnAllocationLargerThanAChunkDoesNotWasteTheRestOfTheOldOne) {
  Arena arena(nullptr, MemoryUse::kOther);
  std::byte* first = arena.Allocate(64, 64).value();
  std::byte* large = arena.Allocate(kChunk + kChunk - 1, 64).value();
  std::memset(large, 1, 2 * kChunk - 1);
  EXPECT_EQ(arena.Allocate(64, 64).value(), first + 64);
}

TEST(Arena, MoreThanTheMachineHasIsRefused) {
  Arena arena(nullptr, MemoryUse::kOther);
  EXPECT_EQ(arena.Allocate(size_t{1} << 60, 64).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(arena.Allocate(SIZE_MAX, 64).status().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(arena.Allocate(64, 64).ok());
}

TEST(Arena, ThreadsShareIt) {
  constexpr size_t kThreads = 4, kEach = 5000, kBytes = 800;
  Arena arena(nullptr, MemoryUse::kOther);
  std::vector<std::thread> threads;
  std::vector<std::vector<std::byte*>> got(kThreads);
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < kEach; ++i) {
        std::byte* at = arena.Allocate(kBytes, 32).value();
        std::memset(at, static_cast<int>(t + 1), kBytes);
        got[t].push_back(at);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 0; t < kThreads; ++t) {
    for (const std::byte* at : got[t]) {
      EXPECT_EQ(at[0], static_cast<std::byte>(t + 1));
      EXPECT_EQ(std::memcmp(at, at + 1, kBytes - 1), 0);
    }
  }
}

}  // namespace
}  // namespace isotherm
