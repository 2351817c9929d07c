// A deadline that has passed and a call that was cancelled: the call ends, nothing is changed, and the handle goes on.
#include <gtest/gtest.h>

#include "tests/base/manual_clock.h"
#include "tests/engine/damage.h"

namespace isotherm {
namespace {

using namespace testing_support;

class EndedCall : public testing::TestWithParam<Layout> {
 protected:
  EndedCall() : sample_(MakeSample(GetParam(), KeyType::kInteger)), clock_(std::make_shared<ManualClock>()) {
    Options options = QuietOptions();
    options.env = EnvironmentWithClock(clock_);
    options.block_cache_bytes = 0;
    auto opened = Open(sample_.store, options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    collection_ = std::move(opened).value();
    new_row_ = sample_.rows[0];
    new_row_.key = uint64_t{1};
  }

  // Of every call that asks the store for something.
  std::vector<Status> CallAll(const Context& context) {
    std::vector<Status> statuses;
    for (bool exact : {false, true}) {
      statuses.push_back(collection_->Search(sample_.queries[0], {.exact = exact}, context).status());
    }
    statuses.push_back(collection_->BatchSearch(sample_.queries[0], {}, context).status());
    statuses.push_back(collection_->Get(uint64_t{99}, context).status());
    statuses.push_back(collection_->Get(sample_.rows[0].key, context).status());
    statuses.push_back(collection_->Contains(std::vector<Key>{uint64_t{99}}, context).status());
    statuses.push_back(collection_->Scan([](Row) { return Status::Ok(); }, {}, context));
    statuses.push_back(collection_->Verify({}, context).status());
    statuses.push_back(collection_->Refresh(context));
    statuses.push_back(collection_->Insert(new_row_, context));
    statuses.push_back(collection_->Compact({}, {}, context));
    return statuses;
  }

  void ExpectAllEndBy(StatusCode code, const Context& context) {
    std::vector<Status> statuses = CallAll(context);
    for (size_t i = 0; i < statuses.size(); ++i) EXPECT_EQ(statuses[i].code(), code) << i << ": " << statuses[i];
    EXPECT_EQ(collection_->Stats().pending_rows, 0U);
    EXPECT_TRUE(collection_->Insert(new_row_).ok());
    EXPECT_EQ(collection_->Commit(context).code(), code);
    EXPECT_EQ(collection_->Stats().pending_rows, 1U);
    EXPECT_EQ(ExpectAnswersOrCorruption(sample_, AnswersOf(sample_), ""), 0U);
    EXPECT_TRUE(collection_->Commit().ok());
    EXPECT_EQ(*collection_->Get(new_row_.key), new_row_);
  }

  Sample sample_;
  std::shared_ptr<ManualClock> clock_;
  std::unique_ptr<Collection> collection_;
  Row new_row_;
};

TEST_P(EndedCall, PastItsDeadlineIsDeadlineExceeded) {
  Context context;
  context.deadline_ns = clock_->NowNs() - 1;
  ExpectAllEndBy(StatusCode::kDeadlineExceeded, context);
}

TEST_P(EndedCall, ThatWasCancelledIsCancelled) {
  CancelToken cancel;
  cancel.Cancel();
  Context context;
  context.cancel = &cancel;
  ExpectAllEndBy(StatusCode::kCancelled, context);
}

INSTANTIATE_TEST_SUITE_P(Layouts, EndedCall, testing::Values(Layout::kFlat, Layout::kCells, Layout::kMixed));

}  // namespace
}  // namespace isotherm
