// Two writers of one collection: what the slower one is told, and what one does that was stopped in the middle of a
// commit and wakes up when the world has moved on. E14 and E15; D3, D4 and D6 of docs/durability.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <functional>

#include "base/splitmix.h"
#include "blob/local_store.h"
#include "blob/memory_store.h"
#include "tests/base/simulated_file_system.h"
#include "tests/engine/commits.h"
#include "tests/engine/store_argument.h"
#include "tests/servers/s3_test_server.h"
#include "tests/writers/peer.h"
#include "tests/writers/race_round.h"

namespace isotherm {
namespace {

using namespace testing_support;
using testing::HasSubstr;

constexpr uint64_t kOthersKeys = 1'000'000;
constexpr int64_t kHourMs = 60 * 60 * 1000;

// The machine's own, with a wall clock that can be set ahead.
class SkewedClock : public Clock {
 public:
  int64_t ahead_ms = 0;
  int64_t NowNs() override { return clock_->NowNs(); }
  int64_t WallMs() override { return clock_->WallMs() + ahead_ms; }
  void SleepUntilNs(int64_t ns) override { clock_->SleepUntilNs(ns); }

 private:
  const std::shared_ptr<Clock> clock_ = Environment::Default()->clock;
};

TEST(TwoWriters, TheSlowerOneIsToldConflictOrItsRowsGoOnTop) {
  for (ConflictPolicy policy : {ConflictPolicy::kFail, ConflictPolicy::kReapply}) {
    // In the head, and in a segment.
    for (uint64_t rows : {1, 100}) {
      auto store = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>());
      Options options = CreatingSmall();
      options.inline_bytes = 1024;
      options.conflict_policy = policy;
      auto slower = MustOpen(store, options);
      auto faster = MustOpen(store, options);
      ASSERT_TRUE(slower->InsertBatch(NumberedRows(0, rows)).ok());
      ASSERT_TRUE(faster->InsertBatch(NumberedRows(rows, rows)).ok());
      ASSERT_TRUE(faster->Commit().ok());
      Status status = slower->Commit();
      EXPECT_EQ(status.code(), policy == ConflictPolicy::kFail ? StatusCode::kConflict : StatusCode::kOk) << status;
      if (!status.ok()) {
        EXPECT_EQ(ScanKeys(*MustOpen(store)), KeyRange(rows, rows));
        EXPECT_EQ(slower->Stats().pending_rows, rows);
        EXPECT_TRUE(slower->Commit().ok()) << "on the newer version, that it has seen by now";
      }
      EXPECT_EQ(ScanKeys(*MustOpen(store)), KeyRange(0, 2 * rows));
      ExpectClean(*slower);
      store->ExpectUnbroken();
    }
  }
}

TEST(TwoWriters, APatchOfARowThatTheOtherDeletedIsNotFound) {
  auto store = std::make_shared<MemoryBlobStore>();
  auto one = MustOpen(store, CreatingSmall());
  ASSERT_TRUE(one->Insert(NumberedRow(1)).ok());
  ASSERT_TRUE(one->Commit().ok());
  auto other = MustOpen(store);
  MetadataPatch patch;
  patch.set["patched"] = true;
  ASSERT_TRUE(one->Patch(uint64_t{1}, patch).ok());
  ASSERT_TRUE(other->Delete(uint64_t{1}).ok());
  ASSERT_TRUE(other->Commit().ok());
  Status status = one->Commit();
  EXPECT_EQ(status.code(), StatusCode::kNotFound) << status;
  ASSERT_TRUE(one->DiscardPending().ok());
  EXPECT_EQ(ScanKeys(*one), KeyRange(0, 0));
}

// Each time it is stopped at another moment, and meanwhile the other one commits, rewrites all segments, removes what
// nothing names any more, and, in every other round, lets so much time pass that the sleeper's slot goes to somebody
// else.
// `others_wait`: for the sleeper, as long as it sleeps; then it must sleep at another point.
void WakeUp(const std::shared_ptr<BlobStore>& store, const std::string& argument,
            const std::function<bool()>& others_wait) {
  constexpr uint64_t kRounds = 12;
  auto clock = std::make_shared<SkewedClock>();
  Options options = Racing();
  options.env = std::make_shared<Environment>(*Environment::Default());
  options.env->clock = clock;
  auto awake = MustOpen(store, options);
  Peer sleeper({"race", argument, "0"});
  sleeper.Expect("ready");
  SplitMix64 random(3);
  uint64_t own = 0;
  uint64_t of_sleeper = 0;
  for (uint64_t round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    sleeper.Tell("until " + std::to_string(awake->Stats().version + 30));
    clock->SleepUntilNs(clock->NowNs() + static_cast<int64_t>(random.Below(30'000'000)));
    sleeper.Signal(SIGSTOP);
    while (others_wait()) {
      sleeper.Signal(SIGCONT);
      sleeper.Signal(SIGSTOP);
    }
    if (round % 2 == 1) clock->ahead_ms += 2 * kHourMs;
    for (uint64_t i = 0; i < 5; ++i) {
      ASSERT_TRUE(awake->Insert(NumberedRow(kOthersKeys + own)).ok());
      Status status = awake->Commit();
      ASSERT_TRUE(status.ok()) << status;
      ++own;
    }
    Status compacted = awake->Compact();
    EXPECT_TRUE(compacted.ok()) << compacted;
    VacuumOptions vacuum;
    vacuum.keep_versions = 1;
    auto removed = awake->Vacuum(vacuum);
    EXPECT_TRUE(removed.ok()) << removed.status();
    sleeper.Signal(SIGCONT);
    of_sleeper += RaceFigures::Parse(sleeper.Expect("round")).commits;
    ASSERT_TRUE(awake->Refresh().ok());
    std::vector<uint64_t> expected = KeyRange(0, of_sleeper);
    for (uint64_t key : KeyRange(kOthersKeys, own)) expected.push_back(key);
    EXPECT_EQ(ScanKeys(*awake), expected);
    ExpectClean(*awake);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(of_sleeper, kRounds);
}

TEST(TwoWriters, OneThatSleptThroughCommitsAndAVacuumOverALocalDirectoryWakesUpAndHarmsNothing) {
  TempDirectory directory;
  const std::string path = directory.path() + "/collection";
  WakeUp(std::make_shared<LocalBlobStore>(path, Environment::Default()), StoreArgument(path), [&] {
    for (const auto& file : std::filesystem::directory_iterator(path + "/.tmp")) {
      const std::string name = file.path().filename().string();
      if (name.starts_with("lock-") && !FileSystem::Posix()->TryLock(file.path().string()).ok()) return true;
    }
    return false;
  });
}

TEST(TwoWriters, OneThatSleptThroughCommitsAndAVacuumOverS3WakesUpAndHarmsNothing) {
  ISOTHERM_NEEDS_SERVERS();
  auto server = S3TestServer::Shared();
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string argument = StoreArgument((*server)->Options(UniqueName("sleeper")));
  auto store = OpenStoreOf(argument);
  ASSERT_TRUE(store.ok()) << store.status();
  WakeUp(*store, argument, [] { return false; });
}

// E15: where locks exclude nobody, two processes could both replace the head; so nobody may.
TEST(TwoWriters, OfADirectoryWhoseLocksExcludeNobodyAreToldAndNothingIsLost) {
  auto files = std::make_shared<SimulatedFileSystem>();
  auto environment = std::make_shared<Environment>(*Environment::Default());
  environment->file_system = files;
  Options options = CreatingSmall();
  options.env = environment;
  auto open = [&] { return MustOpen(std::make_shared<LocalBlobStore>("data", environment), options); };
  {
    auto before = open();
    ASSERT_TRUE(before->InsertBatch(NumberedRows(0, 3)).ok());
    ASSERT_TRUE(before->Commit().ok());
  }
  files->IgnoreLocks();
  auto one = open();
  auto other = open();
  for (Collection* each : {one.get(), other.get()}) {
    ASSERT_TRUE(each->Insert(NumberedRow(each == one.get() ? 3 : 4)).ok());
    Status status = each->Commit();
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << status;
    EXPECT_THAT(status.message(), HasSubstr("flock"));
    EXPECT_EQ(each->Stats().pending_rows, 1U);
  }
  EXPECT_EQ(ScanKeys(*open()), KeyRange(0, 3));
}

TEST(TwoWriters, AreNotCreatedInADirectoryWhoseLocksExcludeNobody) {
  auto files = std::make_shared<SimulatedFileSystem>();
  files->IgnoreLocks();
  Options options = CreatingSmall();
  options.env = std::make_shared<Environment>(*Environment::Default());
  options.env->file_system = files;
  Status status = Open(std::make_shared<LocalBlobStore>("data", options.env), options).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported) << status;
}

}  // namespace
}  // namespace isotherm
