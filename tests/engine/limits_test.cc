// docs/limits.md: what is at a limit is taken, what is beyond is refused with what would be right, and nothing of it is
// stored.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "blob/memory_store.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;
using testing::HasSubstr;

class Limits : public testing::Test {
 protected:
  void OpenWith(const CreateOptions& create) {
    Options options = CreatingSmall();
    options.create = create;
    options.memtable_bytes = uint64_t{2} << 30;
    store_ = std::make_shared<MemoryBlobStore>();
    collection_ = MustOpen(store_, options);
  }

  // Refused for its size, naming the limit; the handle goes on as if nothing had been asked.
  void ExpectRefused(const Status& status, const std::string& limit) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.message(), HasSubstr(limit));
    EXPECT_EQ(collection_->Stats().pending_rows, 0U);
  }

  // Committed, and there for another handle.
  void ExpectTaken(const Row& row) {
    Status status = collection_->Insert(row);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(collection_->Commit().ok());
    auto got = MustOpen(store_)->Get(row.key);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(*got == row);
  }

  static CreateOptions Small(KeyType type = KeyType::kInteger) { return {kSmallDimension, Metric::kL2, type, {}}; }
  static Status CreateWith(CreateOptions create) {
    Options options;
    options.create = std::move(create);
    return Open(std::make_shared<MemoryBlobStore>(), options).status();
  }

  std::shared_ptr<MemoryBlobStore> store_;
  std::unique_ptr<Collection> collection_;
};

TEST_F(Limits, OfADimension) {
  OpenWith({kMaxDimension, Metric::kL2, KeyType::kInteger, {}});
  Row row = NumberedRow(1);
  row.vector.assign(kMaxDimension, 0.5F);
  ExpectTaken(row);
  EXPECT_TRUE(collection_->Search(row.vector).ok());
  for (uint32_t dimension : {0U, kMaxDimension + 1}) {
    Status status = CreateWith({dimension, Metric::kL2, KeyType::kInteger, {}});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(std::to_string(kMaxDimension)));
  }
}

TEST_F(Limits, OfAComponent) {
  OpenWith(Small());
  Row row = NumberedRow(1);
  row.vector[2] = -kMaxComponent;
  row.vector[3] = kMaxComponent;
  ExpectTaken(row);
  row.key = uint64_t{2};
  row.vector[2] = std::nextafter(kMaxComponent, std::numeric_limits<float>::infinity());
  ExpectRefused(collection_->Insert(row), "1e16");
}

TEST_F(Limits, OfAKey) {
  OpenWith(Small(KeyType::kString));
  Row row = NumberedRow(1);
  row.key = Key(std::string(kMaxKeyBytes, 'k'));
  ExpectTaken(row);
  for (size_t bytes : {size_t{0}, kMaxKeyBytes + 1}) {
    row.key = Key(std::string(bytes, 'k'));
    ExpectRefused(collection_->Insert(row), std::to_string(kMaxKeyBytes));
  }
}

TEST_F(Limits, OfMetadata) {
  OpenWith(Small());
  Row row = NumberedRow(1);
  // Number of fields, length of the name, name, type, length of the text.
  constexpr size_t kFrame = 4 + 4 + 1 + 1 + 4;
  row.metadata = {{"m", std::string(kMaxMetadataBytes - kFrame, 'm')}};
  ExpectTaken(row);
  row.key = uint64_t{2};
  row.metadata = {{"m", std::string(kMaxMetadataBytes - kFrame + 1, 'm')}};
  ExpectRefused(collection_->Insert(row), std::to_string(kMaxMetadataBytes));
  // A patch that makes it so.
  Status patched = collection_->Patch(uint64_t{1}, {{{"n", Value(true)}}, {}});
  ExpectRefused(patched, std::to_string(kMaxMetadataBytes));
}

TEST_F(Limits, OfAFieldName) {
  OpenWith(Small());
  Row row = NumberedRow(1);
  row.metadata[std::string(kMaxFieldNameBytes, 'n')] = 1;
  ExpectTaken(row);
  row.key = uint64_t{2};
  row.metadata[std::string(kMaxFieldNameBytes + 1, 'n')] = 1;
  ExpectRefused(collection_->Insert(row), std::to_string(kMaxFieldNameBytes));
}

TEST_F(Limits, OfAPayload) {
  OpenWith(Small());
  Row row = NumberedRow(1);
  row.payload.assign(kMaxPayloadBytes + 1, 'p');
  ExpectRefused(collection_->Insert(row), std::to_string(kMaxPayloadBytes));
  row.payload.pop_back();
  ExpectTaken(row);
}

TEST_F(Limits, OfFilterColumns) {
  std::vector<std::string> columns;
  for (size_t i = 0; i < kMaxFilterColumns; ++i) columns.push_back("column " + std::to_string(i));
  OpenWith({kSmallDimension, Metric::kL2, KeyType::kInteger, columns});
  Row row = NumberedRow(1);
  for (const std::string& column : columns) row.metadata[column] = 7;
  ExpectTaken(row);
  columns.emplace_back("one more");
  Status status = CreateWith({kSmallDimension, Metric::kL2, KeyType::kInteger, columns});
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr(std::to_string(kMaxFilterColumns)));
}

TEST_F(Limits, OfABatchInRows) {
  OpenWith({1, Metric::kL2, KeyType::kInteger, {}});
  WriteBatch batch;
  for (uint64_t key = 0; key <= kMaxBatchRows; ++key) batch.Delete(key);
  ExpectRefused(collection_->Write(batch), std::to_string(kMaxBatchRows));
  batch.mutations().pop_back();
  Status written = collection_->Write(std::move(batch));
  EXPECT_TRUE(written.ok()) << written;
}

TEST_F(Limits, OfABatchInBytes) {
  OpenWith(Small());
  std::vector<Row> rows = NumberedRows(0, kMaxBatchBytes / kMaxPayloadBytes);
  for (Row& row : rows) row.payload.assign(kMaxPayloadBytes, 'p');
  ExpectRefused(collection_->InsertBatch(std::move(rows)), std::to_string(kMaxBatchBytes));
  EXPECT_TRUE(collection_->InsertBatch(NumberedRows(0, 3)).ok());
}

TEST_F(Limits, OfABranchName) {
  OpenWith(Small());
  EXPECT_TRUE(collection_->CreateBranch(std::string(kMaxBranchNameBytes, 'b')).ok());
  Status status = collection_->CreateBranch(std::string(kMaxBranchNameBytes + 1, 'b'));
  ExpectRefused(status, std::to_string(kMaxBranchNameBytes));
}

TEST_F(Limits, OfWritersWithinAnHour) {
  auto clock = std::make_shared<ManualClock>();
  Options options = CreatingSmall();
  options.env = EnvironmentWithClock(clock);
  store_ = std::make_shared<MemoryBlobStore>();
  collection_ = MustOpen(store_, options);
  ReadRequest request{kHeadObject, {}, {}};
  auto head = DecodeHead(store_->Read({}, {&request, 1})[0].data);
  ASSERT_TRUE(head.ok()) << head.status();
  for (uint64_t i = head->slots.size(); i < kMaxWriters; ++i) head->slots.push_back({{i, ~i}, 1, 1, clock->WallMs()});
  ASSERT_TRUE(store_->Put({}, kHeadObject, EncodeHead(*head)).ok());
  auto late = MustOpen(store_, options);
  ASSERT_TRUE(late->Insert(NumberedRow(1)).ok());
  Status status = late->Commit();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(status.message(), HasSubstr(std::to_string(kMaxWriters)));
  clock->AdvanceWallMs(60 * 60 * 1000 + 1);
  status = late->Commit();
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace isotherm
