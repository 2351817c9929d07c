// Creating a collection: the probe of the store, and several creators at once.
#include <gtest/gtest.h>

#include <thread>

#include "blob/fault_store.h"
#include "blob/memory_store.h"
#include "engine/commit_log.h"
#include "tests/base/manual_clock.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

enum class Flaw {
  kIgnoresIfMatch,
  kIgnoresIfNoneMatch,
  kAcceptsIfMatchOnMissing,
  kOtherEtagOnRead,
  kStaleRead,
};

class FlawedStore : public ForwardingStore {
 public:
  FlawedStore(std::shared_ptr<BlobStore> store, Flaw flaw) : ForwardingStore(std::move(store)), flaw_(flaw) {}

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override {
    auto results = store_->Read(context, requests);
    for (ReadResult& result : results) {
      if (flaw_ == Flaw::kOtherEtagOnRead && result.status.ok()) result.etag = "W/" + result.etag;
      if (flaw_ == Flaw::kStaleRead && result.status.ok()) result.status = Status::NotFound("not there yet");
    }
    return results;
  }

  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition) override {
    bool exists = CountObjects(*store_, name) > 0;
    bool ignored = (flaw_ == Flaw::kIgnoresIfMatch && condition.mode == PutMode::kIfMatch && exists) ||
                   (flaw_ == Flaw::kIgnoresIfNoneMatch && condition.mode == PutMode::kIfAbsent) ||
                   (flaw_ == Flaw::kAcceptsIfMatchOnMissing && condition.mode == PutMode::kIfMatch && !exists);
    return store_->Put(context, name, bytes, ignored ? PutCondition::Overwrite() : condition);
  }

 private:
  const Flaw flaw_;
};

struct Broken {
  Flaw flaw;
  const char* named;
  StatusCode code = StatusCode::kUnsupported;
};

TEST(StoreProbe, AStoreThatBreaksThePreconditionsIsRefusedByNameAndLeftAsItWas) {
  for (const Broken& broken :
       {Broken{Flaw::kIgnoresIfMatch, "ignores If-Match"}, Broken{Flaw::kIgnoresIfNoneMatch, "ignores If-None-Match"},
        Broken{Flaw::kAcceptsIfMatchOnMissing, "does not exist"}, Broken{Flaw::kOtherEtagOnRead, "etag"},
        Broken{Flaw::kStaleRead, "not there yet", StatusCode::kNotFound}}) {
    auto memory = std::make_shared<MemoryBlobStore>();
    auto opened = Open(std::make_shared<FlawedStore>(memory, broken.flaw), CreatingSmall());
    ASSERT_FALSE(opened.ok()) << broken.named;
    EXPECT_EQ(opened.status().code(), broken.code) << opened.status();
    EXPECT_NE(opened.status().message().find(broken.named), std::string::npos) << opened.status();
    EXPECT_TRUE(ObjectNames(*memory).empty());
    // A copy is a new collection there.
    auto source = std::make_shared<MemoryBlobStore>();
    MustOpen(source, CreatingSmall());
    FlawedStore target(memory, broken.flaw);
    EXPECT_EQ(CopyCollection(*source, target).code(), broken.code);
    EXPECT_TRUE(ObjectNames(*memory).empty());
  }
}

TEST(StoreProbe, AFaultAtAnyOfItsRequestsIsAnErrorThatCreatesNothing) {
  for (uint64_t failing = 0; failing < 20; ++failing) {
    for (FaultKind kind : {FaultKind::kFail, FaultKind::kLoseAnswer, FaultKind::kLate}) {
      for (const Status& told :
           {Status::Unavailable("lost"), Status::Unknown("perhaps"), Status::AccessDenied("denied")}) {
        if (kind != FaultKind::kFail && told.code() == StatusCode::kAccessDenied) continue;
        auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
        auto memory = std::make_shared<MemoryBlobStore>(environment);
        uint64_t requests = 0;
        FaultBlobStore store(memory, environment, [&](uint64_t, RequestKind, std::string_view) {
          return requests++ == failing ? Fault{kind, told} : Fault{};
        });
        Status probed = ProbeStore(store, *environment->random, {});
        EXPECT_EQ(probed.ok(), failing >= requests) << probed;
        if (!probed.ok()) {
          EXPECT_EQ(probed.code(), told.code() == StatusCode::kUnknown ? StatusCode::kUnavailable : told.code());
        }
        // A delete that failed, or a put that comes after it, leaves the probe's object: an orphan.
        if (kind == FaultKind::kLoseAnswer || probed.ok()) {
          EXPECT_TRUE(ObjectNames(*memory).empty());
        }
      }
    }
  }
}

TEST(Creation, ACollectionIsOneObject) {
  auto memory = std::make_shared<MemoryBlobStore>();
  MustOpen(memory, CreatingSmall());
  EXPECT_EQ(ObjectNames(*memory), std::vector<std::string>{kHeadObject});
}

TEST(Creation, OfManyCreatorsAtOnceOneCreatesAndAllWriteToTheSameCollection) {
  constexpr uint64_t kCreators = 8;
  for (bool error_if_exists : {false, true}) {
    auto history = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>());
    std::atomic<uint64_t> opened{0};
    std::vector<std::thread> creators;
    for (uint64_t c = 0; c < kCreators; ++c) {
      creators.emplace_back([&, c] {
        Options options = CreatingSmall();
        options.error_if_exists = error_if_exists;
        auto collection = Open(history, options);
        if (!collection.ok()) {
          EXPECT_EQ(collection.status().code(), StatusCode::kAlreadyExists) << collection.status();
          return;
        }
        ++opened;
        EXPECT_TRUE((*collection)->Insert(NumberedRow(c)).ok());
        Status status = (*collection)->Commit();
        EXPECT_TRUE(status.ok()) << status;
      });
    }
    for (std::thread& creator : creators) creator.join();
    EXPECT_EQ(opened, error_if_exists ? 1 : kCreators);
    auto collection = MustOpen(history);
    EXPECT_EQ(collection->Stats().rows, opened);
    EXPECT_EQ(collection->Stats().version, 1 + opened);
    history->ExpectUnbroken();
    ExpectClean(*collection);
  }
}

TEST(Creation, WhenItsAnswerComesLateTheCreatorGoesOnFromWhatOthersMadeOfIt) {
  auto environment = EnvironmentWithClock(std::make_shared<ManualClock>());
  auto history = std::make_shared<HeadHistory>(std::make_shared<MemoryBlobStore>(environment));
  auto faulty = std::make_shared<FaultBlobStore>(history, environment);
  Options options = CreatingSmall();
  options.env = environment;
  bool lost = false;
  faulty->SetHook([&](uint64_t, RequestKind kind, std::string_view name) {
    if (name != kHeadObject) return Fault{};
    if (kind == RequestKind::kPut) {
      lost = true;
      return Fault{FaultKind::kLoseAnswer};
    }
    if (!lost) return Fault{};
    faulty->SetHook(nullptr);
    auto other = MustOpen(history);
    EXPECT_TRUE(other->InsertBatch(NumberedRows(0, 50)).ok());
    CompactOptions cells;
    cells.min_rows_for_cells = 1;
    EXPECT_TRUE(other->Compact(cells).ok());
    return Fault{};
  });
  auto collection = MustOpen(faulty, options);
  ASSERT_NE(collection, nullptr);
  EXPECT_EQ(ScanKeys(*collection), KeyRange(0, 50));
  EXPECT_TRUE(collection->Search(NumberedRow(3).vector).ok());
}

}  // namespace
}  // namespace isotherm
