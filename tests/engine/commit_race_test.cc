// Two writers that race, a row a commit: every key is there once, versions have no gap, readers see prefixes of the
// commits in order. With lost answers and swaps that land late too. D3, D4 and D7 of docs/durability.md.
//
// ISOTHERM_FULL=1 runs 1,000 commits a writer everywhere.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <thread>

#include "blob/fault_store.h"
#include "blob/local_store.h"
#include "blob/memory_store.h"
#include "blob/retry_store.h"
#include "tests/engine/child_writer.h"
#include "tests/engine/commits.h"
#include "tests/engine/forwarding_store.h"
#include "tests/engine/seeded_faults.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kWriters = 2;
constexpr uint64_t kKeysApart = 1'000'000;

uint64_t CommitsOfEach(uint64_t usual) {
  const char* full = std::getenv("ISOTHERM_FULL");
  return full != nullptr && std::string_view(full) == "1" ? 1000 : usual;
}

// One version as a reader sees it: so many rows of each writer, from the first on and without a gap.
struct Seen {
  uint64_t version = 0;
  uint64_t of_writer[kWriters] = {};
};

Seen Look(Collection& collection) {
  Seen seen;
  std::vector<uint64_t> keys = ScanKeys(collection);
  for (uint64_t key : keys) {
    uint64_t& count = seen.of_writer[key / kKeysApart];
    EXPECT_EQ(key % kKeysApart, count++) << "a gap, or a row twice";
  }
  seen.version = collection.Stats().version;
  EXPECT_EQ(seen.version, 1 + keys.size());
  return seen;
}

// Reads while others write: cold opens and refreshes by turns, until told to stop.
class Reader {
 public:
  explicit Reader(std::shared_ptr<BlobStore> store) : store_(std::move(store)), thread_([this] { Run(); }) {}
  ~Reader() { Stop(); }

  uint64_t Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return looks_;
  }

 private:
  void Run() {
    Options options;
    options.read_only = true;
    auto kept = MustOpen(store_, options);
    Seen last;
    while (!stop_ && kept != nullptr && !testing::Test::HasFailure()) {
      Status refreshed = kept->Refresh();
      EXPECT_TRUE(refreshed.ok()) << refreshed;
      last = Compare(last, Look(*kept));
      auto fresh = MustOpen(store_, options);
      if (fresh == nullptr) return;
      auto found = fresh->Search(NumberedRow(1).vector);
      EXPECT_TRUE(found.ok()) << found.status();
      last = Compare(last, Look(*fresh));
      ++looks_;
    }
  }

  static Seen Compare(const Seen& before, const Seen& after) {
    EXPECT_GE(after.version, before.version);
    for (uint64_t w = 0; w < kWriters; ++w) EXPECT_GE(after.of_writer[w], before.of_writer[w]);
    return after;
  }

  const std::shared_ptr<BlobStore> store_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> looks_{0};
  std::thread thread_;
};

void ExpectAllThere(const std::shared_ptr<BlobStore>& store, uint64_t commits) {
  auto collection = MustOpen(store);
  Seen seen = Look(*collection);
  EXPECT_EQ(seen.version, 1 + kWriters * commits);
  for (uint64_t w = 0; w < kWriters; ++w) EXPECT_EQ(seen.of_writer[w], commits);
  ExpectClean(*collection);
}

void Report(uint64_t commits, uint64_t conflicts, uint64_t looks) {
  std::cout << "[ figures  ] " << kWriters << " x " << commits << " commits, " << conflicts << " conflicts, " << looks
            << " looks of a reader\n";
}

Options Racing() {
  Options options = CreatingSmall();
  options.inline_bytes = 32 << 10;
  return options;
}

// 0: none; else the seed.
class MemoryRace : public testing::TestWithParam<uint64_t> {};

TEST_P(MemoryRace, LosesAndDoublesNothing) {
  const uint64_t commits = CommitsOfEach(300);
  auto environment = Environment::Default();
  auto history = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment));
  MustOpen(history, Racing());
  Reader reader(history);
  std::vector<std::shared_ptr<FaultBlobStore>> stores;
  for (uint64_t w = 0; w < kWriters; ++w) {
    FaultHook faults = GetParam() == 0 ? FaultHook() : SeededHeadFaults(GetParam() + w);
    stores.push_back(std::make_shared<FaultBlobStore>(history, environment, faults));
  }
  std::atomic<uint64_t> conflicts{0};
  std::vector<std::thread> writers;
  for (uint64_t w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      auto collection = MustOpen(stores[w], Racing());
      for (uint64_t i = 0; i < commits; ++i) {
        Status status = collection->Insert(NumberedRow(w * kKeysApart + i));
        EXPECT_TRUE(status.ok()) << status;
        do {
          status = collection->Commit();
        } while (status.code() == StatusCode::kUnknown);
        EXPECT_TRUE(status.ok()) << status;
        std::this_thread::yield();
      }
      conflicts += collection->Stats().conflicts;
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (auto& store : stores) store->DeliverLate();
  uint64_t looks = reader.Stop();
  ExpectAllThere(history, commits);
  history->ExpectUnbroken();
  EXPECT_GT(conflicts, 0U);
  if (GetParam() != 0) {
    for (FaultKind kind : {FaultKind::kFail, FaultKind::kLoseAnswer, FaultKind::kLate})
      EXPECT_GT(stores[0]->hits(kind), 0U);
  }
  Report(commits, conflicts, looks);
}

INSTANTIATE_TEST_SUITE_P(Faults, MemoryRace, testing::Values(0, 1, 2, 3));

// Counts commits that reach the store, and takes its time over each.
class SlowHead : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition) override {
    if (name == "head") {
      ++puts;
      for (int turn = 0; turn < 1000; ++turn) std::this_thread::yield();
    }
    return store_->Put(context, name, bytes, condition);
  }
  std::atomic<uint64_t> puts{0};
};

// However unlucky the threads are, some of so many meet.
TEST(GroupCommit, ThreadsThatCommitAtTheSameTimeShareStoreWrites) {
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kCommits = 50;
  auto store = std::make_shared<SlowHead>(std::make_shared<MemoryBlobStore>());
  auto handle = MustOpen(store, CreatingSmall());
  const uint64_t before = store->puts;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kCommits; ++i) {
        EXPECT_TRUE(handle->Insert(NumberedRow(t * kCommits + i)).ok());
        Status status = handle->Commit();
        EXPECT_TRUE(status.ok()) << status;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const uint64_t puts = store->puts - before;
  std::cout << "[ figures  ] " << kThreads * kCommits << " commits of " << kThreads << " threads in " << puts
            << " writes of the head\n";
  EXPECT_LT(puts, kThreads * kCommits);
  EXPECT_EQ(handle->Stats().version, 1 + puts);
  EXPECT_EQ(ScanKeys(*MustOpen(store)), KeyRange(0, kThreads * kCommits));
}

// Each writer is a process of its own. `argument` names the store for it.
void RaceProcesses(const std::shared_ptr<BlobStore>& store, const std::string& argument, uint64_t commits,
                   uint64_t seed) {
  MustOpen(store, Racing());
  TempDirectory directory;
  std::vector<std::unique_ptr<ChildWriter>> writers;
  std::vector<std::string> gates;
  for (uint64_t w = 0; w < kWriters; ++w) {
    gates.push_back(directory.path() + "/gate-" + std::to_string(w));
    ASSERT_EQ(::mkfifo(gates[w].c_str(), 0600), 0);
    std::vector<std::string> arguments{"race",
                                       argument,
                                       std::to_string(w * kKeysApart),
                                       std::to_string(commits),
                                       std::to_string(seed == 0 ? 0 : seed + w),
                                       gates[w]};
    writers.push_back(std::make_unique<ChildWriter>(arguments, directory.path() + "/log-" + std::to_string(w)));
  }
  {
    // Each opening waits for its writer, and all begin when these are closed.
    std::vector<std::ofstream> openings;
    for (const std::string& gate : gates) openings.emplace_back(gate);
  }
  Reader reader(store);
  uint64_t conflicts = 0;
  for (auto& writer : writers) {
    int status = writer->Wait();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << writer->LastLine();
    conflicts += writer->Last("conflicts").value_or(0);
  }
  uint64_t looks = reader.Stop();
  ExpectAllThere(store, commits);
  EXPECT_GT(conflicts, 0U);
  Report(commits, conflicts, looks);
}

class ProcessRace : public testing::TestWithParam<uint64_t> {};

TEST_P(ProcessRace, OverALocalDirectoryLosesAndDoublesNothing) {
  TempDirectory directory;
  std::string path = directory.path() + "/collection";
  RaceProcesses(std::make_shared<LocalBlobStore>(path, Environment::Default()), StoreArgument(path), CommitsOfEach(150),
                GetParam());
}

TEST_P(ProcessRace, OverS3LosesAndDoublesNothing) {
  ISOTHERM_NEEDS_SERVERS();
  auto server = S3TestServer::Shared();
  ASSERT_TRUE(server.ok()) << server.status();
  S3Options options = (*server)->Options(UniqueName("race"));
  auto store = OpenS3Store(options, Environment::Default());
  ASSERT_TRUE(store.ok()) << store.status();
  RetryOptions retry;
  retry.unavailable_is_definite = true;
  auto retried = std::make_shared<RetryBlobStore>(std::move(store).value(), Environment::Default(), retry);
  RaceProcesses(retried, StoreArgument(options), CommitsOfEach(150), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Faults, ProcessRace, testing::Values(0, 1));

}  // namespace
}  // namespace isotherm
