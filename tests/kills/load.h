// What a process under load does, step by step. The seed tells, so that whoever kills the process can say what must be
// there: it knows how many steps the process began and how many it was told to have ended.
#pragma once

#include <cstdint>
#include <string>

#include "base/splitmix.h"
#include "isotherm/isotherm.h"

namespace isotherm::testing_support {

inline constexpr uint32_t kLoadDimension = 8;
inline constexpr uint64_t kLoadKeys = 60;
inline constexpr uint64_t kFirstLapsingKey = 1000;  // keys from here on only belong to rows that lapse
inline constexpr int64_t kShortLifeMs = 2'000;      // at most
inline constexpr int64_t kLongLifeMs = 24 * 60 * 60 * 1000;

enum class Chore : uint8_t { kNone, kCompact, kMerge, kVacuum };

class LoadStep {
 public:
  LoadStep(uint64_t seed, uint64_t step) : random_(seed * 1'000'003 + step) {}

  // All or none of it is there at any time. Some are refused: an insert of a key that is there, a patch of one that is
  // not.
  WriteBatch Batch(int64_t begin_ms) {
    WriteBatch batch;
    // Now and then so many that they need a segment of their own.
    const uint64_t count = random_.Below(8) == 0 ? 25 : 1 + random_.Below(5);
    for (uint64_t i = 0; i < count; ++i) {
      if (random_.Below(5) == 0) {
        AddLapsing(batch, begin_ms);
      } else {
        AddLasting(batch, count == 25);
      }
    }
    return batch;
  }

  // What comes after the commit.
  Chore After() {
    switch (random_.Below(24)) {
      case 0: return Chore::kCompact;
      case 1: return Chore::kMerge;
      case 2: return Chore::kVacuum;
      default: return Chore::kNone;
    }
  }

 private:
  Row AnyRow(uint64_t key) {
    Row row{.key = key, .vector = {}, .metadata = {}, .payload = {}};
    for (uint32_t d = 0; d < kLoadDimension; ++d) row.vector.push_back(static_cast<float>(random_.Below(1000)) - 500);
    row.metadata["number"] = static_cast<int64_t>(random_.Below(1'000'000));
    row.payload.assign(random_.Below(8) == 0 ? 3000 : random_.Below(100), static_cast<char>('a' + random_.Below(26)));
    return row;
  }

  void AddLasting(WriteBatch& batch, bool all_fit) {
    const uint64_t key = random_.Below(kLoadKeys);
    MetadataPatch patch;
    switch (random_.Below(all_fit ? 6 : 9)) {
      case 0: batch.Delete(key); break;
      case 1: batch.SoftDelete(key); break;
      case 6: batch.Insert(AnyRow(key)); break;
      case 7:
        patch.set["patched"] = static_cast<int64_t>(random_.Below(1000));
        batch.Patch(key, patch);
        break;
      case 8: batch.Restore(key); break;
      default: batch.Upsert(AnyRow(key)); break;
    }
  }

  void AddLapsing(WriteBatch& batch, int64_t begin_ms) {
    const uint64_t key = kFirstLapsingKey + random_.Below(20);
    if (random_.Below(4) == 0) {
      batch.Delete(key);
      return;
    }
    Row row = AnyRow(key);
    const bool soon = random_.Below(2) == 0;
    row.expires_at_ms = begin_ms + (soon ? 1 + static_cast<int64_t>(random_.Below(kShortLifeMs)) : kLongLifeMs);
    batch.Upsert(std::move(row));
  }

  SplitMix64 random_;
};

inline Options UnderLoad(const std::string& cache_dir) {
  Options options;
  options.create = CreateOptions{kLoadDimension, Metric::kL2, KeyType::kInteger, {"number"}};
  options.cache_dir = cache_dir;
  options.commit_on_close = false;
  options.inline_bytes = 4096;
  options.block_cache_bytes = 1 << 20;
  options.compaction.min_rows_for_cells = 20;
  options.compaction.max_object_bytes = 8 << 10;
  return options;
}

}  // namespace isotherm::testing_support
