// A collection in a local directory whose power fails, and whose disk fails or fills up, at every single operation of
// creating, committing, spilling and compacting. D1 … are the invariants of docs/durability.md.
#include <gtest/gtest.h>

#include <functional>

#include "blob/local_store.h"
#include "tests/base/manual_clock.h"
#include "tests/base/simulated_file_system.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

// A machine with a disk, and the program that runs on it.
class Machine {
 public:
  Machine() {
    environment_ = EnvironmentWithClock(std::make_shared<ManualClock>());
    disk_ = std::make_shared<SimulatedFileSystem>();
    environment_->file_system = disk_;
    options_ = CreatingSmall();
    options_.env = environment_;
    options_.inline_bytes = 4096;
  }

  SimulatedFileSystem& disk() { return *disk_; }
  // Of a program that has just started.
  std::shared_ptr<BlobStore> NewStore() { return std::make_shared<LocalBlobStore>("data/collection", environment_); }
  // Of a reader of what is there.
  Options Existing(bool read_only = false) const {
    Options options;
    options.env = environment_;
    options.read_only = read_only;
    return options;
  }

  // What the program has been told, and what it has asked for.
  uint64_t acknowledged_rows() const { return acknowledged_rows_; }
  uint64_t asked_rows() const { return asked_rows_; }
  bool created() const { return collection_ != nullptr; }

  // Every step of the program; true when all have succeeded. A step is repeated as often as `again` says, given its
  // failure; another one begins after it has succeeded only.
  bool Run(const std::function<bool(const Status&)>& again) {
    while (collection_ == nullptr) {
      auto opened = Open(NewStore(), options_);
      if (opened.ok()) {
        collection_ = std::move(opened).value();
      } else if (!again(opened.status())) {
        return false;
      }
    }
    // In the head; in it still; beyond its room; beside a segment in the head; beyond that.
    return Commit(3, again) && Commit(2, again) && Commit(30, again) && Commit(1, again) && Commit(9, again) &&
           Compact(again) && Commit(1, again) && Commit(2, again) && Compact(again) && Commit(1, again);
  }

  // What is on the disk is one of the states that the program may expect, whole; and somebody can go on from there.
  void ExpectConsistent() {
    auto reopened = Open(NewStore(), created() ? Existing() : options_);
    ASSERT_TRUE(reopened.ok()) << reopened.status();
    std::vector<uint64_t> keys = ScanKeys(**reopened);
    EXPECT_TRUE(keys.size() == acknowledged_rows_ || keys.size() == asked_rows_)
        << keys.size() << " rows; " << acknowledged_rows_ << " were acknowledged, " << asked_rows_ << " asked for";
    EXPECT_EQ(keys, KeyRange(0, keys.size()));
    ExpectClean(**reopened);
    uint64_t version = (*reopened)->Stats().version;
    ASSERT_TRUE((*reopened)->Insert(NumberedRow(keys.size())).ok());
    Status status = (*reopened)->Commit();
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ((*reopened)->Stats().version, version + 1);
    // E7: again, right after the acknowledgement.
    disk_->PowerLoss();
    EXPECT_EQ(ScanKeys(*MustOpen(NewStore(), Existing())), KeyRange(0, keys.size() + 1));
  }

 private:
  bool Commit(uint64_t rows, const std::function<bool(const Status&)>& again) {
    asked_rows_ = acknowledged_rows_ + rows;
    Status status = collection_->InsertBatch(NumberedRows(acknowledged_rows_, rows));
    while (!status.ok()) {
      if (!again(status)) return false;
      status = collection_->InsertBatch(NumberedRows(acknowledged_rows_, rows));
    }
    for (status = collection_->Commit(); !status.ok(); status = collection_->Commit()) {
      if (!again(status)) return false;
    }
    acknowledged_rows_ = asked_rows_;
    return true;
  }

  bool Compact(const std::function<bool(const Status&)>& again) {
    CompactOptions cells;
    cells.min_rows_for_cells = 1;
    cells.cells = 3;
    cells.max_object_bytes = 8 << 10;
    for (Status status = collection_->Compact(cells); !status.ok(); status = collection_->Compact(cells)) {
      if (!again(status)) return false;
    }
    return true;
  }

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<SimulatedFileSystem> disk_;
  Options options_;
  std::unique_ptr<Collection> collection_;
  uint64_t acknowledged_rows_ = 0;
  uint64_t asked_rows_ = 0;
};

bool Never(const Status&) { return false; }

uint64_t CountOperations() {
  Machine machine;
  EXPECT_TRUE(machine.Run(Never));
  return machine.disk().operations();
}

// D1, D2.
TEST(PowerLoss, AtEveryOperationLeavesTheLastAcknowledgedVersionOrTheOneInFlight) {
  constexpr uint64_t kSeeds = 3;
  uint64_t count = CountOperations();
  for (uint64_t operation = 0; operation <= count; ++operation) {
    for (uint64_t seed = 0; seed <= kSeeds; ++seed) {
      SCOPED_TRACE("operation " + std::to_string(operation) + " of " + std::to_string(count) + ", seed " +
                   std::to_string(seed));
      Machine machine;
      machine.disk().CutPowerAt(operation);
      EXPECT_EQ(machine.Run(Never), operation == count);
      if (seed == 0) {
        machine.disk().PowerLoss();
      } else {
        machine.disk().PowerLoss(seed + operation * kSeeds);
      }
      machine.ExpectConsistent();
      if (HasFailure()) return;
    }
  }
}

// The process dies, the machine does not.
TEST(PowerLoss, DyingAtEveryOperationLeavesTheLastAcknowledgedVersionOrTheOneInFlight) {
  uint64_t count = CountOperations();
  for (uint64_t operation = 0; operation < count; ++operation) {
    SCOPED_TRACE("operation " + std::to_string(operation) + " of " + std::to_string(count));
    Machine machine;
    machine.disk().CutPowerAt(operation);
    EXPECT_FALSE(machine.Run(Never));
    machine.disk().ClearFailures();
    machine.ExpectConsistent();
    if (HasFailure()) return;
  }
}

// D4, D10, E10: a failure says that nothing was committed, or kUnknown; when its cause is gone, the same handle goes
// on, and what it then acknowledges survives.
TEST(DiskFailure, AtEveryOperationIsReportedAndLosesNothing) {
  uint64_t count = CountOperations();
  for (const Status& injected : {Status::ResourceExhausted("no space left"), Status::IoError("input/output error")}) {
    for (uint64_t operation = 0; operation < count; ++operation) {
      for (uint64_t lasting : {1, 5}) {
        SCOPED_TRACE("operation " + std::to_string(operation) + " of " + std::to_string(count) + " and " +
                     std::to_string(lasting) + " in all: " + injected.message());
        Machine machine;
        for (uint64_t i = 0; i < lasting; ++i) machine.disk().FailAt(operation + i, injected);
        auto again = [&](const Status& status) {
          EXPECT_TRUE(status.code() == injected.code() || status.code() == StatusCode::kUnknown ||
                      status.code() == StatusCode::kUnavailable)
              << status;
          machine.disk().ClearFailures();
          if (status.code() != StatusCode::kUnknown && machine.created()) {
            auto reader = MustOpen(machine.NewStore(), machine.Existing(true));
            EXPECT_EQ(ScanKeys(*reader), KeyRange(0, machine.acknowledged_rows())) << status;
          }
          return !HasFailure();
        };
        EXPECT_TRUE(machine.Run(again));
        EXPECT_EQ(machine.acknowledged_rows(), machine.asked_rows());
        machine.disk().PowerLoss();
        machine.ExpectConsistent();
        if (HasFailure()) return;
      }
    }
  }
}

// E26.
TEST(DiskFailure, AFullDiskStopsEveryStepUntilThereIsSpaceAgain) {
  uint64_t stopped = 0;
  for (uint64_t capacity = 0; capacity < 40'000; capacity += 500) {
    SCOPED_TRACE(capacity);
    Machine machine;
    machine.disk().SetCapacity(capacity);
    EXPECT_TRUE(machine.Run([&](const Status& status) {
      EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
      ++stopped;
      machine.disk().SetCapacity(std::nullopt);
      return true;
    }));
    machine.disk().PowerLoss();
    machine.ExpectConsistent();
    if (HasFailure()) return;
  }
  EXPECT_GT(stopped, 20U);
}

}  // namespace
}  // namespace isotherm
