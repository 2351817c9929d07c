// What a caller may get wrong: an error that says what it was, nothing stored, and a handle that works on. E3, E4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "blob/memory_store.h"
#include "tests/engine/commits.h"
#include "tests/engine/oracle.h"

namespace isotherm {
namespace {

using namespace testing_support;
using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class BadInput : public testing::TestWithParam<Metric> {
 protected:
  void SetUp() override { Reset(KeyType::kInteger); }

  void Reset(KeyType type) {
    store_ = std::make_shared<MemoryBlobStore>();
    Options options = CreatingSmall();
    options.create = CreateOptions{kSmallDimension, GetParam(), type, {}};
    collection_ = MustOpen(store_, options);
    ASSERT_TRUE(collection_->Insert(RowOf(KeyOf(1))).ok());
    ASSERT_TRUE(collection_->Commit().ok());
    ASSERT_TRUE(collection_->Insert(RowOf(KeyOf(2))).ok());
  }

  Key KeyOf(uint64_t number) const {
    if (collection_->Stats().key_type == KeyType::kInteger) return number;
    return "key " + std::to_string(number);
  }
  static Row RowOf(Key key, std::vector<float> vector = {1, 2, 3, 4}) {
    return {std::move(key), std::move(vector), {}, {}};
  }

  // Refused alone, and in the middle of a batch of which nothing is stored then.
  void ExpectRefused(const Row& bad, StatusCode code, const std::string& named) {
    for (size_t place = 0; place < 4; ++place) {
      std::vector<Row> rows;
      for (uint64_t i = 0; i < 3; ++i) rows.push_back(RowOf(KeyOf(10 + i)));
      if (place == 3) rows.clear();
      rows.insert(rows.begin() + static_cast<ptrdiff_t>(place % 3), bad);
      Status status = place == 3 ? collection_->Insert(bad) : collection_->InsertBatch(rows);
      EXPECT_EQ(status.code(), code) << status;
      EXPECT_THAT(status.message(), HasSubstr(named));
      ExpectUnharmed();
    }
  }

  void ExpectQueryRefused(const std::vector<float>& query, const std::string& named) {
    auto result = collection_->Search(query);
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(result.status().message(), HasSubstr(named));
    std::vector<float> two{1, 2, 3, 4};
    two.insert(two.end(), query.begin(), query.end());
    EXPECT_EQ(collection_->BatchSearch(two).status().code(), StatusCode::kInvalidArgument);
    ExpectUnharmed();
  }

  // The rows of SetUp and no others; still searchable.
  void ExpectUnharmed() {
    EXPECT_EQ(collection_->Stats().rows, 1U);
    EXPECT_EQ(collection_->Stats().pending_rows, 1U);
    auto result = collection_->Search(std::vector<float>{1, 2, 3, 4});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->hits.size(), 2U);
  }

  std::shared_ptr<MemoryBlobStore> store_;
  std::unique_ptr<Collection> collection_;
};

TEST_P(BadInput, AVectorWithNanIsRefused) {
  ExpectRefused(RowOf(uint64_t{5}, {1, kNan, 3, 4}), StatusCode::kInvalidArgument, "component 1 of the vector is nan");
  ExpectQueryRefused({1, 2, kNan, 4}, "component 2 of the vector is nan");
}

TEST_P(BadInput, AVectorWithInfinityIsRefused) {
  ExpectRefused(RowOf(uint64_t{5}, {kInfinity, 2, 3, 4}), StatusCode::kInvalidArgument,
                "component 0 of the vector is inf");
  ExpectRefused(RowOf(uint64_t{5}, {1, 2, 3, -kInfinity}), StatusCode::kInvalidArgument,
                "component 3 of the vector is -inf");
  ExpectQueryRefused({1, 2, 3, kInfinity}, "inf");
}

TEST_P(BadInput, AVectorWithAComponentWhoseSquareOverflowsIsRefused) {
  float too_large = std::nextafter(1e16F, kInfinity);
  ExpectRefused(RowOf(uint64_t{5}, {1, 2, too_large, 4}), StatusCode::kInvalidArgument, "component 2");
  ExpectRefused(RowOf(uint64_t{5}, {1, 2, 3, -too_large}), StatusCode::kInvalidArgument, "at most 1e16");
  ExpectQueryRefused({too_large, 2, 3, 4}, "component 0");
  EXPECT_TRUE(collection_->Insert(RowOf(uint64_t{5}, {1e16F, -1e16F, 1e16F, 1e16F})).ok());
}

TEST_P(BadInput, AZeroVectorIsRefusedUnderCosineAndFineOtherwise) {
  if (GetParam() == Metric::kCosine) {
    ExpectRefused(RowOf(uint64_t{5}, {0, 0, -0.0F, 0}), StatusCode::kInvalidArgument, "needs a direction");
    ExpectQueryRefused({0, 0, 0, 0}, "needs a direction");
  } else {
    EXPECT_TRUE(collection_->Insert(RowOf(uint64_t{5}, {0, 0, 0, 0})).ok());
    auto result = collection_->Search(std::vector<float>{0, 0, 0, 0});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->hits.size(), 3U);
  }
}

// Their squares are not: such a vector is no zero vector.
TEST_P(BadInput, AVectorOfTheSmallestNumbersHasADirection) {
  float tiny = std::numeric_limits<float>::denorm_min();
  ASSERT_TRUE(collection_->Insert(RowOf(uint64_t{5}, {tiny, tiny, 0, 0})).ok());
  auto result = collection_->Search(std::vector<float>{tiny, tiny, 0, 0});
  ASSERT_TRUE(result.ok()) << result.status();
  if (GetParam() == Metric::kCosine) {
    EXPECT_EQ(result->hits[0].key, Key(uint64_t{5}));
    EXPECT_NEAR(result->hits[0].distance, 0, 1e-6);
  }
}

TEST_P(BadInput, AVectorOfAnotherDimensionIsRefused) {
  for (size_t size : {0, 1, 3, 5, 8, 1000}) {
    ExpectRefused(RowOf(uint64_t{5}, std::vector<float>(size, 1)), StatusCode::kInvalidArgument,
                  "the collection's dimension is 4");
    auto result = collection_->Search(std::vector<float>(size, 1));
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(result.status().message(), HasSubstr("query of " + std::to_string(size) + " numbers"));
  }
  for (size_t size : {0, 3, 5, 9}) {
    EXPECT_EQ(collection_->BatchSearch(std::vector<float>(size, 1)).status().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(collection_->BatchSearch(std::vector<float>(8, 1))->size(), 2U);
}

TEST_P(BadInput, AnEmptyBatchIsRefused) {
  EXPECT_EQ(collection_->InsertBatch({}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(collection_->BatchSearch({}).status().code(), StatusCode::kInvalidArgument);
  ExpectUnharmed();
}

TEST_P(BadInput, AKeyThatIsCommittedExists) {
  ExpectRefused(RowOf(KeyOf(1)), StatusCode::kAlreadyExists, "key 1 is there already");
}

TEST_P(BadInput, AKeyThatIsPendingExists) {
  ExpectRefused(RowOf(KeyOf(2)), StatusCode::kAlreadyExists, "key 2 is there already");
}

TEST_P(BadInput, AKeyThatIsTwiceInABatchExists) {
  EXPECT_EQ(collection_->InsertBatch({RowOf(KeyOf(7)), RowOf(KeyOf(8)), RowOf(KeyOf(7))}).code(),
            StatusCode::kAlreadyExists);
  ExpectUnharmed();
}

TEST_P(BadInput, AKeyOfTheOtherTypeIsRefused) {
  ExpectRefused(RowOf("five"), StatusCode::kInvalidArgument, "this collection's keys are integers");
  EXPECT_EQ(collection_->Get("five").status().code(), StatusCode::kInvalidArgument);
  Reset(KeyType::kString);
  ExpectRefused(RowOf(uint64_t{5}), StatusCode::kInvalidArgument, "this collection's keys are strings");
  EXPECT_EQ(collection_->Get(uint64_t{5}).status().code(), StatusCode::kInvalidArgument);
}

TEST_P(BadInput, ATextKeyHas1To1024Bytes) {
  Reset(KeyType::kString);
  ExpectRefused(RowOf(""), StatusCode::kInvalidArgument, "key of 0 bytes");
  ExpectRefused(RowOf(std::string(kMaxKeyBytes + 1, 'k')), StatusCode::kInvalidArgument, "key of 1025 bytes");
  EXPECT_EQ(collection_->Get("").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(collection_->Get(std::string(kMaxKeyBytes + 1, 'k')).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(collection_->Insert(RowOf(std::string(kMaxKeyBytes, 'k'))).ok());
  EXPECT_TRUE(collection_->Insert(RowOf(std::string(1, '\0'))).ok());
}

TEST_P(BadInput, AnArrayInsideAnArrayIsRefused) {
  Row row = RowOf(uint64_t{5});
  row.metadata["tags"] = Value::Array{Value("a"), Value(Value::Array{Value("b")})};
  ExpectRefused(row, StatusCode::kInvalidArgument, "'tags': an array inside an array");
}

TEST_P(BadInput, MetadataOverItsLimitsIsRefused) {
  Row row = RowOf(uint64_t{5});
  row.metadata["text"] = std::string(kMaxMetadataBytes, 'x');
  ExpectRefused(row, StatusCode::kInvalidArgument, "at most 1048576 are allowed");
  row.metadata = {{std::string(kMaxFieldNameBytes + 1, 'n'), Value(1)}};
  ExpectRefused(row, StatusCode::kInvalidArgument, "field name of 257 bytes");
  row.metadata = {{"", Value(1)}};
  ExpectRefused(row, StatusCode::kInvalidArgument, "field name of 0 bytes");
  row.metadata = {{std::string(kMaxFieldNameBytes, 'n'), Value(std::string(kMaxMetadataBytes - 300, 'x'))}};
  EXPECT_TRUE(collection_->Insert(row).ok());
}

TEST_P(BadInput, APayloadOverItsLimitIsRefused) {
  Row row = RowOf(uint64_t{5});
  row.payload.resize(kMaxPayloadBytes + 1);
  Status status = collection_->Insert(std::move(row));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("at most 268435456 are allowed"));
  ExpectUnharmed();
}

TEST_P(BadInput, KOfZeroIsRefused) {
  SearchOptions options;
  options.k = 0;
  for (bool exact : {false, true}) {
    options.exact = exact;
    EXPECT_EQ(collection_->Search(std::vector<float>{1, 2, 3, 4}, options).status().code(),
              StatusCode::kInvalidArgument);
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, BadInput, testing::Values(Metric::kL2, Metric::kCosine, Metric::kInnerProduct));

TEST(Creation, WithOptionsOutsideOfTheirRangesIsRefusedAndCreatesNothing) {
  auto store = std::make_shared<MemoryBlobStore>();
  auto refused = [&](const CreateOptions& create) {
    Options options;
    options.create = create;
    EXPECT_TRUE(ObjectNames(*store).empty());
    return Open(store, options).status().code() == StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused({0, Metric::kL2, KeyType::kInteger, {}}));
  EXPECT_TRUE(refused({65537, Metric::kL2, KeyType::kInteger, {}}));
  EXPECT_TRUE(refused({4, Metric{9}, KeyType::kInteger, {}}));
  EXPECT_TRUE(refused({4, Metric::kL2, KeyType{0}, {}}));
  EXPECT_TRUE(refused({4, Metric::kL2, KeyType::kInteger, {""}}));
  EXPECT_TRUE(refused({4, Metric::kL2, KeyType::kInteger, {"a", "b", "a"}}));
  EXPECT_TRUE(refused({4, Metric::kL2, KeyType::kInteger, {std::string(kMaxFieldNameBytes + 1, 'n')}}));
  std::vector<std::string> many;
  for (int i = 0; i < 65; ++i) many.push_back("column " + std::to_string(i));
  EXPECT_TRUE(refused({4, Metric::kL2, KeyType::kInteger, many}));
  many.pop_back();
  EXPECT_FALSE(refused({kMaxDimension, Metric::kL2, KeyType::kInteger, many}));
}

TEST(Creation, OfWhatExistsAlikeOpensItAndOtherwiseIsRefused) {
  auto store = std::make_shared<MemoryBlobStore>();
  Options options = CreatingSmall();
  ASSERT_TRUE(Open(store, options).ok());
  EXPECT_TRUE(Open(store, options).ok());
  auto other = [&](auto change) {
    Options changed = options;
    change(*changed.create);
    return Open(store, changed).status();
  };
  Status status = other([](CreateOptions& c) { c.dimension = 5; });
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("exists with dimension 4; asked for was 5"));
  EXPECT_EQ(other([](CreateOptions& c) { c.metric = Metric::kCosine; }).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(other([](CreateOptions& c) { c.key_type = KeyType::kString; }).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(other([](CreateOptions& c) { c.filter_columns.clear(); }).code(), StatusCode::kInvalidArgument);
  options.error_if_exists = true;
  EXPECT_EQ(Open(store, options).status().code(), StatusCode::kAlreadyExists);
}

TEST(Opening, WithoutACollectionOrAStoreIsRefusedAndCreatesNothing) {
  auto store = std::make_shared<MemoryBlobStore>();
  EXPECT_EQ(Open(store).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(ObjectNames(*store).empty());
  EXPECT_EQ(Open(std::shared_ptr<BlobStore>()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Open("ftp://somewhere/else").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Open("").status().code(), StatusCode::kInvalidArgument);
}

TEST(Opening, ToCreateAndReadOnlyAtOnceIsRefused) {
  Options options = CreatingSmall();
  options.read_only = true;
  auto store = std::make_shared<MemoryBlobStore>();
  EXPECT_EQ(Open(store, options).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(ObjectNames(*store).empty());
}

TEST(ClosedHandle, SaysSoToEveryCall) {
  auto collection = MustOpen(std::make_shared<MemoryBlobStore>(), CreatingSmall());
  ASSERT_TRUE(collection->Insert(NumberedRow(1)).ok());
  ASSERT_TRUE(collection->Commit().ok());
  ASSERT_TRUE(collection->Close().ok());
  std::vector<float> query(kSmallDimension, 1);
  std::vector<Key> keys{uint64_t{1}};
  EXPECT_EQ(collection->Insert(NumberedRow(2)).code(), StatusCode::kClosed);
  EXPECT_EQ(collection->InsertBatch(NumberedRows(2, 2)).code(), StatusCode::kClosed);
  EXPECT_EQ(collection->Commit().code(), StatusCode::kClosed);
  EXPECT_EQ(collection->DiscardPending().code(), StatusCode::kClosed);
  EXPECT_EQ(collection->Search(query).status().code(), StatusCode::kClosed);
  EXPECT_EQ(collection->BatchSearch(query).status().code(), StatusCode::kClosed);
  EXPECT_EQ(collection->Get(keys[0]).status().code(), StatusCode::kClosed);
  EXPECT_EQ(collection->Contains(keys).status().code(), StatusCode::kClosed);
  EXPECT_EQ(collection->Scan([](Row) { return Status::Ok(); }).code(), StatusCode::kClosed);
  EXPECT_EQ(collection->Refresh().code(), StatusCode::kClosed);
  EXPECT_EQ(collection->Compact().code(), StatusCode::kClosed);
  EXPECT_EQ(collection->Verify().status().code(), StatusCode::kClosed);
  EXPECT_EQ(collection->Stats().rows, 1U);
  EXPECT_TRUE(collection->Close().ok());
}

TEST(EmptyCollection, AnswersWithNothing) {
  auto store = std::make_shared<MemoryBlobStore>();
  auto collection = MustOpen(store, CreatingSmall());
  std::vector<float> query(kSmallDimension, 1);
  for (bool exact : {false, true}) {
    for (size_t rerank : {0, 10}) {
      SearchOptions options;
      options.exact = exact;
      options.rerank = rerank;
      options.include_metadata = options.include_payload = options.include_vector = true;
      auto result = collection->Search(query, options);
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_TRUE(result->hits.empty());
    }
  }
  EXPECT_EQ(collection->Get(uint64_t{1}).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(ScanKeys(*collection).empty());
  EXPECT_TRUE(collection->Commit().ok());
  EXPECT_TRUE(collection->Compact().ok());
  EXPECT_EQ(collection->Stats().version, 1U) << "nothing was there to be committed";
  ExpectClean(*collection);
}

}  // namespace
}  // namespace isotherm
