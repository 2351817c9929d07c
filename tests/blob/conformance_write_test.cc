#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <map>
#include <thread>

#include "tests/blob/conformance.h"

namespace isotherm {

namespace {

constexpr int kRacers = 16;

struct Race {
  std::vector<Result<std::string>> etags;
  int winner = -1;
  int winners = 0;
  int conflicts = 0;
};

// Every racer puts its own content at the same moment.
Race PutFromAllSides(BlobStore& store, const std::string& name, int round, const PutCondition& condition) {
  Race race;
  race.etags.assign(kRacers, Status::Internal("not run"));
  std::barrier start(kRacers);
  std::vector<std::thread> threads;
  for (int i = 0; i < kRacers; ++i) {
    threads.emplace_back([&, i] {
      std::string content = "round " + std::to_string(round) + " racer " + std::to_string(i);
      start.arrive_and_wait();
      race.etags[i] = store.Put({}, name, content, condition);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kRacers; ++i) {
    if (race.etags[i].ok()) race.winner = i;
    race.winners += race.etags[i].ok() ? 1 : 0;
    race.conflicts += race.etags[i].status().code() == StatusCode::kConflict ? 1 : 0;
  }
  return race;
}

}  // namespace

TEST_P(BlobStoreConformance, OverwritingChangesContentAndEtag) {
  std::string first = MustPut("object", "first");
  std::string second = MustPut("object", "second, longer");
  EXPECT_NE(first, second);
  EXPECT_EQ(ReadWhole("object").data, "second, longer");
  EXPECT_EQ(ReadWhole("object").etag, second);
  MustPut("object", "3rd");
  EXPECT_EQ(ReadWhole("object").data, "3rd");
}

TEST_P(BlobStoreConformance, PutIfAbsentNeverReplaces) {
  std::string etag = MustPut("deep/below/object", "first", PutCondition::IfAbsent());
  EXPECT_EQ(CodeOfPut("deep/below/object", "second", PutCondition::IfAbsent()), StatusCode::kConflict);
  EXPECT_EQ(ReadWhole("deep/below/object").data, "first");
  EXPECT_EQ(ReadWhole("deep/below/object").etag, etag);
  EXPECT_TRUE(store_->Delete({}, "deep/below/object").ok());
  MustPut("deep/below/object", "third", PutCondition::IfAbsent());
}

TEST_P(BlobStoreConformance, PutIfMatchReplacesThatVersionOnly) {
  std::string first = MustPut("object", "first");
  std::string second = MustPut("object", "second", PutCondition::IfMatch(first));
  EXPECT_NE(first, second);
  EXPECT_EQ(CodeOfPut("object", "third", PutCondition::IfMatch(first)), StatusCode::kConflict);
  EXPECT_EQ(ReadWhole("object").data, "second");
  MustPut("object", "third", PutCondition::IfMatch(ReadWhole("object").etag));
  EXPECT_EQ(ReadWhole("object").data, "third");
}

TEST_P(BlobStoreConformance, PutIfMatchOnAMissingObjectIsAConflict) {
  std::string etag = MustPut("object", "content");
  ASSERT_TRUE(store_->Delete({}, "object").ok());
  EXPECT_EQ(CodeOfPut("object", "again", PutCondition::IfMatch(etag)), StatusCode::kConflict);
  EXPECT_EQ(CodeOfPut("never/was", "x", PutCondition::IfMatch(etag)), StatusCode::kConflict);
  EXPECT_THAT(ListNames(), testing::IsEmpty());
}

TEST_P(BlobStoreConformance, PutAllPutsWhatItCanAndTellsOfEach) {
  std::vector<std::string> bytes;
  for (int i = 0; i < 7; ++i) bytes.push_back(std::string(1000 * i, static_cast<char>('a' + i)));
  std::vector<PutRequest> requests;
  for (size_t i = 0; i < bytes.size(); ++i) requests.push_back({"all/" + std::to_string(i), bytes[i]});
  requests[3].name = "all//no name";
  std::vector<PutResult> results = store_->PutAll({}, requests);
  ASSERT_EQ(results.size(), requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    if (i == 3) {
      EXPECT_EQ(results[i].status.code(), StatusCode::kInvalidArgument) << results[i].status;
      continue;
    }
    ASSERT_TRUE(results[i].status.ok()) << results[i].status;
    ReadResult read = ReadWhole(requests[i].name);
    EXPECT_EQ(read.data, bytes[i]);
    EXPECT_EQ(read.etag, results[i].etag);
  }
  EXPECT_TRUE(store_->PutAll({}, {}).empty());
}

TEST_P(BlobStoreConformance, PutAllKeepsConditionsAndSendsCopiesThatCountAsOne) {
  auto put = [&](const PutCondition& condition, const std::string& bytes, uint32_t copies) {
    const PutRequest requests[] = {{"copied", bytes, copies, condition}, {"beside", bytes, copies, {}}};
    std::vector<PutResult> results = store_->PutAll({}, requests);
    EXPECT_TRUE(results[1].status.ok()) << results[1].status;
    EXPECT_EQ(ReadWhole("beside").data, bytes);
    return results[0];
  };
  for (uint32_t copies = 1; copies <= 3; ++copies) {
    SCOPED_TRACE(copies);
    ASSERT_TRUE(store_->Delete({}, "copied").ok());
    const PutResult first = put(PutCondition::IfAbsent(), "first", copies);
    ASSERT_TRUE(first.status.ok()) << first.status;
    EXPECT_EQ(put(PutCondition::IfAbsent(), "late", copies).status.code(), StatusCode::kConflict);
    const PutResult second = put(PutCondition::IfMatch(first.etag), "second", copies);
    ASSERT_TRUE(second.status.ok()) << second.status;
    EXPECT_EQ(put(PutCondition::IfMatch(first.etag), "late", copies).status.code(), StatusCode::kConflict);
    EXPECT_EQ(ReadWhole("copied").data, "second");
    EXPECT_EQ(ReadWhole("copied").etag, second.etag);
  }
}

TEST_P(BlobStoreConformance, OnePutIfAbsentOfManyWins) {
  for (int round = 0; round < GetParam().race_rounds; ++round) {
    std::string name = "race-" + std::to_string(round);
    Race race = PutFromAllSides(*store_, name, round, PutCondition::IfAbsent());
    ASSERT_EQ(race.winners, 1) << "round " << round;
    ASSERT_EQ(race.conflicts, kRacers - 1) << "round " << round;
    ReadResult result = ReadWhole(name);
    EXPECT_EQ(result.data, "round " + std::to_string(round) + " racer " + std::to_string(race.winner));
    EXPECT_EQ(result.etag, *race.etags[race.winner]);
  }
}

TEST_P(BlobStoreConformance, OnePutIfMatchOfManyWins) {
  std::string etag = MustPut("race", "start");
  for (int round = 0; round < GetParam().race_rounds; ++round) {
    Race race = PutFromAllSides(*store_, "race", round, PutCondition::IfMatch(etag));
    ASSERT_EQ(race.winners, 1) << "round " << round;
    ASSERT_EQ(race.conflicts, kRacers - 1) << "round " << round;
    ReadResult result = ReadWhole("race");
    EXPECT_EQ(result.data, "round " + std::to_string(round) + " racer " + std::to_string(race.winner));
    etag = *race.etags[race.winner];
    EXPECT_EQ(result.etag, etag);
  }
}

TEST_P(BlobStoreConformance, ACounterKeptByPutIfMatchLosesNoIncrement) {
  constexpr int kThreads = 4;
  constexpr int kIncrements = 10;
  MustPut("counter", "0");
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int done = 0; done < kIncrements;) {
        ReadResult current = ReadWhole("counter");
        ASSERT_TRUE(current.status.ok()) << current.status;
        std::string next = std::to_string(std::stoi(current.data) + 1);
        StatusCode code = CodeOfPut("counter", next, PutCondition::IfMatch(current.etag));
        ASSERT_TRUE(code == StatusCode::kOk || code == StatusCode::kConflict) << StatusCodeName(code);
        done += code == StatusCode::kOk ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ReadWhole("counter").data, std::to_string(kThreads * kIncrements));
}

TEST_P(BlobStoreConformance, AReaderSeesOneVersionWholeWhileItIsReplaced) {
  constexpr int kVersions = 60;
  auto content = [](int version) {
    std::string text = std::to_string(version);
    return text.append(1 + (version * 7919) % 100'000, static_cast<char>('a' + version % 26));
  };
  std::map<std::string, std::string> written{{MustPut("object", content(0)), content(0)}};
  std::atomic<bool> stop{false};
  std::vector<ReadResult> seen[2];
  std::vector<std::thread> readers;
  for (auto& mine : seen) {
    readers.emplace_back([&] {
      while (!stop) mine.push_back(ReadWhole("object"));
    });
  }
  for (int version = 1; version < kVersions; ++version) {
    written.emplace(MustPut("object", content(version)), content(version));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(written.size(), static_cast<size_t>(kVersions));
  for (const auto& mine : seen) {
    for (const ReadResult& result : mine) {
      ASSERT_TRUE(result.status.ok()) << result.status;
      ASSERT_TRUE(written.contains(result.etag));
      const int version = std::stoi(result.data);
      EXPECT_TRUE(result.data == content(version));
      if (!GetParam().etag_may_lag) {
        EXPECT_TRUE(result.data == written[result.etag]);
      }
      EXPECT_GE(version, std::stoi(written[result.etag]));
      EXPECT_EQ(result.object_size, result.data.size());
    }
  }
}

TEST_P(BlobStoreConformance, DeletingIsIdempotent) {
  MustPut("a/object", "x");
  MustPut("a/other", "y");
  EXPECT_TRUE(store_->Delete({}, "a/object").ok());
  EXPECT_TRUE(store_->Delete({}, "a/object").ok());
  EXPECT_TRUE(store_->Delete({}, "never/was").ok());
  EXPECT_EQ(CodeOfRead("a/object"), StatusCode::kNotFound);
  EXPECT_EQ(ReadWhole("a/other").data, "y");
}

TEST_P(BlobStoreConformance, AWriterPublishesAllItsPiecesAtOnce) {
  // Over 8 MiB, in pieces of all sizes, so that a store that collects them into parts cuts within pieces and between.
  std::string bytes = RandomBytes((size_t{19} << 20) + 5, 19);
  MustPut("object", "what was there before");
  Context context;
  auto writer = store_->CreateWriter(context, "object");
  ASSERT_TRUE(writer.ok()) << writer.status();
  size_t piece = 1;
  for (size_t done = 0; done < bytes.size();) {
    size_t n = std::min(piece, bytes.size() - done);
    ASSERT_TRUE((*writer)->Append(std::string_view(bytes).substr(done, n)).ok());
    done += n;
    piece = piece * 3 + 1;
  }
  EXPECT_EQ(ReadWhole("object").data, "what was there before");
  Result<std::string> etag = (*writer)->Finish();
  ASSERT_TRUE(etag.ok()) << etag.status();
  ReadResult result = ReadWhole("object");
  EXPECT_TRUE(result.data == bytes);
  EXPECT_EQ(result.etag, *etag);
  MustPut("object", "replaced by its etag", PutCondition::IfMatch(*etag));
}

TEST_P(BlobStoreConformance, AWriterTakesSmallAndEmptyObjects) {
  Context context;
  for (const std::string content : {"", "small"}) {
    auto writer = store_->CreateWriter(context, "new/object-" + content);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Append(content).ok());
    Result<std::string> etag = (*writer)->Finish();
    ASSERT_TRUE(etag.ok()) << etag.status();
    ReadResult result = ReadWhole("new/object-" + content);
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.data, content);
    EXPECT_EQ(result.etag, *etag);
  }
}

TEST_P(BlobStoreConformance, AnAbandonedWriterLeavesNothing) {
  Context context;
  {
    auto small = store_->CreateWriter(context, "small");
    ASSERT_TRUE(small.ok());
    ASSERT_TRUE((*small)->Append("bytes").ok());
    auto large = store_->CreateWriter(context, "large");
    ASSERT_TRUE(large.ok());
    ASSERT_TRUE((*large)->Append(RandomBytes(size_t{9} << 20, 9)).ok());
  }
  EXPECT_EQ(CodeOfRead("small"), StatusCode::kNotFound);
  EXPECT_EQ(CodeOfRead("large"), StatusCode::kNotFound);
  EXPECT_THAT(ListNames(), testing::IsEmpty());
}

// `context` has ended: every call says so and does nothing.
void ExpectRefused(BlobStore& store, const Context& context, StatusCode code) {
  ReadRequest request{.name = "there", .range = {}, .if_match = {}};
  for (const ReadResult& result : store.Read(context, {&request, 1})) EXPECT_EQ(result.status.code(), code);
  EXPECT_EQ(store.Put(context, "new", "x").status().code(), code);
  EXPECT_EQ(store.Put(context, "there", "x").status().code(), code);
  EXPECT_EQ(store.Delete(context, "there").code(), code);
  EXPECT_EQ(store.List(context, "").status().code(), code);
  auto writer = store.CreateWriter(context, "new");
  EXPECT_EQ(writer.ok() ? (*writer)->Finish().status().code() : writer.status().code(), code);
}

TEST_P(BlobStoreConformance, ACancelledCallDoesNothing) {
  MustPut("there", "content");
  CancelToken cancel;
  cancel.Cancel();
  Context context;
  context.cancel = &cancel;
  ExpectRefused(*store_, context, StatusCode::kCancelled);
  EXPECT_THAT(ListNames(), testing::ElementsAre("there"));
  EXPECT_EQ(ReadWhole("there").data, "content");
}

TEST_P(BlobStoreConformance, ACallPastItsDeadlineDoesNothing) {
  MustPut("there", "content");
  Context context;
  context.deadline_ns = 0;
  ExpectRefused(*store_, context, StatusCode::kDeadlineExceeded);
  EXPECT_THAT(ListNames(), testing::ElementsAre("there"));
  EXPECT_EQ(ReadWhole("there").data, "content");
}

}  // namespace isotherm
