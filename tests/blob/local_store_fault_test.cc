// The local store on a file system that loses its power, or fails, at every single operation of a write.
#include <gtest/gtest.h>

#include "blob/local_store.h"
#include "tests/base/simulated_file_system.h"

namespace isotherm {

namespace {

const std::string kOld = "the old content, which was acknowledged";
const std::string kNew(2000, 'n');  // several sectors

enum class Operation { kOverwrite, kIfMatch, kIfAbsent, kWriter, kDelete };

struct FaultCase {
  Operation operation;
  bool warm;  // the handle has written before
};

std::string CaseName(const testing::TestParamInfo<FaultCase>& info) {
  static const char* const kNames[] = {"Overwrite", "IfMatch", "IfAbsent", "Writer", "Delete"};
  return std::string(kNames[static_cast<int>(info.param.operation)]) + (info.param.warm ? "Warm" : "Fresh");
}

std::optional<std::string> Content(BlobStore& store, const std::string& name) {
  ReadRequest request{.name = name, .range = {}, .if_match = {}};
  ReadResult result = std::move(store.Read({}, {&request, 1}).at(0));
  EXPECT_TRUE(result.status.ok() || result.status.code() == StatusCode::kNotFound) << result.status;
  if (!result.status.ok()) return std::nullopt;
  return result.data;
}

Status PutByWriter(BlobStore& store, const std::string& name) {
  Context context;
  Result<std::unique_ptr<BlobWriter>> writer = store.CreateWriter(context, name);
  if (!writer.ok()) return writer.status();
  Status appended = (*writer)->Append(kNew.substr(0, 700));
  if (appended.ok()) appended = (*writer)->Append(kNew.substr(700));
  return appended.ok() ? (*writer)->Finish().status() : appended;
}

class LocalStoreFaultTest : public testing::TestWithParam<FaultCase> {
 protected:
  void SetUp() override {
    file_system_ = std::make_shared<SimulatedFileSystem>();
    environment_ = std::make_shared<Environment>(*Environment::Default());
    environment_->file_system = file_system_;
    Open();
    bool exists = GetParam().operation != Operation::kIfAbsent && GetParam().operation != Operation::kWriter;
    name_ = exists ? "collection/head" : "collection/segments/one";
    if (exists) before_ = kOld;
    Result<std::string> etag = store_->Put({}, "collection/head", kOld);
    ASSERT_TRUE(etag.ok()) << etag.status();
    etag_ = *etag;
    ASSERT_TRUE(store_->Put({}, "collection/other", kOld, PutCondition::IfAbsent()).ok());
    if (!GetParam().warm) Open();
  }

  void Open() { store_ = std::make_unique<LocalBlobStore>("data/root", environment_); }

  Status Run() {
    switch (GetParam().operation) {
      case Operation::kOverwrite: return store_->Put({}, name_, kNew).status();
      case Operation::kIfMatch: return store_->Put({}, name_, kNew, PutCondition::IfMatch(etag_)).status();
      case Operation::kIfAbsent: return store_->Put({}, name_, kNew, PutCondition::IfAbsent()).status();
      case Operation::kWriter: return PutByWriter(*store_, name_);
      case Operation::kDelete: return store_->Delete({}, name_);
    }
    return Status::Internal("no such operation");
  }

  // What the object is after the operation has happened.
  std::optional<std::string> After() const {
    if (GetParam().operation == Operation::kDelete) return std::nullopt;
    return kNew;
  }

  uint64_t CountOperations() {
    uint64_t before = file_system_->operations();
    EXPECT_TRUE(Run().ok());
    uint64_t count = file_system_->operations() - before;
    EXPECT_EQ(Content(*store_, name_), After());
    SetUp();
    return count;
  }

  // Old or new, but whole; nothing else harmed; lists agree with reads; the next write works.
  void ExpectOneOf(bool old_allowed, bool new_allowed) {
    std::optional<std::string> content = Content(*store_, name_);
    EXPECT_TRUE((old_allowed && content == before_) || (new_allowed && content == After()))
        << (content.has_value() ? std::to_string(content->size()) + " bytes" : "absent");
    EXPECT_EQ(Content(*store_, "collection/other"), kOld);
    Result<ListPage> page = store_->List({}, "");
    ASSERT_TRUE(page.ok()) << page.status();
    for (const ListEntry& entry : page->entries) {
      std::optional<std::string> listed = Content(*store_, entry.name);
      ASSERT_TRUE(listed.has_value()) << entry.name;
      EXPECT_EQ(listed->size(), entry.size) << entry.name;
    }
    ASSERT_TRUE(store_->Put({}, name_, "the next").ok());
    EXPECT_EQ(Content(*store_, name_), "the next");
  }

  std::shared_ptr<SimulatedFileSystem> file_system_;
  std::shared_ptr<Environment> environment_;
  std::unique_ptr<LocalBlobStore> store_;
  std::string name_;
  std::string etag_;
  std::optional<std::string> before_;
};

}  // namespace

TEST_P(LocalStoreFaultTest, APowerLossAtAnyStepKeepsWhatWasAcknowledged) {
  constexpr uint64_t kSeeds = 8;
  uint64_t count = CountOperations();
  ASSERT_GE(count, 3u);
  for (uint64_t step = 0; step <= count; ++step) {
    for (uint64_t seed = 0; seed <= kSeeds; ++seed) {
      SCOPED_TRACE("step " + std::to_string(step) + " of " + std::to_string(count) + ", seed " + std::to_string(seed));
      SetUp();
      file_system_->CutPowerAt(file_system_->operations() + step);
      bool acknowledged = Run().ok();
      EXPECT_TRUE(acknowledged || step < count);
      if (seed == 0) {
        file_system_->PowerLoss();
      } else {
        file_system_->PowerLoss(seed);
      }
      Open();
      ExpectOneOf(!acknowledged, true);
    }
  }
}

TEST_P(LocalStoreFaultTest, AFailureAtAnyStepIsReportedAndTheHandleStaysUsable) {
  uint64_t count = CountOperations();
  for (const Status& injected : {Status::ResourceExhausted("no space"), Status::IoError("input/output error")}) {
    for (uint64_t step = 0; step < count; ++step) {
      SCOPED_TRACE("step " + std::to_string(step) + " of " + std::to_string(count) + ": " + injected.message());
      SetUp();
      file_system_->FailAt(file_system_->operations() + step, injected);
      Status status = Run();
      EXPECT_TRUE(status.ok() || status.code() == injected.code() || status.code() == StatusCode::kUnknown) << status;
      ExpectOneOf(!status.ok(), status.ok() || status.code() == StatusCode::kUnknown);
    }
  }
}

TEST_P(LocalStoreFaultTest, AFullDiskIsReportedAndUsableOnceThereIsSpace) {
  bool needs_space = GetParam().operation != Operation::kDelete;
  file_system_->SetCapacity(3 * kOld.size());
  Status status = Run();
  EXPECT_EQ(status.code(), needs_space ? StatusCode::kResourceExhausted : StatusCode::kOk) << status;
  EXPECT_EQ(Content(*store_, name_), needs_space ? before_ : std::nullopt);
  file_system_->SetCapacity(std::nullopt);
  EXPECT_TRUE(Run().ok());
  ExpectOneOf(false, true);
}

INSTANTIATE_TEST_SUITE_P(Each, LocalStoreFaultTest,
                         testing::Values(FaultCase{Operation::kOverwrite, true},
                                         FaultCase{Operation::kOverwrite, false}, FaultCase{Operation::kIfMatch, true},
                                         FaultCase{Operation::kIfMatch, false}, FaultCase{Operation::kIfAbsent, true},
                                         FaultCase{Operation::kIfAbsent, false}, FaultCase{Operation::kWriter, true},
                                         FaultCase{Operation::kWriter, false}, FaultCase{Operation::kDelete, true},
                                         FaultCase{Operation::kDelete, false}),
                         CaseName);

// What was told kUnknown may be settled by a read: what that sees must not vanish any more.
TEST_P(LocalStoreFaultTest, WhatIsReadAfterAnUnknownPutSurvivesALossOfPower) {
  if (GetParam().operation == Operation::kDelete) GTEST_SKIP() << "a delete that is undone does no harm";
  uint64_t count = CountOperations();
  uint64_t unknown = 0;
  uint64_t reads_failed = 0;
  for (uint64_t step = 0; step < count; ++step) {
    for (uint64_t lasting = 1; lasting <= 3; ++lasting) {
      SetUp();
      for (uint64_t i = 0; i < lasting; ++i) {
        file_system_->FailAt(file_system_->operations() + step + i, Status::IoError("input/output error"));
      }
      if (Run().code() != StatusCode::kUnknown) continue;
      ++unknown;
      ReadRequest request{.name = name_, .range = {}, .if_match = {}};
      ReadResult read = std::move(store_->Read({}, {&request, 1}).at(0));
      reads_failed += read.status.ok() ? 0 : 1;
      while (!read.status.ok()) read = std::move(store_->Read({}, {&request, 1}).at(0));
      EXPECT_TRUE(read.data == kNew);
      file_system_->PowerLoss();
      Open();
      EXPECT_TRUE(Content(*store_, name_) == kNew);
    }
  }
  EXPECT_GT(unknown, 0U);
  EXPECT_GT(reads_failed, 0U);
}

// Such a directory is there for the next process, but only in memory.
TEST(LocalStorePowerLossTest, ADirectoryThatADyingProcessCreatedIsMadeDurable) {
  for (uint64_t step = 0; step < 30; ++step) {
    auto file_system = std::make_shared<SimulatedFileSystem>();
    auto environment = std::make_shared<Environment>(*Environment::Default());
    environment->file_system = file_system;
    file_system->CutPowerAt(step);
    static_cast<void>(LocalBlobStore("a/b/root", environment).Put({}, "x/y/z/first", kNew));
    file_system->ClearFailures();
    LocalBlobStore store("a/b/root", environment);
    ASSERT_TRUE(store.Put({}, "x/y/z/second", kNew).ok());
    file_system->PowerLoss();
    EXPECT_TRUE(Content(store, "x/y/z/second") == kNew) << "step " << step;
  }
}

// E15.
TEST(LocalStoreLocksTest, AFileSystemWhoseLocksExcludeNobodyIsRefusedForReplacing) {
  auto file_system = std::make_shared<SimulatedFileSystem>();
  auto environment = std::make_shared<Environment>(*Environment::Default());
  environment->file_system = file_system;
  file_system->IgnoreLocks();
  LocalBlobStore store("root", environment);
  Result<std::string> etag = store.Put({}, "head", kOld, PutCondition::IfAbsent());
  ASSERT_TRUE(etag.ok()) << etag.status();
  Status replaced = store.Put({}, "head", kNew, PutCondition::IfMatch(*etag)).status();
  EXPECT_EQ(replaced.code(), StatusCode::kUnsupported);
  EXPECT_NE(replaced.message().find("flock"), std::string::npos) << replaced;
  EXPECT_EQ(Content(store, "head"), kOld);
}

}  // namespace isotherm
