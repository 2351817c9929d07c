// A commit under every script of lost, late, refused and failed answers, with another writer's commit at every step:
// the invariants D1 to D6 of docs/durability.md hold whatever happens.
#include <gtest/gtest.h>

#include <sstream>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "blob/retry_store.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

enum class Answer : uint8_t {
  kGood,
  kLost,   // it happened
  kNever,  // it did not, and never will
  kLate1,  // it happens before the next request
  kLate2,  // … the one after that
  kLate3,
  kVeryLate,  // … when the commit has returned
  kRefused,   // access denied
};
constexpr int kAnswers = 8;

Fault FaultOf(Answer answer) {
  switch (answer) {
    case Answer::kGood: return {};
    case Answer::kLost: return {FaultKind::kLoseAnswer};
    case Answer::kNever: return {FaultKind::kFail};
    case Answer::kLate1:
    case Answer::kLate2:
    case Answer::kLate3: {
      Fault fault{FaultKind::kLate};
      fault.after_requests = 1 + static_cast<uint64_t>(answer) - static_cast<uint64_t>(Answer::kLate1);
      return fault;
    }
    case Answer::kVeryLate: return {FaultKind::kLate};
    case Answer::kRefused: return {FaultKind::kFail, Status::AccessDenied("refused (injected)")};
  }
  return {};
}

// What happens to one writer's requests for the head from some moment on.
struct Script {
  std::vector<Answer> puts;  // by number; good after these
  int failing_read = -1;
  int other_commits_before = -1;  // this request for the head, reads and puts counted together
  bool spills = false;            // the rows go into a segment
  bool retried = false;           // the writer's store repeats by itself what failed

  std::string ToString() const {
    std::ostringstream text;
    text << "puts";
    for (Answer answer : puts) text << ' ' << static_cast<int>(answer);
    text << ", failing read " << failing_read << ", other before " << other_commits_before;
    if (spills) text << ", spills";
    if (retried) text << ", retried";
    return text.str();
  }
};

class Play {
 public:
  explicit Play(const Script& script) : script_(script) {
    environment_ = EnvironmentWithClock(std::make_shared<ManualClock>());
    history_ = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment_));
    faulty_ = std::make_shared<FaultBlobStore>(history_, environment_);
    Options options = CreatingSmall();
    options.env = environment_;
    if (script.spills) options.inline_bytes = 0;
    std::shared_ptr<BlobStore> store = faulty_;
    if (script.retried) store = std::make_shared<RetryBlobStore>(faulty_, environment_);
    writer_ = MustOpen(store, options);
    other_ = MustOpen(history_, options);
  }

  void Run() {
    Insert(*writer_, 1);
    ASSERT_TRUE(writer_->Commit().ok());
    faulty_->SetHook([this](uint64_t, RequestKind kind, std::string_view name) { return Next(kind, name); });
    Insert(*writer_, 2);
    CommitUntilSettled();
    // Whatever is still under way arrives now, and must change nothing.
    std::vector<uint64_t> before = KeysInStore();
    faulty_->DeliverLate();
    EXPECT_EQ(KeysInStore(), before);
    faulty_->SetHook(nullptr);
    // A commit that was refused can be made now; and the handle goes on.
    Status status = writer_->Commit();
    EXPECT_TRUE(status.ok()) << status;
    Insert(*writer_, 3);
    status = writer_->Commit();
    EXPECT_TRUE(status.ok()) << status;
    CheckEnd();
  }

 private:
  static constexpr uint64_t kOthersKey = 100;

  static void Insert(Collection& collection, uint64_t key) {
    Status status = collection.Insert(NumberedRow(key));
    EXPECT_TRUE(status.ok()) << status;
  }

  Fault Next(RequestKind kind, std::string_view name) {
    if (name != kHeadObject) return {};
    if (static_cast<int>(requests_++) == script_.other_commits_before) {
      Insert(*other_, kOthersKey);
      Status status = other_->Commit();
      EXPECT_TRUE(status.ok()) << status;
      other_committed_ = true;
    }
    if (kind == RequestKind::kGet) {
      return static_cast<int>(reads_++) == script_.failing_read ? Fault{FaultKind::kFail} : Fault{};
    }
    size_t put = puts_++;
    return put < script_.puts.size() ? FaultOf(script_.puts[put]) : Fault{};
  }

  void CommitUntilSettled() {
    Status status = writer_->Commit();
    for (int i = 0; i < 10 && status.code() == StatusCode::kUnknown; ++i) {
      EXPECT_EQ(writer_->DiscardPending().code(), StatusCode::kUnknown);
      status = writer_->Commit();
    }
    // D4: ok is exactly one version with the row, anything else none.
    EXPECT_EQ(CountInStore(2), status.ok() ? 1 : 0) << status;
    EXPECT_EQ(writer_->Stats().pending_rows, status.ok() ? 0U : 1U);
    if (!status.ok()) {
      EXPECT_EQ(status.code(), StatusCode::kAccessDenied) << status;
    }
  }

  std::vector<uint64_t> KeysInStore() { return ScanKeys(*MustOpen(history_)); }
  int64_t CountInStore(uint64_t key) {
    std::vector<uint64_t> keys = KeysInStore();
    return std::count(keys.begin(), keys.end(), key);
  }

  void CheckEnd() {
    std::vector<uint64_t> expected{1, 2, 3};
    if (other_committed_) expected.push_back(kOthersKey);
    auto reader = MustOpen(history_);
    EXPECT_EQ(ScanKeys(*reader), expected);
    EXPECT_EQ(reader->Stats().version, 1 + expected.size());  // D3
    EXPECT_EQ(ScanKeys(*writer_), expected);
    ExpectClean(*reader);
    history_->ExpectUnbroken();
  }

  const Script script_;
  std::shared_ptr<Environment> environment_;
  std::shared_ptr<HeadHistory> history_;
  std::shared_ptr<FaultBlobStore> faulty_;
  std::unique_ptr<Collection> writer_;
  std::unique_ptr<Collection> other_;
  size_t requests_ = 0;
  size_t reads_ = 0;
  size_t puts_ = 0;
  bool other_committed_ = false;
};

// Every script of up to `length` answers.
std::vector<std::vector<Answer>> Scripts(int length) {
  std::vector<std::vector<Answer>> scripts{{}};
  for (size_t begin = 0; length > 0; --length) {
    size_t end = scripts.size();
    for (size_t i = begin; i < end; ++i) {
      for (int answer = 0; answer < kAnswers; ++answer) {
        std::vector<Answer> longer = scripts[i];
        longer.push_back(static_cast<Answer>(answer));
        scripts.push_back(std::move(longer));
      }
    }
    begin = end;
  }
  return scripts;
}

class Settle : public testing::TestWithParam<std::tuple<bool, bool>> {};

TEST_P(Settle, NoScriptOfAnswersDoublesLosesOrMisreportsACommit) {
  auto [spills, retried] = GetParam();
  for (const std::vector<Answer>& puts : Scripts(3)) {
    for (int failing_read = -1; failing_read < 2; ++failing_read) {
      for (int other = -1; other < 4; ++other) {
        Script script{puts, failing_read, other, spills, retried};
        SCOPED_TRACE(script.ToString());
        Play(script).Run();
        if (HasFailure()) return;
      }
    }
  }
}

std::string SettleName(const testing::TestParamInfo<std::tuple<bool, bool>>& kind) {
  auto [in_a_segment, over_retries] = kind.param;
  return std::string(in_a_segment ? "InASegment" : "InTheHead") + (over_retries ? "OverRetries" : "");
}

INSTANTIATE_TEST_SUITE_P(Rows, Settle, testing::Combine(testing::Bool(), testing::Bool()), SettleName);

// The same for the first head of all.
TEST(SettleCreation, NoScriptOfAnswersMakesTwoCollectionsOrMisreportsOne) {
  for (const std::vector<Answer>& puts : Scripts(3)) {
    for (int other = -1; other < 3; ++other) {
      Script script{puts, -1, other};
      SCOPED_TRACE(script.ToString());
      auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
      auto history = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment));
      auto faulty = std::make_shared<FaultBlobStore>(history, environment);
      Options options = CreatingSmall();
      options.error_if_exists = true;
      options.env = environment;
      size_t put = 0;
      int request = 0;
      bool other_created = false;
      faulty->SetHook([&](uint64_t, RequestKind kind, std::string_view name) -> Fault {
        if (name != kHeadObject) return {};
        if (request++ == other) other_created = Open(history, options).ok();
        if (kind != RequestKind::kPut) return {};
        size_t index = put++;
        return index < puts.size() ? FaultOf(puts[index]) : Fault{};
      });
      auto opened = Open(faulty, options);
      uint64_t versions = history->newest();
      faulty->DeliverLate();
      history->ExpectUnbroken();
      EXPECT_EQ(CountObjects(*history, "probe-"), 0U);
      if (opened.ok()) {
        EXPECT_FALSE(other_created);
        EXPECT_EQ(versions, 1U);
      } else if (opened.status().code() == StatusCode::kAlreadyExists) {
        EXPECT_TRUE(other_created);
      } else {
        // Refused at the first attempt: there is none of this handle's, and none comes.
        EXPECT_EQ(opened.status().code(), StatusCode::kAccessDenied) << opened.status();
        EXPECT_EQ(history->newest(), other_created ? 1U : 0U);
      }
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace isotherm
