// Upserts, deletes, patches, compactions, vacuums and branches in a local directory whose power fails, and whose disk
// fails or is full, at every single operation. D1, D2, D4 and D10 of docs/durability.md, E6, E10, E26.
#include <gtest/gtest.h>

#include "blob/local_store.h"
#include "tests/base/manual_clock.h"
#include "tests/base/simulated_file_system.h"
#include "tests/engine/change_program.h"

namespace isotherm {
namespace {

using namespace testing_support;

// What is lost when everything ends: nothing, when only the process dies; what was not synced, all of it, or a part,
// also of single writes.
enum class Loss : uint8_t { kNothing, kUnsynced, kSomeUnsynced };

bool Never(const Status&) { return false; }

// A machine with a disk, and the program that runs on it.
class Machine {
 public:
  Machine() {
    environment_ = EnvironmentWithClock(std::make_shared<ManualClock>());
    environment_->file_system = disk_;
  }

  SimulatedFileSystem& disk() { return *disk_; }
  const ChangeProgram& program() const { return program_; }

  bool Run(const ChangeProgram::Again& again) {
    while (collection_ == nullptr) {
      auto opened = Open(NewStore(), WithEnvironment(ChangeProgram::WithSmallHead()));
      if (opened.ok()) {
        collection_ = std::move(opened).value();
      } else if (!again(opened.status())) {
        return false;
      }
    }
    return program_.Run(*collection_, again);
  }

  // What is on the disk is one of the states that the program may expect, whole; and somebody can go on from there.
  void ExpectConsistent() {
    auto reopened =
        Open(NewStore(), WithEnvironment(collection_ == nullptr ? ChangeProgram::WithSmallHead() : Options()));
    ASSERT_TRUE(reopened.ok()) << reopened.status();
    program_.ExpectState(**reopened);
    ExpectClean(**reopened);
    ASSERT_TRUE((*reopened)->Upsert(NumberedRow(1000)).ok());
    Status status = (*reopened)->Commit();
    EXPECT_TRUE(status.ok()) << status;
    auto removed = (*reopened)->Vacuum();
    EXPECT_TRUE(removed.ok()) << removed.status();
    ExpectClean(**reopened);
  }

 private:
  std::shared_ptr<BlobStore> NewStore() { return std::make_shared<LocalBlobStore>("data/collection", environment_); }
  Options WithEnvironment(Options options) {
    options.env = environment_;
    options.background_compaction = false;
    return options;
  }

  std::shared_ptr<SimulatedFileSystem> disk_ = std::make_shared<SimulatedFileSystem>();
  std::shared_ptr<Environment> environment_;
  std::unique_ptr<Collection> collection_;
  ChangeProgram program_;
};

uint64_t CountOperations() {
  Machine machine;
  EXPECT_TRUE(machine.Run(Never));
  const uint64_t operations = machine.disk().operations();
  machine.ExpectConsistent();
  return operations;
}

TEST(ChangeFailure, DeathOrPowerLossAtEveryOperationLeavesTheLastAcknowledgedStateOrTheOneInFlight) {
  const uint64_t count = CountOperations();
  ASSERT_GT(count, 300U);
  for (uint64_t operation = 0; operation < count; ++operation) {
    for (Loss loss : {Loss::kNothing, Loss::kUnsynced, Loss::kSomeUnsynced}) {
      SCOPED_TRACE("operation " + std::to_string(operation) + " of " + std::to_string(count));
      Machine machine;
      machine.disk().CutPowerAt(operation);
      EXPECT_FALSE(machine.Run(Never));
      machine.disk().ClearFailures();
      if (loss == Loss::kUnsynced) machine.disk().PowerLoss();
      if (loss == Loss::kSomeUnsynced) machine.disk().PowerLoss(operation + 1);
      machine.ExpectConsistent();
      if (HasFailure()) return;
    }
  }
}

TEST(ChangeFailure, AFailureOfTheDiskAtEveryOperationIsReportedAndLosesNothing) {
  const uint64_t count = CountOperations();
  for (const Status& injected : {Status::ResourceExhausted("no space left"), Status::IoError("input/output error")}) {
    for (uint64_t operation = 0; operation < count; ++operation) {
      SCOPED_TRACE("operation " + std::to_string(operation) + " of " + std::to_string(count) + ": " +
                   injected.message());
      Machine machine;
      machine.disk().FailAt(operation, injected);
      EXPECT_TRUE(machine.Run([&](const Status& status) {
        EXPECT_TRUE(status.code() == injected.code() || status.code() == StatusCode::kUnknown ||
                    status.code() == StatusCode::kUnavailable)
            << status;
        machine.disk().ClearFailures();
        return !HasFailure();
      }));
      machine.disk().PowerLoss();
      machine.ExpectConsistent();
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace isotherm
