// Rows that are replaced, deleted and written again all the time, while others search, scan, compact and close: no key
// is ever seen twice, and a row that is there all the time is never missing. E18, D7 of docs/durability.md.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/splitmix.h"
#include "blob/memory_store.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kLasting = 60;   // keys that always have a row
constexpr uint64_t kChanging = 60;  // keys behind them that come and go
constexpr uint64_t kRounds = 60;

class Churn : public testing::Test {
 protected:
  Churn() {
    options_ = CreatingSmall();
    options_.inline_bytes = 4096;
    options_.background_compaction = true;
    options_.compaction_policy = SizeTieredCompaction({.threshold = 2});
    options_.compaction.min_rows_for_cells = 20;
    handle_ = MustOpen(store_, options_);
    EXPECT_TRUE(handle_->InsertBatch(NumberedRows(0, kLasting)).ok());
    EXPECT_TRUE(handle_->Commit().ok());
  }
  ~Churn() override { Join(); }

  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  // Until it has gone round so often, or the handle is closed; kClosed is the only error there may be.
  void Start(std::function<Status(uint64_t round)> step) {
    threads_.emplace_back([this, step = std::move(step)] {
      for (uint64_t round = 0; !stop_; ++round) {
        Status status = step(round);
        if (status.code() == StatusCode::kClosed) return;
        EXPECT_TRUE(status.ok()) << status;
        if (!status.ok()) return;
      }
    });
  }

  Row Changed(uint64_t key, SplitMix64& random) {
    Row row = NumberedRow(key);
    for (float& v : row.vector) v = static_cast<float>(1 + random.Below(100));
    return row;
  }

  Status Replace(SplitMix64& random) {
    WriteBatch batch;
    for (int i = 0; i < 8; ++i) batch.Upsert(Changed(random.Below(kLasting), random));
    for (int i = 0; i < 8; ++i) {
      const uint64_t key = kLasting + random.Below(kChanging);
      if (random.Below(2) == 0) {
        batch.Delete(key);
      } else {
        batch.Upsert(Changed(key, random));
      }
    }
    // Deleted and written again in one batch: nobody sees it missing.
    const uint64_t key = random.Below(kLasting);
    batch.Delete(key).Insert(Changed(key, random));
    Status status = handle_->Write(std::move(batch));
    if (!status.ok() || random.Below(2) == 0) return status;
    status = handle_->Commit();
    if (status.ok() && ++commits_ >= kRounds) stop_ = true;
    return status;
  }

  void ExpectOfOneMoment(const std::multiset<uint64_t>& keys) {
    for (uint64_t key = 0; key < kLasting; ++key) EXPECT_EQ(keys.count(key), 1U) << key;
    for (uint64_t key = kLasting; key < kLasting + kChanging; ++key) EXPECT_LE(keys.count(key), 1U) << key;
    ++observations_;
  }

  Status ScanAll() {
    std::multiset<uint64_t> keys;
    Status status = handle_->Scan([&](Row row) {
      keys.insert(row.key.number());
      return Status::Ok();
    });
    if (status.ok()) ExpectOfOneMoment(keys);
    return status;
  }

  Status SearchAll(uint64_t round) {
    SearchOptions all;
    all.k = 2 * (kLasting + kChanging);
    all.probes = 1000;
    auto found = handle_->Search(NumberedRow(round).vector, all);
    if (!found.ok()) return found.status();
    std::multiset<uint64_t> keys;
    for (const Hit& hit : found->hits) keys.insert(hit.key.number());
    ExpectOfOneMoment(keys);
    return Status::Ok();
  }

  Status GetOne(uint64_t round) { return handle_->Get(round % kLasting).status(); }

  Status CompactAll() {
    Status status = handle_->Compact(options_.compaction);
    return status.code() == StatusCode::kConflict ? Status::Ok() : status;
  }

  void StartAll() {
    for (uint64_t seed : {1, 2}) {
      auto random = std::make_shared<SplitMix64>(seed);
      Start([this, random](uint64_t) { return Replace(*random); });
    }
    Start([this](uint64_t) { return ScanAll(); });
    Start([this](uint64_t round) { return SearchAll(round); });
    Start([this](uint64_t round) { return GetOne(round); });
    Start([this](uint64_t round) { return round % 8 == 0 ? CompactAll() : handle_->Refresh(); });
  }

  Options options_;
  std::shared_ptr<HeadHistory> store_ = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>());
  std::unique_ptr<Collection> handle_;
  std::vector<std::thread> threads_;
  std::atomic<uint64_t> commits_{0};
  std::atomic<uint64_t> observations_{0};
  std::atomic<bool> stop_{false};
};

TEST_F(Churn, NeverShowsTwoRowsOfOneKeyNorMissesALiveOne) {
  StartAll();
  Join();
  EXPECT_GT(observations_, 10U);
  EXPECT_TRUE(handle_->Commit().ok());
  handle_ = MustOpen(store_);
  EXPECT_TRUE(ScanAll().ok());
  ExpectClean(*handle_);
  store_->ExpectUnbroken();
}

TEST_F(Churn, ThatIsClosedInTheMiddleGivesClosedAndNothingElse) {
  StartAll();
  while (store_->newest() < 20 && !stop_) std::this_thread::yield();
  Status status = handle_->Close();
  EXPECT_TRUE(status.ok()) << status;
  Join();
  handle_ = MustOpen(store_);
  EXPECT_TRUE(ScanAll().ok());
  ExpectClean(*handle_);
}

}  // namespace
}  // namespace isotherm
