// What a user sees of changes and versions, over every store: E5, E6, E9, E11, E12, E23 of docs/behaviours.md.
#include <atomic>
#include <set>
#include <thread>

#include "base/splitmix.h"
#include "blob/fault_store.h"
#include "tests/engine/every_store.h"

namespace isotherm {
namespace {

using namespace testing_support;

class VersionBehaviour : public EveryStore {
 protected:
  std::map<std::string, uint64_t> Sizes() const {
    std::map<std::string, uint64_t> sizes;
    auto listed = ListObjects(*store_, "", {});
    EXPECT_TRUE(listed.ok()) << listed.status();
    for (const ListEntry& entry : *listed) sizes[entry.name] = entry.size;
    return sizes;
  }

  void CommitRows(Collection& collection, uint64_t first, uint64_t count) {
    ASSERT_TRUE(collection.UpsertBatch(NumberedRows(first, count)).ok());
    Status status = collection.Commit();
    ASSERT_TRUE(status.ok()) << status;
  }
};

TEST_P(VersionBehaviour, ADeletedRowIsAbsentForEverybodyAndStillThereAtAnOlderVersion) {
  for (RowPlace place : {RowPlace::kHead, RowPlace::kFlat, RowPlace::kPartition}) {
    SCOPED_TRACE(PlaceName(place));
    UseNewPlace();
    auto writer = Place(store_, options_, place, NumberedRows(0, 20));
    const uint64_t before = writer->Stats().version;
    auto remote = MustOpen(Connect(), OptionsOf());
    auto expect_absent = [](Collection& collection) {
      EXPECT_EQ(collection.Get(uint64_t{7}).status().code(), StatusCode::kNotFound);
      EXPECT_EQ(ScanKeys(collection).size(), 19U);
      auto nearest = collection.Search(NumberedRow(7).vector, {.k = 20, .rerank = 20});
      ASSERT_TRUE(nearest.ok()) << nearest.status();
      for (const Hit& hit : nearest->hits) EXPECT_NE(hit.key, Key(uint64_t{7}));
    };
    ASSERT_TRUE(writer->Delete(uint64_t{7}).ok());
    expect_absent(*writer);
    EXPECT_TRUE(remote->Get(uint64_t{7}).ok());
    ASSERT_TRUE(writer->Commit().ok());
    expect_absent(*writer);
    EXPECT_TRUE(remote->Get(uint64_t{7}).ok());
    ASSERT_TRUE(remote->Refresh().ok());
    expect_absent(*remote);
    expect_absent(*Reader());
    ASSERT_TRUE(writer->Compact(IntoCells()).ok());
    expect_absent(*writer);
    expect_absent(*Reader());
    EXPECT_EQ(*Reader(before)->Get(uint64_t{7}), NumberedRow(7));
    EXPECT_EQ(ScanKeys(*Reader(before)), KeyRange(0, 20));
  }
}

TEST_P(VersionBehaviour, ACommitThatHoldsOnlyDeletionsIsDurable) {
  for (RowPlace place : {RowPlace::kHead, RowPlace::kFlat, RowPlace::kPartition}) {
    SCOPED_TRACE(PlaceName(place));
    UseNewPlace();
    Place(store_, options_, place, NumberedRows(0, 9));
    auto writer = MustOpen(Connect(), OptionsOf());
    ASSERT_TRUE(writer->Delete(uint64_t{0}).ok());
    ASSERT_TRUE(writer->SoftDelete(uint64_t{8}).ok());
    ASSERT_TRUE(writer->Commit().ok());
    writer.reset();
    EXPECT_EQ(ScanKeys(*Reader()), KeyRange(1, 7));
    ExpectClean(*Reader());
  }
}

// The store is cut off at each request of the commit, before or after it is executed, and the process dies.
TEST_P(VersionBehaviour, AnUpsertLeavesOneRowOfItsKeyWhereverItsCommitIsCutOff) {
  for (uint64_t inline_bytes : {uint64_t{0}, uint64_t{1} << 20}) {
    for (FaultKind kind : {FaultKind::kFail, FaultKind::kLoseAnswer}) {
      for (uint64_t last = 0;; ++last) {
        SCOPED_TRACE("cut off at request " + std::to_string(last));
        UseNewPlace();
        Status placed = Place(store_, options_, RowPlace::kMixed, NumberedRows(0, 9))->Commit();
        ASSERT_TRUE(placed.ok()) << placed;
        auto faulty = std::make_shared<FaultBlobStore>(Connect(), environment_);
        Options options = OptionsOf(inline_bytes);
        auto writer = MustOpen(faulty, options);
        Row changed = NumberedRow(2);
        changed.payload = "new";
        ASSERT_TRUE(writer->Upsert(changed).ok());
        const uint64_t first = faulty->requests();
        faulty->SetHook([=](uint64_t index, RequestKind, std::string_view) {
          if (index < first + last) return Fault{};
          return Fault{index == first + last ? kind : FaultKind::kFail};
        });
        Status committed = writer->Commit();
        writer.reset();
        auto reader = Reader();
        auto row = reader->Get(uint64_t{2});
        ASSERT_TRUE(row.ok()) << row.status();
        EXPECT_TRUE(*row == NumberedRow(2) || *row == changed);
        EXPECT_TRUE(!committed.ok() || *row == changed);
        std::vector<uint64_t> keys;
        ASSERT_TRUE(reader
                        ->Scan([&](Row found) {
                          keys.push_back(found.key.number());
                          return Status::Ok();
                        })
                        .ok());
        EXPECT_EQ(keys, KeyRange(0, 9));
        ExpectClean(*reader);
        if (committed.ok()) break;
      }
    }
  }
}

TEST_P(VersionBehaviour, OrphansAreIgnoredAndCollectedAndWhatAVersionNamesStays) {
  options_.inline_bytes = 0;
  auto writer = MustOpen(store_, options_);
  std::map<uint64_t, std::vector<uint64_t>> states;
  for (uint64_t step = 0; step < 4; ++step) {
    CommitRows(*writer, step * 5, 5);
    ASSERT_TRUE(writer->Delete(step * 5 + 1).ok());
    ASSERT_TRUE(writer->Commit().ok());
    if (step == 2) {
      ASSERT_TRUE(writer->Compact(IntoCells(2)).ok());
    }
    states[writer->Stats().version] = ScanKeys(*writer);
  }
  ASSERT_TRUE(writer->CreateBranch("kept", states.begin()->first).ok());
  // As crashed writers and compactions leave them.
  const std::string nonce(32, 'a');
  const std::vector<std::string> orphans = {"segment-0000000000000000-" + nonce, "segment-" + nonce,
                                            "deletions-0000000000000000-" + nonce, "routing-" + std::string(64, 'b'),
                                            "probe-" + nonce};
  for (const std::string& orphan : orphans) ASSERT_TRUE(store_->Put({}, orphan, "left behind").ok());
  EXPECT_EQ(ScanKeys(*Reader()), states.rbegin()->second);
  ExpectClean(*Reader());
  auto found = Reader()->Verify();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(std::set<std::string>(found->orphans.begin(), found->orphans.end()),
            std::set<std::string>(orphans.begin(), orphans.end()));
  auto report = writer->Vacuum();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(std::set<std::string>(report->objects_removed.begin(), report->objects_removed.end()),
            std::set<std::string>(orphans.begin(), orphans.end()));
  for (const std::string& orphan : orphans) EXPECT_FALSE(Sizes().contains(orphan)) << orphan;
  for (const auto& [version, keys] : states) {
    auto at = Reader(version);
    ASSERT_NE(at, nullptr);
    EXPECT_EQ(ScanKeys(*at), keys);
    ExpectClean(*at);
  }
  EXPECT_EQ(ScanKeys(*Reader(0, "kept")), states.begin()->second);
  // Of retained versions also when others go.
  VacuumOptions keep_one;
  keep_one.keep_versions = 1;
  ASSERT_TRUE(writer->Vacuum(keep_one).ok());
  EXPECT_EQ(ScanKeys(*Reader()), states.rbegin()->second);
  auto branch = Reader(0, "kept");
  EXPECT_EQ(ScanKeys(*branch), states.begin()->second);
  ExpectClean(*branch);
}

TEST_P(VersionBehaviour, VersionsRiseByOneAndOpenByNumberAndTimeWhateverWasCompacted) {
  options_.inline_bytes = 2000;
  auto writer = MustOpen(store_, options_);
  struct State {
    uint64_t version;
    int64_t ms;
    std::vector<uint64_t> keys;
  };
  std::vector<State> states;
  auto keep = [&] { states.push_back({writer->Stats().version, NowMs(), ScanKeys(*writer)}); };
  keep();
  for (uint64_t step = 0; step < 5; ++step) {
    clock_->AdvanceWallMs(1000);
    CommitRows(*writer, step * 7, 7);
    EXPECT_EQ(writer->Stats().version, states.back().version + 1);
    keep();
    clock_->AdvanceWallMs(1000);
    ASSERT_TRUE(writer->Delete(step * 7 + 3).ok());
    ASSERT_TRUE(writer->Commit().ok());
    EXPECT_EQ(writer->Stats().version, states.back().version + 1);
    keep();
    clock_->AdvanceWallMs(1000);
    ASSERT_TRUE(writer->Compact(IntoCells(2)).ok());
    keep();
  }
  auto expect_all = [&] {
    for (const State& state : states) {
      EXPECT_EQ(ScanKeys(*Reader(state.version)), state.keys) << state.version;
      Options at = OptionsOf();
      at.as_of_ms = state.ms + 999;
      auto reader = MustOpen(Connect(), at);
      ASSERT_NE(reader, nullptr);
      EXPECT_EQ(ScanKeys(*reader), state.keys) << state.ms;
    }
  };
  expect_all();
  auto versions = writer->Versions();
  ASSERT_TRUE(versions.ok()) << versions.status();
  for (size_t i = 0; i < versions->size(); ++i) EXPECT_EQ((*versions)[i].version, i + 1);
  EXPECT_EQ(versions->back().version, writer->Stats().version);
  auto kept = writer->Vacuum();
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->versions_removed, 0U);
  EXPECT_TRUE(kept->objects_removed.empty());
  expect_all();
  // With a policy it says what it removed.
  const auto before = Sizes();
  VacuumOptions keep_three;
  keep_three.keep_versions = 3;
  auto report = writer->Vacuum(keep_three);
  ASSERT_TRUE(report.ok()) << report.status();
  const auto after = Sizes();
  uint64_t bytes = 0;
  for (const std::string& name : report->objects_removed) {
    EXPECT_FALSE(after.contains(name)) << name;
    bytes += before.contains(name) ? before.at(name) : 0;
  }
  EXPECT_EQ(report->bytes_removed, bytes);
  for (const auto& [name, size] : before) {
    bool removed = std::count(report->objects_removed.begin(), report->objects_removed.end(), name) > 0;
    EXPECT_NE(after.contains(name), removed) << name;
  }
  EXPECT_GT(report->versions_removed, 5U);
  Options gone = OptionsOf();
  gone.as_of_version = 2;
  EXPECT_EQ(Open(Connect(), gone).status().code(), StatusCode::kNotFound);
}

TEST_P(VersionBehaviour, AReadOnlyHandleRefusesEveryWriteCreatesNothingAndHonoursDeletions) {
  auto writer = Place(store_, options_, RowPlace::kPartition, NumberedRows(0, 10));
  ASSERT_TRUE(writer->CreateBranch("branch").ok());
  ASSERT_TRUE(writer->Delete(uint64_t{4}).ok());
  ASSERT_TRUE(writer->SoftDelete(uint64_t{5}).ok());
  ASSERT_TRUE(writer->Commit().ok());
  ASSERT_TRUE(writer->Close().ok());
  const auto before = Sizes();
  for (uint64_t version : {uint64_t{0}, uint64_t{2}}) {
    auto reader = Reader(version);
    const std::vector<Status> refused = {reader->Insert(NumberedRow(50)),
                                         reader->InsertBatch(NumberedRows(50, 2)),
                                         reader->Upsert(NumberedRow(1)),
                                         reader->UpsertBatch(NumberedRows(1, 2)),
                                         reader->Patch(uint64_t{1}, {{{"a", 1}}, {}}),
                                         reader->Delete(uint64_t{1}),
                                         reader->SoftDelete(uint64_t{1}),
                                         reader->Restore(uint64_t{5}),
                                         reader->Commit(),
                                         reader->DiscardPending(),
                                         reader->Compact(),
                                         reader->Vacuum().status(),
                                         reader->Rollback(1),
                                         reader->CreateBranch("other"),
                                         reader->DeleteBranch("branch"),
                                         reader->FastForward("branch")};
    for (size_t i = 0; i < refused.size(); ++i) EXPECT_EQ(refused[i].code(), StatusCode::kReadOnly) << i;
    const std::vector<uint64_t> rest{0, 1, 2, 3, 6, 7, 8, 9};
    EXPECT_EQ(ScanKeys(*reader), version == 0 ? rest : KeyRange(0, 10));
    EXPECT_TRUE(reader->Search(NumberedRow(4).vector).ok());
    EXPECT_TRUE(reader->Refresh().ok());
    EXPECT_TRUE(reader->Close().ok());
  }
  EXPECT_EQ(Sizes(), before);
}

// E23. What a scan shows is its snapshot's rows, each once and in order, whatever is written meanwhile.
TEST_P(VersionBehaviour, AScanShowsEachRowOfItsSnapshotOnceInOrderDuringWrites) {
  constexpr uint64_t kKeys = 60;
  options_.inline_bytes = 4000;
  auto writer = MustOpen(store_, options_);
  CommitRows(*writer, 0, kKeys);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> scans{0};
  std::thread writing([&] {
    SplitMix64 random(3);
    // Also where the reader begins late.
    for (int commit = 0; commit < 25 || (scans < 3 && commit < 10'000); ++commit) {
      WriteBatch batch;
      for (int i = 0; i < 10; ++i) {
        uint64_t key = random.Below(kKeys);
        if (random.Below(3) == 0) {
          batch.Delete(key);
        } else {
          batch.Upsert(NumberedRow(key));
        }
      }
      Status written = writer->Write(batch);
      EXPECT_TRUE(written.ok()) << written;
      written = writer->Commit();
      EXPECT_TRUE(written.ok()) << written;
      written = commit % 8 == 7 ? writer->Compact(IntoCells(3)) : Status::Ok();
      EXPECT_TRUE(written.ok()) << written;
    }
    done = true;
  });
  auto reader = Reader();
  uint64_t last_version = 0;
  for (bool last = false; !last; ++scans) {
    last = done;
    ASSERT_TRUE(reader->Refresh().ok());
    const uint64_t version = reader->Stats().version;
    EXPECT_GE(version, last_version);
    last_version = version;
    std::vector<uint64_t> keys = ScanKeys(*reader);
    EXPECT_TRUE(std::adjacent_find(keys.begin(), keys.end(), std::greater_equal<>()) == keys.end());
    ASSERT_EQ(reader->Stats().version, version) << "a scan does not move on by itself";
    EXPECT_EQ(ScanKeys(*Reader(version)), keys) << "version " << version;
  }
  writing.join();
  EXPECT_EQ(last_version, writer->Stats().version);
  EXPECT_GT(scans, 1U);
}

ISOTHERM_OVER_EVERY_STORE(VersionBehaviour);

}  // namespace
}  // namespace isotherm
