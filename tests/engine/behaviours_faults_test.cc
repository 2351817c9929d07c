// What a user sees when stores, disks and memory fail, over every store: E7, E10, E16, E17, E26, E27 of
// docs/behaviours.md.
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/splitmix.h"
#include "blob/fault_store.h"
#include "tests/engine/child_writer.h"
#include "tests/engine/every_store.h"
#include "tests/engine/oracle.h"

namespace isotherm {
namespace {

using namespace testing_support;

class KillBehaviour : public EveryStore {};

TEST_P(KillBehaviour, BothCommitsAreThereAfterAReopenAndAKill) {
  TempDirectory logs;
  ChildWriter child({"reopen", Argument()}, logs.path() + "/log");
  int status = child.Wait();
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << child.LastLine();
  ASSERT_EQ(child.Last("acknowledged"), 40U);
  auto reader = Reader();
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(ScanKeys(*reader), KeyRange(0, 40));
  ExpectClean(*reader);
}

INSTANTIATE_TEST_SUITE_P(Stores, KillBehaviour, testing::Values(StoreKind::kLocal, StoreKind::kS3), StoreName);

class FaultBehaviour : public EveryStore {
 protected:
  // Over a server or a disk every few faults stand for all of them.
  uint64_t Step() const { return GetParam() == StoreKind::kMemory ? 1 : 7; }
};

TEST_P(FaultBehaviour, AFailingPutIsItsCommitsErrorAndNothingIsHalfVisible) {
  for (uint64_t inline_bytes : {uint64_t{0}, uint64_t{1} << 20}) {
    for (bool discard : {true, false}) {
      bool failed = true;
      for (uint64_t failing = 0; failed; ++failing) {
        SCOPED_TRACE("put " + std::to_string(failing) + (discard ? ", discarded" : ", kept"));
        UseNewPlace();
        auto faulty = std::make_shared<FaultBlobStore>(store_, environment_);
        options_.inline_bytes = inline_bytes;
        auto writer = MustOpen(faulty, options_);
        ASSERT_TRUE(writer->InsertBatch(NumberedRows(0, 5)).ok());
        ASSERT_TRUE(writer->Commit().ok());
        ASSERT_TRUE(writer->InsertBatch(NumberedRows(10, 3)).ok());
        ASSERT_TRUE(writer->Delete(uint64_t{2}).ok());
        auto puts = std::make_shared<std::atomic<uint64_t>>(0);
        faulty->SetHook([=](uint64_t, RequestKind kind, std::string_view) {
          if (kind != RequestKind::kPut || puts->fetch_add(1) != failing) return Fault{};
          return Fault{FaultKind::kFail, Status::AccessDenied("refused (injected)")};
        });
        Status committed = writer->Commit();
        failed = puts->load() > failing;
        faulty->SetHook(nullptr);
        std::vector<uint64_t> with{0, 1, 3, 4, 10, 11, 12};
        if (!failed) {
          EXPECT_TRUE(committed.ok()) << committed;
          EXPECT_EQ(ScanKeys(*Reader()), with);
          break;
        }
        EXPECT_EQ(committed.code(), StatusCode::kAccessDenied) << committed;
        EXPECT_EQ(ScanKeys(*Reader()), KeyRange(0, 5));
        if (discard) {
          ASSERT_TRUE(writer->DiscardPending().ok());
          with = KeyRange(0, 5);
        }
        with.push_back(20);
        ASSERT_TRUE(writer->Insert(NumberedRow(20)).ok());
        committed = writer->Commit();
        ASSERT_TRUE(committed.ok()) << committed;
        EXPECT_EQ(ScanKeys(*Reader()), with);
        ExpectClean(*Reader());
      }
    }
  }
}

// One handle's life, each step done again after the cause of its failure is gone.
class Life {
 public:
  Life(std::vector<StatusCode> allowed, std::function<void()> repair)
      : allowed_(std::move(allowed)), repair_(std::move(repair)) {}

  int failures() const { return failures_; }

  void Run(const std::shared_ptr<BlobStore>& store, const Options& options) {
    std::unique_ptr<Collection> collection;
    Step("Open", [&] {
      auto opened = Open(store, options);
      if (opened.ok()) collection = std::move(opened).value();
      return opened.status();
    });
    ASSERT_NE(collection, nullptr);
    auto commit = [&](uint64_t first, uint64_t count, uint64_t deleted) {
      Step("Upsert", [&] { return collection->UpsertBatch(NumberedRows(first, count)); });
      Step("Delete", [&] { return collection->Delete(deleted); });
      Step("SoftDelete", [&] { return collection->SoftDelete(deleted + 1); });
      Step("Commit", [&] { return collection->Commit(); });
    };
    commit(0, 3, 100);
    commit(3, 40, 4);
    Step("Compact", [&] { return collection->Compact(IntoCells(3)); });
    commit(43, 30, 10);
    // It may be there, although the call could not learn that it stays; then it exists already.
    Step("CreateBranch", [&] { return collection->CreateBranch("branch"); },
         {StatusCode::kUnknown, StatusCode::kAlreadyExists});
    Step("Patch", [&] { return collection->Patch(uint64_t{20}, {{{"number", int64_t{20}}}, {}}); });
    Step("Restore", [&] { return collection->Restore(uint64_t{5}); });
    Step("Commit", [&] { return collection->Commit(); });
    Step("Search", [&] { return collection->Search(NumberedRow(7).vector, {.rerank = 5}).status(); });
    Step("Get", [&] { return collection->Get(uint64_t{50}).status(); });
    Step("Refresh", [&] { return collection->Refresh(); });
    Step("Log", [&] { return collection->Log().status(); });
    Step("Vacuum", [&] { return collection->Vacuum().status(); });
    Step("Verify", [&] { return collection->Verify().status(); });
    std::vector<uint64_t> keys = KeyRange(0, 73);
    for (uint64_t gone : {4, 10, 11}) std::erase(keys, gone);
    std::vector<uint64_t> scanned;
    Step("Scan", [&] {
      scanned.clear();
      return collection->Scan([&](Row row) {
        scanned.push_back(row.key.number());
        return Status::Ok();
      });
    });
    EXPECT_EQ(scanned, keys);
  }

 private:
  // What a step may say beside the cause's own codes, and when it is done again.
  struct Also {
    StatusCode first = StatusCode::kOk;
    StatusCode again = StatusCode::kOk;
  };

  void Step(const char* name, const std::function<Status()>& step) { Step(name, step, Also()); }
  void Step(const char* name, const std::function<Status()>& step, Also also) {
    Status status = step();
    if (status.ok()) return;
    ++failures_;
    bool allowed = std::count(allowed_.begin(), allowed_.end(), status.code()) > 0;
    EXPECT_TRUE(allowed || status.code() == also.first) << name << ": " << status;
    repair_();
    status = step();
    EXPECT_TRUE(status.ok() || status.code() == also.again) << name << " done again: " << status;
  }

  const std::vector<StatusCode> allowed_;
  const std::function<void()> repair_;
  int failures_ = 0;
};

TEST_P(FaultBehaviour, WhenTheCauseOfAFailureIsGoneTheSameHandleWorksAgain) {
  struct Cause {
    Status status;
    std::vector<StatusCode> allowed;
  };
  const std::vector<Cause> causes = {
      {Status::ResourceExhausted("the disk is full (injected)"), {StatusCode::kResourceExhausted}},
      {Status::AccessDenied("permission was taken (injected)"), {StatusCode::kAccessDenied}},
      {Status::Unavailable("no route (injected)"), {StatusCode::kUnavailable, StatusCode::kUnknown}}};
  options_.inline_bytes = 1000;
  options_.block_cache_bytes = 0;
  for (const Cause& cause : causes) {
    int failures = 0;
    for (uint64_t first = 0;; first += Step()) {
      SCOPED_TRACE(cause.status.message() + " from request " + std::to_string(first) + " on");
      UseNewPlace();
      auto faulty = std::make_shared<FaultBlobStore>(store_, environment_);
      faulty->SetHook([&](uint64_t index, RequestKind, std::string_view) {
        return index >= first ? Fault{FaultKind::kFail, cause.status} : Fault{};
      });
      Life life(cause.allowed, [&] { faulty->SetHook(nullptr); });
      life.Run(faulty, options_);
      ASSERT_FALSE(HasFailure());
      if (life.failures() == 0) break;
      failures += life.failures();
      ExpectClean(*Reader());
    }
    EXPECT_GT(failures, 5);
  }
}

class CacheBehaviour : public EveryStore {
 protected:
  void WriteRows(const std::vector<Row>& rows, uint32_t cells) {
    options_.create->dimension = static_cast<uint32_t>(rows[0].vector.size());
    options_.create->filter_columns = {"colour"};
    auto writer = MustOpen(store_, options_);
    ASSERT_TRUE(writer->UpsertBatch(rows).ok());
    Status compacted = writer->Compact(IntoCells(cells));
    ASSERT_TRUE(compacted.ok()) << compacted;
    ASSERT_TRUE(writer->Close().ok());
  }

  std::unique_ptr<Collection> OpenCached(uint64_t ram_bytes, const std::string& directory, Meter* meter = nullptr) {
    Options options = OptionsOf();
    options.read_only = true;
    options.block_cache_bytes = ram_bytes;
    options.cache_dir = directory;
    Context context;
    context.meter = meter;
    auto collection = Open(Connect(), options, context);
    EXPECT_TRUE(collection.ok()) << collection.status();
    return std::move(collection).value();
  }

  struct Asked {
    std::vector<std::vector<Hit>> hits;
    uint64_t requests = 0;
    uint64_t bytes = 0;
  };
  static Asked Ask(Collection& collection, const std::vector<Row>& probes, size_t cells) {
    Asked asked;
    for (const Row& probe : probes) {
      Meter meter;
      Context context;
      context.meter = &meter;
      SearchOptions search;
      search.probes = cells;
      auto found = collection.Search(probe.vector, search, context);
      EXPECT_TRUE(found.ok()) << found.status();
      asked.hits.push_back(found->hits);
      asked.requests += meter.Records().size();
      for (const auto& record : meter.Records()) asked.bytes += record.bytes;
    }
    return asked;
  }

  static void ExpectSame(const Asked& a, const Asked& b) {
    ASSERT_EQ(a.hits.size(), b.hits.size());
    for (size_t q = 0; q < a.hits.size(); ++q) {
      ASSERT_EQ(a.hits[q].size(), b.hits[q].size());
      for (size_t i = 0; i < a.hits[q].size(); ++i) {
        EXPECT_EQ(a.hits[q][i].key, b.hits[q][i].key);
        EXPECT_EQ(a.hits[q][i].distance, b.hits[q][i].distance);
        EXPECT_EQ(a.hits[q][i].metadata, b.hits[q][i].metadata);
      }
    }
  }

  static uint64_t BytesIn(const std::string& folder) {
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) bytes += entry.file_size();
    }
    return bytes;
  }
};

TEST_P(CacheBehaviour, CachesChangeNoAnswerSaveRequestsOutliveAProcessAndAreNeverBelievedBlindly) {
  WriteRows(MakeRows(600, 16, 1), 24);
  const std::vector<Row> probes = MakeRows(6, 16, 2);
  const Asked few = Ask(*OpenCached(0, ""), probes, 4);
  const Asked many = Ask(*OpenCached(0, ""), probes, 12);
  TempDirectory cache;
  {
    auto cached = OpenCached(64 << 20, cache.path());
    ExpectSame(few, Ask(*cached, probes, 4));
    EXPECT_EQ(Ask(*cached, probes, 4).requests, 0U);
    // What spans more fetches only what is missing.
    Asked spanning = Ask(*cached, probes, 12);
    ExpectSame(many, spanning);
    EXPECT_LT(spanning.bytes, many.bytes);
    EXPECT_EQ(Ask(*cached, probes, 12).requests, 0U);
    ASSERT_TRUE(cached->Close().ok());
  }
  {
    auto restarted = OpenCached(64 << 20, cache.path());
    Asked again = Ask(*restarted, probes, 12);
    ExpectSame(many, again);
    EXPECT_EQ(again.requests, 0U);
    ASSERT_TRUE(restarted->Close().ok());
  }
  // Damage in every kilobyte of what the cache keeps.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cache.path())) {
    if (!entry.is_regular_file() || entry.file_size() == 0) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    for (uint64_t at = 900; at < entry.file_size(); at += 1024) {
      file.seekg(static_cast<std::streamoff>(at));
      auto byte = static_cast<char>(file.get() ^ 0x10);
      file.seekp(static_cast<std::streamoff>(at));
      file.put(byte);
    }
  }
  auto damaged = OpenCached(64 << 20, cache.path());
  Asked refetched = Ask(*damaged, probes, 12);
  ExpectSame(many, refetched);
  EXPECT_GT(refetched.requests, 0U);
}

TEST_P(CacheBehaviour, CachesStayWithinTheirLimitsUnderLoadAlsoSmallOnes) {
  constexpr uint32_t kDimension = 256;
  const std::vector<Row> rows = MakeRows(16'000, kDimension, 1);  // 5 MB of blocks
  WriteRows(rows, 64);
  const std::vector<Row> probes = MakeRows(30, kDimension, 2);
  const Asked uncached = Ask(*OpenCached(0, ""), probes, 10);
  for (uint64_t limit : {uint64_t{2} << 20, uint64_t{16} << 20}) {
    SCOPED_TRACE(limit);
    TempDirectory cache;
    Options options = OptionsOf();
    options.read_only = true;
    options.block_cache_bytes = limit;
    options.disk_cache_bytes = limit;
    options.cache_dir = cache.path();
    auto collection = MustOpen(Connect(), options);
    ASSERT_EQ(collection->Stats().disk_cache_note, "");
    std::atomic<bool> done{false};
    std::thread watching([&] {
      while (!done) {
        CollectionStats stats = collection->Stats();
        EXPECT_LE(stats.ram_cache_bytes, limit);
        EXPECT_LE(stats.disk_cache_bytes, limit);
      }
    });
    std::vector<std::thread> asking;
    for (int t = 0; t < 3; ++t) asking.emplace_back([&] { ExpectSame(uncached, Ask(*collection, probes, 10)); });
    for (std::thread& thread : asking) thread.join();
    Asked again = Ask(*collection, probes, 10);
    ExpectSame(uncached, again);
    EXPECT_LT(again.bytes, uncached.bytes);
    done = true;
    watching.join();
    CollectionStats stats = collection->Stats();
    EXPECT_GT(stats.ram_hits + stats.disk_hits, 0U);
    EXPECT_GT(stats.ram_cache_bytes, limit / 8);
    EXPECT_GT(stats.disk_cache_bytes, limit / 8);
    ASSERT_TRUE(collection->Close().ok());
    EXPECT_LE(BytesIn(cache.path()), limit + limit / 8);
  }
}

class MemoryBehaviour : public EveryStore {};

TEST_P(MemoryBehaviour, TheBudgetHoldsDuringWritesCompactionAndSearchAndWhatCannotFitFailsAlone) {
  constexpr uint64_t kLimit = 24 << 20;
  constexpr uint32_t kDimension = 64;
  constexpr uint64_t kRows = 30'000;  // 8 MB of vectors, and as much again of all else
  Row huge;
  huge.key = uint64_t{1} << 40;
  huge.vector.assign(kDimension, 1.0F);
  huge.payload.assign(2 * kLimit, 'h');
  options_.create->dimension = kDimension;
  TempDirectory spill;
  Options options = options_;
  options.memory = MakeMemoryBudget(kLimit);
  options.block_cache_bytes = 4 << 20;
  options.memtable_bytes = 2 << 20;
  options.recent_bytes = 2 << 20;
  options.spill_dir = spill.path();
  auto writer = MustOpen(store_, options);
  for (uint64_t first = 0; first < kRows; first += 1000) {
    Status written = writer->UpsertBatch(MakeRows(1000, kDimension, first, first));
    ASSERT_TRUE(written.ok()) << written;
  }
  ASSERT_TRUE(writer->Commit().ok());
  const std::vector<Row> probes = MakeRows(5, kDimension, 77);
  auto search = [&] {
    for (const Row& probe : probes) {
      auto found = writer->Search(probe.vector, {.probes = 20, .rerank = 20});
      EXPECT_TRUE(found.ok()) << found.status();
    }
  };
  search();
  std::thread searching([&] {
    for (int i = 0; i < 5; ++i) search();
  });
  CompactOptions compact;
  compact.memory_bytes = kLimit / 4;
  Status compacted = writer->Compact(compact);
  searching.join();
  ASSERT_TRUE(compacted.ok()) << compacted;
  search();
  EXPECT_EQ(writer->Insert(huge).code(), StatusCode::kResourceExhausted);
  // One that is there, by a handle without a limit.
  auto unlimited = MustOpen(Connect(), OptionsOf());
  ASSERT_TRUE(unlimited->Insert(huge).ok());
  ASSERT_TRUE(unlimited->Commit().ok());
  ASSERT_TRUE(writer->Refresh().ok());
  EXPECT_EQ(writer->Get(huge.key).status().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(writer->Get(uint64_t{17}).ok());
  search();
  ASSERT_TRUE(writer->Upsert(MakeRows(1, kDimension, 5)[0]).ok());
  EXPECT_TRUE(writer->Commit().ok());
  EXPECT_EQ(Reader()->Stats().rows, kRows + 1);
  MemoryUsage usage = UsageOf(*options.memory);
  EXPECT_LE(usage.peak_bytes, kLimit) << usage.ToString();
}

ISOTHERM_OVER_EVERY_STORE(FaultBehaviour);
ISOTHERM_OVER_EVERY_STORE(CacheBehaviour);
ISOTHERM_OVER_EVERY_STORE(MemoryBehaviour);

}  // namespace
}  // namespace isotherm
