// Answers without what can't be read, where they are asked for: what is there is right, and what is missing is named.
// E25.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/engine/damage.h"
#include "tests/engine/forwarding_store.h"

namespace isotherm {
namespace {

using namespace testing_support;

// Does not give one object.
class WithoutOne : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override {
    std::vector<ReadResult> results = ForwardingStore::Read(context, requests);
    for (size_t i = 0; i < results.size(); ++i) {
      if (requests[i].name != object) continue;
      results[i] = {};
      results[i].status = Status::Unavailable("get " + object + ": slow down");
    }
    return results;
  }

  std::string object;
};

struct Rows {
  std::vector<Row> rows;
  std::vector<MissingPart> missing;
};

Result<Rows> ScanPartly(Collection& collection) {
  Rows out;
  ScanOptions options;
  options.missing = &out.missing;
  Status scanned = collection.Scan(
      [&](Row row) {
        out.rows.push_back(std::move(row));
        return Status::Ok();
      },
      options);
  if (!scanned.ok()) return scanned;
  return out;
}

uint64_t RowsOf(const std::vector<MissingPart>& missing) {
  uint64_t rows = 0;
  for (const MissingPart& part : missing) rows += part.rows;
  return rows;
}

// `part` has some of what `whole` has, in its order.
template <typename T, typename Same>
bool IsPartOf(const std::vector<T>& part, const std::vector<T>& whole, Same same) {
  auto at = whole.begin();
  for (const T& each : part) {
    at = std::find_if(at, whole.end(), [&](const T& other) { return same(each, other); });
    if (at == whole.end()) return false;
    ++at;
  }
  return true;
}

bool SameHit(const Hit& a, const Hit& b) {
  return a.key == b.key && a.distance == b.distance && a.metadata == b.metadata && a.payload == b.payload &&
         a.vector == b.vector;
}

class PartialAnswer : public testing::TestWithParam<Layout> {
 protected:
  PartialAnswer() : sample_(MakeSample(GetParam(), KeyType::kInteger)) {
    for (int kind = 0; kind < 4; ++kind) {
      SearchOptions options;
      options.k = options.probes = 1000;
      options.exact = kind == 3;
      if (kind == 1) options.rerank = 1000;
      options.include_payload = options.include_vector = options.include_metadata = kind >= 2;
      searches_.push_back(options);
    }
  }

  std::unique_ptr<Collection> OpenOver(std::shared_ptr<BlobStore> store) {
    auto collection = Open(std::move(store), QuietOptions());
    EXPECT_TRUE(collection.ok()) << collection.status();
    return collection.ok() ? std::move(*collection) : nullptr;
  }

  // The whole answers, while all is well.
  void AskIntact() {
    auto collection = OpenOver(sample_.store);
    auto rows = ScanPartly(*collection);
    ASSERT_TRUE(rows.ok()) << rows.status();
    ASSERT_TRUE(rows->missing.empty());
    intact_rows_ = rows->rows;
    ASSERT_EQ(intact_rows_.size(), sample_.rows.size());
    for (SearchOptions& options : searches_) {
      auto found = collection->Search(sample_.queries[0], options);
      ASSERT_TRUE(found.ok()) << found.status();
      intact_hits_.push_back(found->hits);
      options.partial = true;
      found = collection->Search(sample_.queries[0], options);
      ASSERT_TRUE(found.ok()) << found.status();
      EXPECT_TRUE(found->missing.empty());
      EXPECT_TRUE(std::ranges::equal(found->hits, intact_hits_.back(), SameHit));
    }
  }

  void ExpectNamed(const std::vector<MissingPart>& missing, const std::string& object, StatusCode code) {
    for (const MissingPart& part : missing) {
      EXPECT_EQ(part.object, object) << part.status;
      EXPECT_EQ(part.status.code(), code) << part.status;
      EXPECT_THAT(part.status.message(), testing::HasSubstr(object));
      EXPECT_GT(part.rows, 0U);
    }
  }

  // All that can be had without what is damaged, of `object`. Returns how many answers are without something.
  size_t ExpectTheRest(Collection& collection, const std::string& object, StatusCode code) {
    size_t partial = 0;
    auto rows = ScanPartly(collection);
    EXPECT_TRUE(rows.ok()) << rows.status();
    if (!rows.ok()) return partial;
    partial += rows->missing.empty() ? 0 : 1;
    ExpectNamed(rows->missing, object, code);
    EXPECT_TRUE(IsPartOf(rows->rows, intact_rows_, [](const Row& a, const Row& b) { return a == b; }));
    EXPECT_GE(rows->rows.size() + RowsOf(rows->missing), intact_rows_.size());
    EXPECT_EQ(rows->rows.size() == intact_rows_.size(), rows->missing.empty());
    for (size_t s = 0; s < searches_.size(); ++s) {
      auto found = collection.Search(sample_.queries[0], searches_[s]);
      EXPECT_TRUE(found.ok()) << found.status();
      if (!found.ok()) continue;
      partial += found->missing.empty() ? 0 : 1;
      ExpectNamed(found->missing, object, code);
      // What lies in two cells may be found by its other, less exact code.
      const bool by_code = s == 0 || s == 2;
      auto same = [&](const Hit& a, const Hit& b) { return by_code ? a.key == b.key : SameHit(a, b); };
      if (!by_code) {
        EXPECT_TRUE(IsPartOf(found->hits, intact_hits_[s], same)) << s;
      }
      for (const Hit& hit : found->hits) {
        EXPECT_TRUE(std::ranges::any_of(intact_hits_[s], [&](const Hit& other) { return same(hit, other); })) << s;
      }
      EXPECT_GE(found->hits.size() + RowsOf(found->missing), intact_hits_[s].size()) << s;
      if (found->missing.empty()) {
        EXPECT_EQ(found->hits.size(), intact_hits_[s].size()) << s;
      }
    }
    return partial;
  }

  void ExpectWholeAnswersToFail(Collection& collection) {
    EXPECT_FALSE(collection.Scan([](const Row&) { return Status::Ok(); }).ok());
    SearchOptions exact;
    exact.exact = true;
    exact.k = 1000;
    exact.include_payload = true;
    EXPECT_FALSE(collection.Search(sample_.queries[0], exact).ok());
  }

  Sample sample_;
  std::vector<SearchOptions> searches_;
  std::vector<Row> intact_rows_;
  std::vector<std::vector<Hit>> intact_hits_;
};

TEST_P(PartialAnswer, DamageToAnyExtentOfASegmentCostsItsOwnRowsAlone) {
  ASSERT_NO_FATAL_FAILURE(AskIntact());
  size_t partial = 0;
  for (const CheckedExtent& extent : AllExtents(sample_)) {
    if (extent.kind != "block" && extent.kind != "vector" && extent.kind != "document") continue;
    SCOPED_TRACE(extent.kind + " at " + std::to_string(extent.offset) + " of " + extent.object);
    const std::string good = ReadObject(*sample_.store, extent.object);
    std::string damaged = good;
    damaged[extent.offset + extent.length / 2] = static_cast<char>(damaged[extent.offset + extent.length / 2] ^ 4);
    WriteObjectBytes(*sample_.store, extent.object, damaged);
    partial += ExpectTheRest(*OpenOver(sample_.store), extent.object, StatusCode::kCorruption);
    WriteObjectBytes(*sample_.store, extent.object, good);
  }
  EXPECT_GT(partial, sample_.rows.size());
}

TEST_P(PartialAnswer, AnObjectThatIsCutOffOrGoneCostsItsOwnRowsAlone) {
  ASSERT_NO_FATAL_FAILURE(AskIntact());
  for (const std::string& object : ImmutableObjects(*sample_.store)) {
    if (!object.starts_with("segment")) continue;
    const std::string good = ReadObject(*sample_.store, object);
    for (size_t length : {good.size() / 2, size_t{0}}) {
      SCOPED_TRACE(object + " cut off at " + std::to_string(length));
      WriteObjectBytes(*sample_.store, object, good.substr(0, length));
      auto collection = OpenOver(sample_.store);
      EXPECT_GT(ExpectTheRest(*collection, object, StatusCode::kCorruption), 0U);
      ExpectWholeAnswersToFail(*collection);
    }
    ASSERT_TRUE(sample_.store->Delete({}, object).ok());
    auto collection = OpenOver(sample_.store);
    EXPECT_GT(ExpectTheRest(*collection, object, StatusCode::kCorruption), 0U);
    ExpectWholeAnswersToFail(*collection);
    WriteObjectBytes(*sample_.store, object, good);
  }
}

TEST_P(PartialAnswer, AnObjectThatTheStoreDoesNotGiveNowIsMissingUntilItDoes) {
  ASSERT_NO_FATAL_FAILURE(AskIntact());
  auto store = std::make_shared<WithoutOne>(sample_.store);
  for (const std::string& object : ImmutableObjects(*sample_.store)) {
    if (!object.starts_with("segment")) continue;
    store->object = object;
    auto collection = OpenOver(store);
    EXPECT_GT(ExpectTheRest(*collection, object, StatusCode::kUnavailable), 0U);
    ExpectWholeAnswersToFail(*collection);
    store->object.clear();
    EXPECT_EQ(ExpectTheRest(*collection, object, StatusCode::kUnavailable), 0U);
  }
}

// What is the caller's own limit is no part's.
TEST_P(PartialAnswer, ADeadlineAndACancellationEndItAsAnyOther) {
  auto collection = OpenOver(sample_.store);
  Context late;
  late.deadline_ns = 1;
  CancelToken token;
  token.Cancel();
  Context cancelled;
  cancelled.cancel = &token;
  for (const SearchOptions& search : searches_) {
    SearchOptions options = search;
    options.partial = true;
    EXPECT_EQ(collection->Search(sample_.queries[0], options, late).status().code(), StatusCode::kDeadlineExceeded);
    EXPECT_EQ(collection->Search(sample_.queries[0], options, cancelled).status().code(), StatusCode::kCancelled);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, PartialAnswer, testing::Values(Layout::kFlat, Layout::kCells, Layout::kMixed), [](const auto& layout) {
      return std::string(layout.param == Layout::kFlat ? "flat" : layout.param == Layout::kCells ? "cells" : "mixed");
    });

}  // namespace
}  // namespace isotherm
