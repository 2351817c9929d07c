// Everything at once: several threads insert, commit, compact, refresh, read and close, by one handle and beside
// another. D4 and D7 of docs/durability.md.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/macros.h"
#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "tests/engine/commits.h"
#include "tests/engine/seeded_faults.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kInserters = 2;
constexpr uint64_t kKeysApart = 1'000'000;

class HandleRace : public testing::Test {
 protected:
  HandleRace() {
    environment_ = std::make_shared<Environment>(*Environment::Default());
    history_ = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment_));
    faulty_ = std::make_shared<FaultBlobStore>(history_, environment_);
    options_ = CreatingSmall();
    options_.inline_bytes = 8 << 10;
    handle_ = MustOpen(faulty_, options_);
    other_ = MustOpen(history_, options_);
  }

  ~HandleRace() override { Join(); }

  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  // Rows of its own; what `inserted_` counts is visible to the handle from then on, in whatever state it is.
  void StartInserter(uint64_t number, uint64_t count) {
    threads_.emplace_back([=, this] {
      for (uint64_t i = 0; i < count; ++i) {
        Status status = handle_->Insert(NumberedRow(number * kKeysApart + i));
        if (status.code() == StatusCode::kClosed) return;
        EXPECT_TRUE(status.ok()) << status;
        ++inserted_[number];
        if (i % 3 != 0) continue;
        do {
          status = handle_->Commit();
        } while (status.code() == StatusCode::kUnknown);
        if (status.code() == StatusCode::kClosed) return;
        EXPECT_TRUE(status.ok()) << status;
      }
      ++finished_;
    });
  }

  // Until the inserters have finished or the handle is closed.
  void StartLoop(std::function<Status()> step) {
    threads_.emplace_back([this, step = std::move(step)] {
      while (finished_ < kInserters) {
        Status status = step();
        if (status.code() == StatusCode::kClosed) return;
        EXPECT_TRUE(status.ok()) << status;
      }
    });
  }

  // Each key once, and all that were there when the scan began.
  Status ScanAll() {
    uint64_t expected[kInserters];
    for (uint64_t i = 0; i < kInserters; ++i) expected[i] = inserted_[i];
    uint64_t counts[kInserters] = {};
    uint64_t before = 0;
    bool first = true;
    RETURN_IF_ERROR(handle_->Scan([&](Row row) {
      uint64_t key = row.key.number();
      EXPECT_TRUE(first || key > before) << "twice, or out of order";
      first = false;
      before = key;
      if (key / kKeysApart < kInserters) ++counts[key / kKeysApart];
      return Status::Ok();
    }));
    for (uint64_t i = 0; i < kInserters; ++i) EXPECT_GE(counts[i], expected[i]) << "a row is missing";
    return Status::Ok();
  }

  Status SearchSome() {
    SearchOptions search;
    search.k = 50;
    search.probes = 100;
    auto found = handle_->Search(NumberedRow(++asked_).vector, search);
    if (!found.ok()) return found.status();
    std::vector<uint64_t> keys;
    for (const Hit& hit : found->hits) keys.push_back(hit.key.number());
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end()) << "two rows of one key";
    return Status::Ok();
  }

  Status SeeVersionsRise() {
    RETURN_IF_ERROR(handle_->Refresh());
    uint64_t version = handle_->Stats().version;
    EXPECT_GE(version, seen_version_);
    seen_version_ = version;
    return Status::Ok();
  }

  Status CompactBy(Collection& collection) {
    CompactOptions cells;
    cells.min_rows_for_cells = 20;
    cells.cells = 4;
    Status status = collection.Compact(cells);
    bool expected = status.code() == StatusCode::kConflict || status.code() == StatusCode::kUnknown;
    return expected ? Status::Ok() : status;
  }

  Status CommitByOther() {
    RETURN_IF_ERROR(other_->Insert(NumberedRow(kInserters * kKeysApart + others_rows_)));
    RETURN_IF_ERROR(other_->Commit());
    ++others_rows_;
    return Status::Ok();
  }

  void StartAll(uint64_t rows_of_each) {
    for (uint64_t i = 0; i < kInserters; ++i) StartInserter(i, rows_of_each);
    StartLoop([this] { return ScanAll(); });
    StartLoop([this] { return SearchSome(); });
    StartLoop([this] { return SeeVersionsRise(); });
    StartLoop([this] { return CompactBy(*handle_); });
    StartLoop([this] {
      Status status = CommitByOther();
      return status.ok() ? CompactBy(*other_) : status;
    });
  }

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<HeadHistory> history_;
  std::shared_ptr<FaultBlobStore> faulty_;
  Options options_;
  std::unique_ptr<Collection> handle_;
  std::unique_ptr<Collection> other_;
  std::vector<std::thread> threads_;
  std::atomic<uint64_t> inserted_[kInserters] = {};
  std::atomic<uint64_t> finished_{0};
  uint64_t seen_version_ = 0;
  uint64_t asked_ = 0;
  std::atomic<uint64_t> others_rows_{0};
};

// E18.
TEST_F(HandleRace, ShowsEachRowOnceAndLosesNone) {
  constexpr uint64_t kRowsOfEach = 120;
  faulty_->SetHook(SeededHeadFaults(5));
  StartAll(kRowsOfEach);
  Join();
  faulty_->DeliverLate();
  faulty_->SetHook(nullptr);
  Status status = handle_->Commit();
  EXPECT_TRUE(status.ok()) << status;
  auto reader = MustOpen(history_);
  std::vector<uint64_t> expected;
  for (uint64_t i = 0; i < kInserters; ++i) {
    for (uint64_t key : KeyRange(i * kKeysApart, kRowsOfEach)) expected.push_back(key);
  }
  for (uint64_t key : KeyRange(kInserters * kKeysApart, others_rows_)) expected.push_back(key);
  EXPECT_EQ(ScanKeys(*reader), expected);
  ExpectClean(*reader);
  history_->ExpectUnbroken();
}

TEST_F(HandleRace, ClosingInTheMiddleGivesClosedAndNothingElse) {
  for (uint64_t version : {3U, 20U, 60U}) {
    handle_ = MustOpen(faulty_, options_);
    for (auto& count : inserted_) count = 0;
    StartAll(100'000);
    while (history_->newest() < version) std::this_thread::yield();
    Status status = handle_->Close();
    EXPECT_TRUE(status.ok()) << status;
    finished_ = kInserters;
    Join();
    finished_ = 0;
    auto reader = MustOpen(history_);
    ExpectClean(*reader);
    history_->ExpectUnbroken();
    history_ = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment_));
    faulty_ = std::make_shared<FaultBlobStore>(history_, environment_);
    other_ = MustOpen(history_, options_);
    others_rows_ = 0;
    seen_version_ = 0;
  }
}

}  // namespace
}  // namespace isotherm
