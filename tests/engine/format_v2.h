// What the collections in testdata/format-v2 are made of. It may never change: the files are not written again.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "isotherm/isotherm.h"
#include "tests/engine/mutation_model.h"

namespace isotherm::testing_support {

struct KeptV2 {
  const char* name;
  Metric metric;
  KeyType key_type;
  uint64_t max_object_bytes;  // of a compaction
  uint64_t cell_segments;
};

inline constexpr KeptV2 kKeptV2[] = {{"ip-integer", Metric::kInnerProduct, KeyType::kInteger, 4000, 2},
                                     {"l2-text", Metric::kL2, KeyType::kString, 1 << 20, 1}};
inline constexpr uint32_t kKeptV2Dimension = 3;
inline constexpr char kKeptV2Branch[] = "trial";
inline constexpr int64_t kKeptV2BeginMs = 1'700'000'000'000;
inline constexpr int64_t kKeptV2StepMs = 1000;       // between versions
inline constexpr int64_t kKeptV2EarlyMs = 60'000;    // after the beginning the first rows expire
inline constexpr int64_t kKeptV2LateMs = 1'000'000;  // and then the others
inline const std::vector<std::string> kKeptV2Columns{"colour", "share"};

inline Key KeptV2Key(uint64_t number, KeyType type) {
  if (type == KeyType::kInteger) return Key(number * 65537);
  return Key("kept " + std::to_string(number) + std::string(number % 5 * 9, 'x'));
}

// `edition` tells rows of one key apart.
inline Row KeptV2Row(uint64_t number, KeyType type, uint64_t edition = 0) {
  static const char* const kColours[] = {"red", "green", "bläulich"};
  Row row;
  row.key = KeptV2Key(number, type);
  for (uint64_t d = 0; d < kKeptV2Dimension; ++d) {
    row.vector.push_back(static_cast<float>((number * 29 + d * d * 13 + edition * 7 + 3) % 97) / 4 - 11);
  }
  row.metadata["number"] = static_cast<int64_t>(number) - 4;
  if (number % 3 != 0) row.metadata["colour"] = kColours[(number + edition) % 3];
  if (number % 4 == 0) row.metadata["share"] = static_cast<double>(number) / 8;
  if (number % 5 == 0)
    row.metadata["tags"] = Value::Array{Value("a"), Value(int64_t{7}), Value(0.25), Value(false), Value()};
  if (number % 2 == 0) row.payload = std::string(number, '\x01') + "payload " + std::to_string(edition);
  if (number == 1) row = {row.key, row.vector, {}, {}};
  if (number % 7 == 3) row.expires_at_ms = kKeptV2BeginMs + kKeptV2EarlyMs;
  if (number % 7 == 5) row.expires_at_ms = kKeptV2BeginMs + kKeptV2LateMs;
  return row;
}

// The changes of one commit, and the version that it made.
struct KeptV2Commit {
  uint64_t version = 0;
  MutationLog changes;
};

class KeptV2Changes {
 public:
  explicit KeptV2Changes(KeyType type) : type_(type) {}
  KeptV2Changes& Insert(uint64_t begin, uint64_t end) {
    for (; begin < end; ++begin) Put(MutationKind::kInsert, KeptV2Row(begin, type_));
    return *this;
  }
  KeptV2Changes& Upsert(uint64_t number) { return Put(MutationKind::kUpsert, KeptV2Row(number, type_, 1)); }
  KeptV2Changes& Patch(uint64_t number) {
    MetadataPatch patch;
    patch.set["patched"] = true;
    patch.set["colour"] = "patched";
    patch.remove.emplace_back("number");
    return Add(MutationKind::kPatch, number, std::move(patch));
  }
  KeptV2Changes& Add(MutationKind kind, uint64_t number, MetadataPatch patch = {}) {
    Mutation mutation;
    mutation.kind = kind;
    mutation.patch = std::move(patch);
    mutation.row.key = KeptV2Key(number, type_);
    log_.push_back(std::move(mutation));
    return *this;
  }
  KeptV2Changes& Put(MutationKind kind, Row row, uint64_t if_version = 0) {
    Mutation mutation;
    mutation.if_version = if_version;
    mutation.kind = kind;
    mutation.row = std::move(row);
    log_.push_back(std::move(mutation));
    return *this;
  }
  MutationLog log() const { return log_; }

 private:
  const KeyType type_;
  MutationLog log_;
};

// Of the main branch. Version 1 is empty, 3 and 4 are a compaction.
inline std::vector<KeptV2Commit> KeptV2Main(KeyType type) {
  using enum MutationKind;
  std::vector<KeptV2Commit> commits;
  // A flat segment, and then the partition.
  commits.push_back({2, KeptV2Changes(type).Insert(0, 24).log()});
  // Another flat segment, deletions in the partition.
  commits.push_back({5, KeptV2Changes(type)
                            .Upsert(2)
                            .Upsert(5)
                            .Patch(7)
                            .Patch(1)
                            .Add(kDelete, 8)
                            .Add(kDelete, 11)
                            .Add(kSoftDelete, 12)
                            .Add(kSoftDelete, 13)
                            .Add(kSoftDelete, 19)
                            .Insert(24, 32)
                            .log()});
  // Rows in the head; more deletions, over the object of deletions.
  commits.push_back({6, KeptV2Changes(type)
                            .Add(kRestore, 12)
                            .Add(kDelete, 25)
                            .Add(kSoftDelete, 28)
                            .Add(kSoftDelete, 2)
                            .Upsert(14)
                            .Insert(32, 36)
                            .log()});
  commits.push_back(
      {7, KeptV2Changes(type).Add(kSoftDelete, 33).Add(kDelete, 34).Patch(35).Upsert(13).Insert(36, 39).log()});
  return commits;
}
inline constexpr uint64_t kKeptV2Fork = 6;
inline std::vector<KeptV2Commit> KeptV2OfBranch(KeyType type) {
  using enum MutationKind;
  return {{7, KeptV2Changes(type).Add(kDelete, 32).Add(kRestore, 28).Insert(50, 53).log()},
          {8, KeptV2Changes(type).Patch(50).Add(kSoftDelete, 0).log()}};
}
inline constexpr uint64_t kKeptV2Versions = 7;
inline constexpr uint64_t kKeptV2BranchVersions = 8;

// What is committed as of a version, but for rows that a compaction dropped as expired: there was none.
inline ModelState KeptV2State(KeyType type, uint64_t version, bool of_branch) {
  ModelState state;
  auto apply = [&](const std::vector<KeptV2Commit>& commits, uint64_t first, uint64_t last) {
    for (const KeptV2Commit& commit : commits) {
      if (commit.version < first || commit.version > last) continue;
      Replayed replayed = Replay(std::move(state), commit.version, kKeptV2BeginMs).Run(commit.changes);
      EXPECT_TRUE(replayed.ok);
      state = std::move(replayed.state);
    }
  };
  apply(KeptV2Main(type), 0, of_branch ? std::min(version, kKeptV2Fork) : version);
  if (of_branch) apply(KeptV2OfBranch(type), kKeptV2Fork + 1, version);
  return state;
}

}  // namespace isotherm::testing_support
