// The copy of the routing object that is read together with the head: whatever is wrong with it costs one wave.
#include <gtest/gtest.h>

#include <atomic>

#include "segment/routing_object.h"
#include "tests/engine/damage.h"
#include "tests/engine/every_store.h"
#include "tests/engine/forwarding_store.h"

namespace isotherm {
namespace {

using namespace testing_support;

// Counts dependent reads: requests of one batch go out together.
class WaveCounter : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override {
    ++waves;
    return store_->Read(context, requests);
  }
  std::atomic<int> waves{0};
};

class RoutingCopy : public testing::Test {
 protected:
  RoutingCopy() : sample_(MakeSample(Layout::kMixed, KeyType::kInteger)), answers_(AnswersOf(sample_)) {
    good_ = ReadObject(*sample_.store, kRoutingObject);
    immutable_ = ImmutableObjects(*sample_.store).back();
  }

  // Open and the first query, with empty caches.
  int ColdWaves() {
    auto counter = std::make_shared<WaveCounter>(sample_.store);
    auto collection = Open(counter, QuietOptions());
    EXPECT_TRUE(collection.ok()) << collection.status();
    auto result = (*collection)->Search(sample_.queries[0]);
    EXPECT_TRUE(result.ok()) << result.status();
    return counter->waves;
  }

  void ExpectOneMoreWaveAndTheSameAnswers() {
    EXPECT_EQ(ColdWaves(), 3);
    EXPECT_EQ(ExpectAnswersOrCorruption(sample_, answers_, ""), 0U);
    auto collection = Open(sample_.store, QuietOptions());
    auto report = (*collection)->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->problems.empty()) << report->problems.front();
  }

  Sample sample_;
  std::vector<std::string> answers_;
  std::string good_;
  std::string immutable_;
};

TEST_F(RoutingCopy, IntactMakesOpenAndFirstQueryTwoWaves) { EXPECT_EQ(ColdWaves(), 2); }

TEST_F(RoutingCopy, LostCostsOneWave) {
  ASSERT_TRUE(sample_.store->Delete({}, kRoutingObject).ok());
  ExpectOneMoreWaveAndTheSameAnswers();
}

TEST_F(RoutingCopy, TornCostsOneWaveWhereverItIsTorn) {
  for (size_t length = 0; length < good_.size(); length += 37) {
    WriteObjectBytes(*sample_.store, kRoutingObject, good_.substr(0, length));
    ExpectOneMoreWaveAndTheSameAnswers();
  }
}

TEST_F(RoutingCopy, WithAnyFlippedByteCostsOneWave) {
  for (size_t byte = 0; byte < good_.size(); ++byte) {
    std::string damaged = good_;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 0x10);
    WriteObjectBytes(*sample_.store, kRoutingObject, damaged);
    ASSERT_EQ(ColdWaves(), 3) << byte;
  }
  ExpectOneMoreWaveAndTheSameAnswers();
}

TEST_F(RoutingCopy, OfAnOlderGenerationCostsOneWave) {
  {
    auto writer = Open(sample_.store, QuietOptions());
    CompactOptions compact;
    compact.min_rows_for_cells = 1;
    compact.cells = 4;
    Status compacted = (*writer)->Compact(compact);
    ASSERT_TRUE(compacted.ok()) << compacted;
  }
  ASSERT_NE(ReadObject(*sample_.store, kRoutingObject), good_);
  EXPECT_EQ(ColdWaves(), 2);
  answers_ = AnswersOf(sample_);
  WriteObjectBytes(*sample_.store, kRoutingObject, good_);
  ExpectOneMoreWaveAndTheSameAnswers();
}

// Well-formed, of the right size, and it would send every query to the wrong cells.
TEST_F(RoutingCopy, ForgedCostsOneWave) {
  auto head = DecodeHead(ReadObject(*sample_.store, kHeadObject));
  ASSERT_TRUE(head.ok());
  auto routing = DecodeRouting(good_, head->segments);
  ASSERT_TRUE(routing.ok());
  Routing forged = *routing;
  for (int8_t& code : forged.codes) code = static_cast<int8_t>(-code);
  std::string bytes = EncodeRouting(forged);
  ASSERT_TRUE(DecodeRouting(bytes, head->segments).ok());
  ASSERT_EQ(bytes.size(), good_.size());
  WriteObjectBytes(*sample_.store, kRoutingObject, bytes);
  ExpectOneMoreWaveAndTheSameAnswers();
}

// A head is read, and before anything that it names, others replace it and remove that: once, or time and again.
class Overtaken : public ForwardingStore {
 public:
  Overtaken(std::shared_ptr<BlobStore> store, int times) : ForwardingStore(std::move(store)), left_(times) {}
  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override {
    std::vector<ReadResult> read = store_->Read(context, requests.first(1));
    if (requests[0].name == kHeadObject && left_ > 0) {
      --left_;
      auto writer = Open(store_, QuietOptions());
      VacuumOptions vacuum;
      vacuum.keep_versions = 1;
      EXPECT_TRUE((*writer)->Compact(IntoCells(3 + left_ % 2)).ok());
      EXPECT_TRUE((*writer)->Vacuum(vacuum).ok());
    }
    for (ReadResult& rest : store_->Read(context, requests.subspan(1))) read.push_back(std::move(rest));
    return read;
  }

 private:
  int left_;
};

TEST_F(RoutingCopy, OfAHeadThatIsReplacedMeanwhileAndItsOriginalRemovedIsReadAnew) {
  for (int times : {1, 3}) {
    SCOPED_TRACE(times);
    auto collection = Open(std::make_shared<Overtaken>(sample_.store, times), QuietOptions());
    ASSERT_TRUE(collection.ok()) << collection.status();
    EXPECT_EQ((*collection)->Stats().version, (*Open(sample_.store, QuietOptions()))->Stats().version);
    auto result = (*collection)->Search(sample_.queries[0]);
    EXPECT_TRUE(result.ok()) << result.status();
  }
}

TEST_F(RoutingCopy, LostTogetherWithItsOriginalIsCorruption) {
  ASSERT_TRUE(sample_.store->Delete({}, kRoutingObject).ok());
  std::string original = ReadObject(*sample_.store, immutable_);
  ASSERT_TRUE(sample_.store->Delete({}, immutable_).ok());
  EXPECT_EQ(ExpectAnswersOrCorruption(sample_, answers_, immutable_), 1U);  // Open
  for (size_t byte = 0; byte < original.size(); byte += 7) {
    std::string damaged = original;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 1);
    WriteObjectBytes(*sample_.store, immutable_, damaged);
    EXPECT_EQ(ExpectAnswersOrCorruption(sample_, answers_, immutable_), 1U);
  }
  WriteObjectBytes(*sample_.store, immutable_, original);
  ExpectOneMoreWaveAndTheSameAnswers();
}

}  // namespace
}  // namespace isotherm
