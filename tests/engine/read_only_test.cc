// A read-only handle: every write is refused, and nothing is created anywhere, whatever it reads. E12.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "blob/local_store.h"
#include "tests/base/simulated_file_system.h"
#include "tests/base/temp_directory.h"
#include "tests/engine/commits.h"
#include "tests/engine/damage.h"

namespace isotherm {
namespace {

using namespace testing_support;

Options ReadOnlyOptions() {
  Options options = QuietOptions();
  options.read_only = true;
  options.commit_on_close = true;
  return options;
}

class ReadOnlyHandle : public testing::TestWithParam<Layout> {};

// Puts, deletes and lists are refused as by credentials that allow reading only.
class ReadingStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<std::string> Put(const Context&, std::string_view name, std::string_view, const PutCondition&) override {
    return Refuse("put", name);
  }
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context&, std::string_view name) override {
    return Refuse("put", name);
  }
  Status Delete(const Context&, std::string_view name) override { return Refuse("delete", name); }

 private:
  static Status Refuse(const char* what, std::string_view name) {
    ADD_FAILURE() << what << " " << name;
    return Status::AccessDenied("reading only");
  }
};

TEST_P(ReadOnlyHandle, AnswersEverythingAndAsksForNoWrite) {
  Sample sample = MakeSample(GetParam(), KeyType::kInteger);
  std::vector<std::string> answers = AnswersOf(sample);
  auto reader = Open(std::make_shared<ReadingStore>(sample.store), ReadOnlyOptions());
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::vector<Question> questions = AllQuestions(sample);
  for (size_t i = 0; i < questions.size(); ++i) {
    auto answer = questions[i].ask(**reader);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_TRUE(*answer == answers[i]) << questions[i].name;
  }
  ExpectClean(**reader);
  EXPECT_TRUE((*reader)->Refresh().ok());
  Row row = sample.rows[0];
  row.key = uint64_t{1};
  EXPECT_EQ((*reader)->Insert(row).code(), StatusCode::kReadOnly);
  EXPECT_EQ((*reader)->InsertBatch({row}).code(), StatusCode::kReadOnly);
  EXPECT_EQ((*reader)->Commit().code(), StatusCode::kReadOnly);
  EXPECT_EQ((*reader)->DiscardPending().code(), StatusCode::kReadOnly);
  EXPECT_EQ((*reader)->Compact().code(), StatusCode::kReadOnly);
  EXPECT_EQ((*reader)->Stats().pending_rows, 0U);
  EXPECT_TRUE((*reader)->Close().ok());
}

TEST_P(ReadOnlyHandle, SeesWhatAWriterCommittedAfterRefresh) {
  Sample sample = MakeSample(GetParam(), KeyType::kInteger);
  auto reader = Open(sample.store, ReadOnlyOptions());
  auto writer = Open(sample.store, QuietOptions());
  ASSERT_TRUE(reader.ok() && writer.ok());
  Row row = sample.rows[0];
  row.key = uint64_t{1};
  ASSERT_TRUE((*writer)->Insert(row).ok());
  ASSERT_TRUE((*writer)->Commit().ok());
  EXPECT_EQ((*reader)->Get(row.key).status().code(), StatusCode::kNotFound);
  ASSERT_TRUE((*reader)->Refresh().ok());
  EXPECT_EQ(*(*reader)->Get(row.key), row);
}

INSTANTIATE_TEST_SUITE_P(Layouts, ReadOnlyHandle,
                         testing::Values(Layout::kInline, Layout::kFlat, Layout::kCells, Layout::kMixed));

// Every file below a folder with the time of its last change.
std::map<std::string, std::filesystem::file_time_type> FilesIn(const std::string& folder) {
  std::map<std::string, std::filesystem::file_time_type> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    files[entry.path()] = entry.last_write_time();
  }
  return files;
}

TEST(ReadOnlyDirectory, IsLeftAsItWas) {
  TempDirectory directory;
  std::string place = directory.path() + "/collection";
  {
    auto writer = Open("file://" + place, CreatingSmall());
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->InsertBatch(NumberedRows(0, 100)).ok());
    CompactOptions compact;
    compact.min_rows_for_cells = 1;
    ASSERT_TRUE((*writer)->Compact(compact).ok());
  }
  auto before = FilesIn(directory.path());
  {
    auto reader = Open("file://" + place, ReadOnlyOptions());
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ(ScanKeys(**reader), KeyRange(0, 100));
    EXPECT_TRUE((*reader)->Search(NumberedRow(3).vector).ok());
    EXPECT_EQ((*reader)->Insert(NumberedRow(200)).code(), StatusCode::kReadOnly);
    ExpectClean(**reader);
  }
  EXPECT_EQ(FilesIn(directory.path()), before);
}

TEST(ReadOnlyDirectory, ThatIsMissingStaysMissing) {
  TempDirectory directory;
  std::string place = directory.path() + "/nowhere/collection";
  EXPECT_EQ(Open("file://" + place, ReadOnlyOptions()).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Open("file://" + place).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(ReadOnlyDirectory, MayBeOnADiskWithoutAByteLeft) {
  auto files = std::make_shared<SimulatedFileSystem>();
  auto environment = std::make_shared<Environment>(*Environment::Default());
  environment->file_system = files;
  auto store = std::make_shared<LocalBlobStore>("data", environment);
  {
    auto writer = MustOpen(store, CreatingSmall());
    ASSERT_TRUE(writer->InsertBatch(NumberedRows(0, 100)).ok());
    ASSERT_TRUE(writer->Compact().ok());
  }
  files->SetCapacity(0);
  auto reader = MustOpen(store, ReadOnlyOptions());
  EXPECT_EQ(ScanKeys(*reader), KeyRange(0, 100));
  EXPECT_TRUE(reader->Search(NumberedRow(3).vector).ok());
  ExpectClean(*reader);
}

}  // namespace
}  // namespace isotherm
