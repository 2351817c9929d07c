#include "blob/fault_store.h"

#include <gmock/gmock.h>

#include "blob/memory_store.h"
#include "tests/blob/conformance.h"

namespace isotherm {

namespace {

class FaultBlobStoreTest : public testing::Test {
 protected:
  // From now on, the n-th request counted from 0 has this fault.
  void FaultAt(uint64_t n, Fault fault) {
    uint64_t at = store_->requests() + n;
    store_->SetHook(
        [at, fault](uint64_t index, RequestKind, std::string_view) { return index == at ? fault : Fault{}; });
  }

  ReadResult Read(BlobStore& store, const std::string& name, std::string if_match = {}) {
    ReadRequest request{.name = name, .range = {}, .if_match = std::move(if_match)};
    return std::move(store.Read({}, {&request, 1}).at(0));
  }
  ReadResult Read(const std::string& name) { return Read(*store_, name); }

  std::shared_ptr<MemoryBlobStore> memory_ = std::make_shared<MemoryBlobStore>();
  std::shared_ptr<FaultBlobStore> store_ = std::make_shared<FaultBlobStore>(memory_, Environment::Default());
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Faultless, BlobStoreConformance,
                         testing::Values(StoreFactory{"fault",
                                                      [] {
                                                        return std::make_shared<FaultBlobStore>(
                                                            std::make_shared<MemoryBlobStore>(),
                                                            Environment::Default());
                                                      }}),
                         StoreFactoryName);

TEST_F(FaultBlobStoreTest, TheHookSeesEveryRequestInOrder) {
  std::vector<std::string> seen;
  store_->SetHook([&](uint64_t index, RequestKind kind, std::string_view name) {
    seen.push_back(std::to_string(index) + " " + std::to_string(static_cast<int>(kind)) + " " + std::string(name));
    return Fault{};
  });
  ASSERT_TRUE(store_->Put({}, "a", "1").ok());
  std::vector<ReadRequest> requests{{.name = "a", .range = {}, .if_match = {}},
                                    {.name = "b", .range = {}, .if_match = {}}};
  store_->Read({}, requests);
  ASSERT_TRUE(store_->Delete({}, "a").ok());
  ASSERT_TRUE(store_->List({}, "pre").ok());
  auto writer = store_->CreateWriter({}, "c");
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_THAT(seen, testing::ElementsAre("0 1 a", "1 0 a", "2 0 b", "3 2 a", "4 3 pre", "5 1 c"));
  EXPECT_EQ(store_->requests(), 6u);
}

TEST_F(FaultBlobStoreTest, AFailedRequestDidNotHappen) {
  FaultAt(0, {.kind = FaultKind::kFail, .status = Status::AccessDenied("no")});
  EXPECT_EQ(store_->Put({}, "a", "1").status().code(), StatusCode::kAccessDenied);
  EXPECT_EQ(Read(*memory_, "a").status.code(), StatusCode::kNotFound);
  ASSERT_TRUE(store_->Put({}, "a", "1").ok());
  FaultAt(0, {.kind = FaultKind::kFail});
  EXPECT_EQ(store_->Delete({}, "a").code(), StatusCode::kUnavailable);
  EXPECT_EQ(Read("a").data, "1");
  FaultAt(0, {.kind = FaultKind::kFail});
  EXPECT_EQ(store_->List({}, "").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(store_->hits(FaultKind::kFail), 3u);
}

TEST_F(FaultBlobStoreTest, OneReadOfABatchFailsAlone) {
  ASSERT_TRUE(store_->Put({}, "a", "1").ok());
  std::vector<ReadRequest> requests(3, {.name = "a", .range = {}, .if_match = {}});
  FaultAt(1, {.kind = FaultKind::kFail});
  std::vector<ReadResult> results = store_->Read({}, requests);
  EXPECT_EQ(results[0].data, "1");
  EXPECT_EQ(results[1].status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(results[2].data, "1");
}

TEST_F(FaultBlobStoreTest, ALostAnswerHappened) {
  FaultAt(0, {.kind = FaultKind::kLoseAnswer});
  EXPECT_EQ(store_->Put({}, "a", "1", PutCondition::IfAbsent()).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Read("a").data, "1");
  FaultAt(0, {.kind = FaultKind::kLoseAnswer, .status = Status::Unknown("?")});
  EXPECT_EQ(store_->Delete({}, "a").code(), StatusCode::kUnknown);
  EXPECT_EQ(Read("a").status.code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->hits(FaultKind::kLoseAnswer), 2u);
}

TEST_F(FaultBlobStoreTest, ALatePutHappensWhenItIsDelivered) {
  Result<std::string> etag = store_->Put({}, "head", "1");
  FaultAt(0, {.kind = FaultKind::kLate});
  EXPECT_EQ(store_->Put({}, "head", "late", PutCondition::IfMatch(*etag)).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Read("head").data, "1");
  EXPECT_THAT(store_->DeliverLate(), testing::ElementsAre(testing::Property(&Status::ok, true)));
  EXPECT_EQ(Read("head").data, "late");
  EXPECT_TRUE(store_->DeliverLate().empty());
}

TEST_F(FaultBlobStoreTest, ALatePutKeepsItsCondition) {
  Result<std::string> etag = store_->Put({}, "head", "1");
  FaultAt(0, {.kind = FaultKind::kLate});
  ASSERT_FALSE(store_->Put({}, "head", "late", PutCondition::IfMatch(*etag)).ok());
  ASSERT_TRUE(store_->Put({}, "head", "2", PutCondition::IfMatch(*etag)).ok());
  std::vector<Status> outcomes = store_->DeliverLate();
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].code(), StatusCode::kConflict);
  EXPECT_EQ(Read("head").data, "2");
}

TEST_F(FaultBlobStoreTest, ALatePutHappensBeforeTheRequestItWasSetTo) {
  FaultAt(0, {.kind = FaultKind::kLate, .after_requests = 3});
  ASSERT_FALSE(store_->Put({}, "a", "late").ok());
  EXPECT_EQ(Read("a").status.code(), StatusCode::kNotFound);
  EXPECT_EQ(Read("a").status.code(), StatusCode::kNotFound);
  EXPECT_EQ(Read("a").data, "late");
}

TEST_F(FaultBlobStoreTest, DataIsCutOrChangedInOneBit) {
  ASSERT_TRUE(store_->Put({}, "a", "0123456789").ok());
  FaultAt(0, {.kind = FaultKind::kTruncate, .position = 4});
  EXPECT_EQ(Read("a").data, "0123");
  FaultAt(0, {.kind = FaultKind::kFlipBit, .position = 17});
  EXPECT_EQ(Read("a").data, "0103456789");
  FaultAt(0, {.kind = FaultKind::kFlipBit, .position = 80 + 17});
  ASSERT_TRUE(store_->Put({}, "b", "0123456789").ok());
  EXPECT_EQ(Read("b").data, "0103456789") << "the store itself holds the damage";
  EXPECT_EQ(Read("a").data, "0123456789") << "the object was whole";
  FaultAt(0, {.kind = FaultKind::kTruncate, .position = 10});
  EXPECT_EQ(Read("a").data, "0123456789");
  EXPECT_EQ(store_->hits(FaultKind::kTruncate), 1u) << "one that cuts nothing off is no hit";
  EXPECT_EQ(store_->hits(FaultKind::kFlipBit), 2u);
}

TEST_F(FaultBlobStoreTest, AStaleReadSeesTheVersionBefore) {
  FaultAt(1, {.kind = FaultKind::kStaleRead});
  Result<std::string> first = store_->Put({}, "head", "first");
  EXPECT_EQ(Read("head").status.code(), StatusCode::kNotFound) << "before the first version there was none";
  ASSERT_TRUE(store_->Put({}, "head", "second").ok());
  FaultAt(0, {.kind = FaultKind::kStaleRead});
  ReadResult stale = Read("head");
  EXPECT_EQ(stale.data, "first");
  EXPECT_EQ(stale.etag, *first);
  EXPECT_EQ(stale.object_size, 5u);
  FaultAt(0, {.kind = FaultKind::kStaleRead});
  EXPECT_EQ(Read(*store_, "head", *first).data, "first");
  ASSERT_TRUE(store_->Delete({}, "head").ok());
  FaultAt(0, {.kind = FaultKind::kStaleRead});
  EXPECT_EQ(Read("head").data, "second");
  EXPECT_EQ(Read("head").status.code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->hits(FaultKind::kStaleRead), 4u);
}

}  // namespace isotherm
