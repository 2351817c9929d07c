#include "tests/simulation/operations.h"

namespace isotherm::simulation {

const std::vector<Operation>& Operations() {
  static const std::vector<Operation> operations{
      {"write", {36, 0, 4, 4}, false, WriteRows},
      {"write bad rows", {1, 1, 0, 0}, false, WriteBadRows},
      {"commit", {24, 1, 2, 3}, false, CommitRows},
      {"discard", {1, 0, 1, 1}, false, Discard},
      {"compact", {1, 0, 14, 0}, false, Compact},
      {"close", {2, 3, 1, 1}, true, Close},
      {"get", {12, 16, 2, 1}, false, Get},
      {"contains", {4, 6, 0, 0}, false, Contains},
      {"scan", {4, 10, 2, 2}, false, Scan},
      {"scan of softly deleted rows", {1, 3, 0, 0}, false, ScanSoftlyDeleted},
      {"exact search", {6, 14, 2, 1}, false, SearchExactly},
      {"search", {3, 8, 1, 0}, false, SearchByCode},
      {"refresh", {5, 20, 6, 4}, false, Refresh},
      {"verify", {0, 1, 1, 1}, false, Verify},
      {"versions", {0, 2, 0, 3}, false, ListVersions},
      {"erase", {1, 0, 2, 4}, false, Erase},
      {"rollback", {0, 0, 0, 3}, false, Rollback},
      {"vacuum", {0, 0, 2, 9}, false, Vacuum},
      {"create branch", {0, 0, 0, 3}, false, CreateBranch},
      {"delete branch", {0, 0, 0, 2}, false, DeleteBranch},
      {"fast-forward", {0, 0, 0, 1}, false, FastForward},
      {"branch and return", {0, 0, 0, 3}, true, BranchAndReturn},
  };
  return operations;
}

const Operation& ChooseOperation(Worker& worker) {
  auto weight = [&](const Operation& operation) {
    if (operation.main_only && !worker.main) return 0U;
    return operation.weights[static_cast<size_t>(worker.role)];
  };
  uint64_t sum = 0;
  for (const Operation& operation : Operations()) sum += weight(operation);
  uint64_t left = worker.random.Below(sum);
  for (const Operation& operation : Operations()) {
    if (left < weight(operation)) return operation;
    left -= weight(operation);
  }
  return Operations().front();
}

namespace {

constexpr uint64_t kKeysOfAHandle = 1'000'000;

}  // namespace

uint64_t AnyKey(Worker& worker) {
  const uint64_t shared = worker.session.world().settings().shared_keys;
  if (worker.random.Below(2) == 0) return worker.random.Below(shared);
  uint64_t handle = 1 + worker.random.Below(worker.session.handle().id);
  return handle * kKeysOfAHandle + worker.random.Below(16);
}

Row MakeRow(Worker& worker, uint64_t key) {
  SplitMix64& random = worker.random;
  Row row;
  row.key = key;
  // Small whole numbers: distances are exact.
  for (uint32_t i = 0; i < worker.session.world().settings().create.dimension; ++i) {
    row.vector.push_back(static_cast<float>(static_cast<int>(random.Below(17)) - 8));
  }
  row.metadata["n"] = static_cast<int64_t>(random.Below(1000));
  row.metadata["by"] = worker.session.handle().name;
  if (random.Below(6) == 0) {
    row.expires_at_ms = worker.session.process().WallMs() + static_cast<int64_t>(random.Below(40'000)) - 1000;
  }
  const size_t more = random.Below(8) == 0 ? random.Below(1500) : random.Below(20);
  const std::string marker = worker.session.world().NewMarker();
  row.payload = marker + std::string(more, static_cast<char>('a' + random.Below(26)));
  // Blocks that are searched, and cached, have it too.
  row.metadata["m"] = marker;
  return row;
}

}  // namespace isotherm::simulation
