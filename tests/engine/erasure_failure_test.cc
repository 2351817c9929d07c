// Erasures whose store fails, and whose process dies.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "tests/base/manual_clock.h"
#include "tests/base/simulated_file_system.h"
#include "tests/engine/erasure_grown.h"

namespace isotherm {
namespace {

using namespace testing_support;

// Files stay, where it is told so.
class KeepingFileSystem : public SimulatedFileSystem {
 public:
  Status Remove(const std::string& path) override {
    return keeps ? Status::IoError(path + ": cannot be removed") : SimulatedFileSystem::Remove(path);
  }
  std::atomic<bool> keeps{false};
};

TEST(ErasureFailure, IsNotCompleteWhileTheDiskCacheCanNotBeEmptied) {
  auto files = std::make_shared<KeepingFileSystem>();
  auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
  environment->file_system = files;
  auto memory = std::make_shared<MemoryBlobStore>(environment);
  Options options = Opening(environment);
  Grow(memory, options);
  options.cache_dir = "cache";
  options.metrics = std::make_shared<Metrics>();
  auto collection = MustOpen(memory, options);
  SearchOptions search;
  search.probes = 1000;
  ASSERT_TRUE(collection->Search(MarkedRow(3).vector, search).ok());
  // Files are written behind; closing waits for them.
  ASSERT_TRUE(collection->Close().ok());
  collection = MustOpen(memory, options);
  ASSERT_GT(collection->Stats().disk_cache_bytes, 0U);
  files->keeps = true;
  auto report = collection->Erase(MarkedKeys(kErased));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->holds.empty());
  EXPECT_FALSE(report->caches_emptied);
  EXPECT_FALSE(report->complete);
  files->keeps = false;
  collection.reset();
  collection = MustOpen(memory, options);
  report = collection->Erase(MarkedKeys(kErased));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->caches_emptied);
  EXPECT_TRUE(report->complete);
  EXPECT_EQ(options.metrics->Snapshot().Value(MetricId::kErasures), 2U);
  EXPECT_EQ(options.metrics->Snapshot().Value(MetricId::kErasuresIncomplete), 1U);
}

using FaultOf = std::function<Fault(uint64_t after_begin)>;

// One run for each request of an erasure: `fault` is told how many requests behind the one that is at issue it is.
void EraseWithFaults(const FaultOf& fault) {
  bool reached = true;
  uint64_t failing = 0;
  for (; reached; ++failing) {
    SCOPED_TRACE("request " + std::to_string(failing));
    auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
    const Options options = Opening(environment);
    auto memory = std::make_shared<MemoryBlobStore>(environment);
    Grow(memory, options);
    auto faulty = std::make_shared<FaultBlobStore>(memory, environment);
    auto collection = MustOpen(faulty, options);
    const uint64_t begin = faulty->requests();
    faulty->SetHook([&, begin](uint64_t index, RequestKind, std::string_view) {
      return index < begin + failing ? Fault{} : fault(index - begin - failing);
    });
    auto erased = collection->Erase(MarkedKeys(kErased));
    reached = faulty->requests() - begin > failing;
    faulty->SetHook(nullptr);
    (void)faulty->DeliverLate();
    if (erased.ok()) {
      EXPECT_TRUE(erased->complete);
      EXPECT_EQ(TracesInStore(*memory, kErased), kNothing);
    }
    // Of a process that comes after it.
    auto again = MustOpen(memory, options)->Erase(MarkedKeys(kErased));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->complete);
    ExpectErased(memory, options);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(failing, 60U) << "an erasure makes many more requests than this";
  testing::Test::RecordProperty("requests", static_cast<int>(failing));
}

TEST(ErasureFailure, WhenItDiesAtAnyRequestTheNextOneCompletesIt) {
  EraseWithFaults([](uint64_t) { return Fault{FaultKind::kFail}; });
}

TEST(ErasureFailure, WhenAnyAnswerIsLostTheNextOneCompletesIt) {
  EraseWithFaults([](uint64_t behind) { return Fault{behind == 0 ? FaultKind::kLoseAnswer : FaultKind::kNone}; });
}

TEST(ErasureFailure, WhenAnyRequestFailsOnceTheNextOneCompletesIt) {
  EraseWithFaults([](uint64_t behind) { return Fault{behind == 0 ? FaultKind::kFail : FaultKind::kNone}; });
}

TEST(ErasureErrors, OfABadRequestAreSaid) {
  auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
  auto store = std::make_shared<MemoryBlobStore>(environment);
  const Options options = Opening(environment);
  auto collection = MustOpen(store, options);
  ASSERT_TRUE(collection->Insert(MarkedRow(0)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  const std::vector<Key> texts = {Key(std::string("text"))};
  EXPECT_EQ(collection->Erase({}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(collection->Erase(texts).status().code(), StatusCode::kInvalidArgument);
  const std::vector<Key> too_many(kMaxBatchRows + 1, Key(uint64_t{1}));
  EXPECT_EQ(collection->Erase(too_many).status().code(), StatusCode::kInvalidArgument);
  ErasureOptions before_1970;
  before_1970.by_ms = -1;
  EXPECT_EQ(collection->Erase(MarkedKeys({0}), before_1970).status().code(), StatusCode::kInvalidArgument);
  Options reading = options;
  reading.create.reset();
  reading.read_only = true;
  EXPECT_EQ(MustOpen(store, reading)->Erase(MarkedKeys({0})).status().code(), StatusCode::kReadOnly);
  auto nothing = collection->Erase(MarkedKeys({1, 2, 2}));
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_TRUE(nothing->complete && !nothing->late);
  EXPECT_EQ(nothing->keys, 2U);
  EXPECT_EQ(nothing->branches[0].keys_found, 0U);
  EXPECT_EQ(MarkedRowsIn(*collection, 3), std::vector<uint64_t>{0});
  ASSERT_TRUE(collection->Close().ok());
  EXPECT_EQ(collection->Erase(MarkedKeys({0})).status().code(), StatusCode::kClosed);
}

}  // namespace
}  // namespace isotherm
