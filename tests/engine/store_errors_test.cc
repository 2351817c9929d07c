// Stores that refuse, fail or fill up: the error says so, nothing acknowledged is lost, and once the cause is gone the
// same handle works again. E10, E26.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "blob/fault_store.h"
#include "blob/local_store.h"
#include "blob/memory_store.h"
#include "tests/base/locked_directory.h"
#include "tests/base/simulated_file_system.h"
#include "tests/base/temp_directory.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;
using testing::HasSubstr;

// One handle's life: rows into the head, rows into a segment, a compaction into cells, rows beside it, reads. A step
// that fails is done again at once, when its cause is gone.
class Life {
 public:
  // What a step may say when something in it failed.
  explicit Life(std::vector<StatusCode> allowed) : allowed_(std::move(allowed)) {}

  // Called after a step failed and before it is done again.
  std::function<void()> repair = [] {};
  int failures = 0;

  void Run(const std::shared_ptr<BlobStore>& store, const std::shared_ptr<Environment>& environment) {
    Options options = CreatingSmall();
    options.env = environment;
    options.inline_bytes = 1000;
    options.block_cache_bytes = 0;
    std::unique_ptr<Collection> collection;
    Step("Open", [&] {
      auto opened = Open(store, options);
      if (opened.ok()) collection = std::move(opened).value();
      return opened.status();
    });
    ASSERT_NE(collection, nullptr);
    InsertAndCommit(*collection, 0, 3);
    InsertAndCommit(*collection, 3, 40);
    CompactOptions compact;
    compact.min_rows_for_cells = 1;
    compact.cells = 5;
    Step("Compact", [&] { return collection->Compact(compact); });
    InsertAndCommit(*collection, 43, 2);
    InsertAndCommit(*collection, 45, 30);
    Step("Search", [&] { return collection->Search(NumberedRow(7).vector).status(); });
    Step("Get", [&] { return collection->Get(uint64_t{50}).status(); });
    Step("Refresh", [&] { return collection->Refresh(); });
    std::vector<uint64_t> keys;
    Step("Scan", [&] {
      keys.clear();
      return collection->Scan([&](Row row) {
        keys.push_back(row.key.number());
        return Status::Ok();
      });
    });
    EXPECT_EQ(keys, KeyRange(0, 75));
    Step("Verify", [&] {
      auto report = collection->Verify();
      if (!report.ok()) return report.status();
      EXPECT_THAT(report->problems, testing::IsEmpty());
      return Status::Ok();
    });
  }

 private:
  void InsertAndCommit(Collection& collection, uint64_t first, uint64_t count) {
    Step("InsertBatch", [&] { return collection.InsertBatch(NumberedRows(first, count)); });
    Step("Commit", [&] { return collection.Commit(); });
    EXPECT_EQ(collection.Stats().pending_rows, 0U);
    EXPECT_EQ(collection.Stats().rows, first + count);
  }

  void Step(const char* name, const std::function<Status()>& step) {
    Status status = step();
    if (status.ok()) return;
    ++failures;
    EXPECT_THAT(allowed_, testing::Contains(status.code())) << name << ": " << status;
    EXPECT_FALSE(status.message().empty());
    repair();
    status = step();
    EXPECT_TRUE(status.ok()) << name << " done again: " << status;
  }

  const std::vector<StatusCode> allowed_;
};

struct Disk {
  std::shared_ptr<SimulatedFileSystem> files = std::make_shared<SimulatedFileSystem>();
  std::shared_ptr<Environment> environment = std::make_shared<Environment>(*Environment::Default());
  std::shared_ptr<BlobStore> store;

  Disk() {
    environment->file_system = files;
    store = std::make_shared<LocalBlobStore>("data", environment);
  }
};

// What is acknowledged is there for the next handle too.
void ExpectAllRowsAfterReopen(const std::shared_ptr<BlobStore>& store) {
  auto reopened = MustOpen(store);
  ASSERT_NE(reopened, nullptr);
  EXPECT_EQ(ScanKeys(*reopened), KeyRange(0, 75));
  ExpectClean(*reopened);
}

TEST(DiskErrors, AnInputOutputErrorAtAnyStepFailsOneCallAndTheHandleGoesOn) {
  uint64_t operations = 0;
  {
    Disk disk;
    Life({}).Run(disk.store, disk.environment);
    operations = disk.files->operations();
  }
  ASSERT_GT(operations, 100U);
  int failures = 0;
  for (uint64_t failing = 0; failing < operations; ++failing) {
    SCOPED_TRACE("operation " + std::to_string(failing));
    Disk disk;
    disk.files->FailAt(failing, Status::IoError("the disk says no"));
    // Where it can't be told whether a name is durable, the outcome is unknown until it is settled.
    Life life({StatusCode::kIoError, StatusCode::kUnknown, StatusCode::kUnavailable});
    life.Run(disk.store, disk.environment);
    ExpectAllRowsAfterReopen(disk.store);
    failures += life.failures;
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(failures, 50);
}

TEST(DiskErrors, AWriteThatFailedLeavesNoFileBehind) {
  Disk disk;
  auto collection = MustOpen(disk.store, CreatingSmall());
  std::vector<Row> rows = NumberedRows(0, 3);
  rows[1].payload.assign(2 << 20, 'p');  // into a segment
  ASSERT_TRUE(collection->InsertBatch(rows).ok());
  disk.files->SetCapacity(100'000);
  EXPECT_EQ(collection->Commit().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(CountObjects(*disk.store, "segment-"), 0U);
  auto temporary = disk.files->ListDirectory("data/.tmp");
  ASSERT_TRUE(temporary.ok()) << temporary.status();
  for (const FileInfo& file : *temporary) EXPECT_EQ(file.size, 0U) << file.name;
  disk.files->SetCapacity(std::nullopt);
  EXPECT_TRUE(collection->Commit().ok());
  EXPECT_EQ(collection->Get(uint64_t{1})->payload.size(), size_t{2} << 20);
}

// Every request fails from the n-th on, until the step is done again.
void FailFromAnyRequestOn(const Status& failure, std::vector<StatusCode> allowed) {
  int failures = 0;
  for (uint64_t first = 0;; ++first) {
    SCOPED_TRACE("from request " + std::to_string(first) + " on");
    auto environment = Environment::Default();
    auto faulty = std::make_shared<FaultBlobStore>(std::make_shared<MemoryBlobStore>(), environment);
    faulty->SetHook([&](uint64_t index, RequestKind, std::string_view) {
      return index >= first ? Fault{FaultKind::kFail, failure} : Fault{};
    });
    Life life(allowed);
    life.repair = [&] { faulty->SetHook(nullptr); };
    life.Run(faulty, environment);
    if (life.failures == 0) break;
    ExpectAllRowsAfterReopen(faulty);
    failures += life.failures;
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(failures, 20);
}

TEST(StoreErrors, PermissionThatIsLostAndGivenBack) {
  FailFromAnyRequestOn(Status::AccessDenied("not any more"), {StatusCode::kAccessDenied});
}

// A swap whose answer does not come and can't be asked for is unknown.
TEST(StoreErrors, ANetworkThatGoesAndComesBack) {
  FailFromAnyRequestOn(Status::Unavailable("no route"), {StatusCode::kUnavailable, StatusCode::kUnknown});
}

TEST(StoreErrors, AStoreWithoutRoom) {
  FailFromAnyRequestOn(Status::ResourceExhausted("quota"), {StatusCode::kResourceExhausted});
}

TEST(StoreErrors, ADirectoryWithoutPermissionIsAccessDenied) {
  TempDirectory directory;
  std::string place = directory.path() + "/collection";
  {
    auto writer = Open(place, CreatingSmall());
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Insert(NumberedRow(1)).ok());
    ASSERT_TRUE((*writer)->Commit().ok());
  }
  {
    LockedDirectory locked(directory.path());
    Status status = Open(place).status();
    EXPECT_EQ(status.code(), StatusCode::kAccessDenied);
    EXPECT_THAT(status.message(), HasSubstr(place));
    EXPECT_EQ(Open(place, CreatingSmall()).status().code(), StatusCode::kAccessDenied);
  }
  auto reader = Open(place);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(ScanKeys(**reader), KeyRange(1, 1));
}

TEST(StoreErrors, AMissingDirectoryIsNotFoundAndCreatingMakesIt) {
  TempDirectory directory;
  std::string place = directory.path() + "/a/b/collection";
  Status status = Open(place).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("no collection at file://" + place));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  EXPECT_TRUE(Open(place, CreatingSmall()).ok());
}

TEST(StoreErrors, AFileWhereADirectoryShouldBeIsAnError) {
  TempDirectory directory;
  std::string place = directory.path() + "/file";
  std::ofstream(place) << "no directory";
  EXPECT_EQ(Open(place).status().code(), StatusCode::kNotFound);
  Status status = Open(place, CreatingSmall()).status();
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_THAT(status.message(), HasSubstr("a parent is a file"));
}

}  // namespace
}  // namespace isotherm
