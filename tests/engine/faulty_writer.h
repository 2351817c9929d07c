// A writer whose store fails in ways that are said, and another one whose requests are all answered.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "engine/commit_log.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm::testing_support {

class FaultyWriter : public testing::Test {
 protected:
  void SetUp() override {
    options_.env = environment_;
    store_ = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment_));
    faulty_ = std::make_shared<FaultBlobStore>(store_, environment_);
    writer_ = MustOpen(faulty_, options_);
  }

  // A second writer, whose requests are all answered.
  std::unique_ptr<Collection> Other() { return MustOpen(store_, options_); }

  void CommitOne(Collection& collection, uint64_t key) {
    Status status = collection.Insert(NumberedRow(key));
    EXPECT_TRUE(status.ok()) << status;
    status = collection.Commit();
    EXPECT_TRUE(status.ok()) << status;
  }

  // The n-th put of the head from now on, and no other request, has this fault.
  void FaultHeadPut(Fault fault, int n = 0) {
    auto count = std::make_shared<int>(0);
    faulty_->SetHook([=](uint64_t, RequestKind kind, std::string_view name) {
      return kind == RequestKind::kPut && name == kHeadObject && (*count)++ == n ? fault : Fault{};
    });
  }
  void StoreIsDown() {
    faulty_->SetHook([](uint64_t, RequestKind, std::string_view) { return Fault{FaultKind::kFail}; });
  }
  void StoreIsUp() { faulty_->SetHook(nullptr); }

  // The next put of the head is lost, and nothing is answered after it.
  void LoseHeadPutAndGoDown(FaultKind kind) {
    auto gone = std::make_shared<bool>(false);
    faulty_->SetHook([=](uint64_t, RequestKind request, std::string_view name) {
      if (*gone) return Fault{FaultKind::kFail};
      if (request != RequestKind::kPut || name != kHeadObject) return Fault{};
      *gone = true;
      return Fault{kind};
    });
  }

  std::vector<uint64_t> KeysInStore() { return ScanKeys(*MustOpen(store_)); }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  std::shared_ptr<HeadHistory> store_;
  std::shared_ptr<FaultBlobStore> faulty_;
  Options options_ = CreatingSmall();
  std::unique_ptr<Collection> writer_;
};

}  // namespace isotherm::testing_support
