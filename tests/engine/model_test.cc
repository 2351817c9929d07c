// Two writers of one collection do by chance whatever can be done, with failures in between; after every step all that
// can be asked is held against the model in mutation_model.h. ISOTHERM_FULL=1 plays many more seeds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "blob/fault_store.h"
#include "blob/local_store.h"
#include "blob/memory_store.h"
#include "tests/base/manual_clock.h"
#include "tests/base/temp_directory.h"
#include "tests/engine/commits.h"
#include "tests/engine/model_compare.h"
#include "tests/engine/model_play.h"
#include "tests/engine/mutation_model.h"
#include "tests/engine/random_mutations.h"
#include "tests/servers/s3_test_server.h"

namespace isotherm {
namespace {

using namespace testing_support;

enum class Answer : uint8_t { kGood, kRefused, kLostThenDown, kNeverThenDown, kDown };

class Play {
 public:
  Play(std::shared_ptr<BlobStore> store, const Setting& setting)
      : setting_(setting), mutations_(setting.seed, setting.keys) {
    metric_ = mutations_.OneOf({Metric::kL2, Metric::kCosine, Metric::kInnerProduct});
    for (const char* name : {"A", "B"}) {
      Writer writer;
      writer.name = name;
      writer.store = std::make_shared<FaultBlobStore>(store, environment_);
      writer.options.create =
          CreateOptions{RandomMutations::kDimension, metric_, mutations_.key_type(), {"colour", "number"}};
      writer.options.env = environment_;
      writer.options.commit_on_close = false;
      writer.options.background_compaction = false;  // versions are counted
      writer.options.block_cache_bytes = random_.Below(2) == 1 ? 1 << 20 : 0;
      writer.options.inline_bytes = mutations_.OneOf<uint64_t>({0, 1500, 8000, 1 << 20});
      if (setting.rows_at_begin > 0) writer.options.inline_bytes = 0;
      writer.options.conflict_policy = random_.Below(3) == 0 ? ConflictPolicy::kFail : ConflictPolicy::kReapply;
      writers_.push_back(std::move(writer));
    }
    for (Writer& writer : writers_) Reopen(writer);
    version_ = writers_[0].collection->Stats().version;
    history_[version_] = committed_;
    for (Writer& writer : writers_) writer.shown_version = version_;
  }

  void Run() {
    if (setting_.rows_at_begin > 0) FillAndDeleteHalf();
    for (uint64_t step = 0; step < setting_.steps && !testing::Test::HasFailure(); ++step) {
      Writer& writer = writers_[random_.Below(4) == 0 ? 1 : 0];
      SCOPED_TRACE("seed " + std::to_string(setting_.seed) + ", step " + std::to_string(step) + " by " + writer.name);
      std::string what = Step(writer);
      SCOPED_TRACE(what);
      Compare(writer);
    }
    if (testing::Test::HasFailure()) return;
    SCOPED_TRACE("seed " + std::to_string(setting_.seed) + ", at the end");
    for (Writer& writer : writers_) {
      Reopen(writer);
      Compare(writer);
      ExpectClean(*writer.collection);
    }
  }

  bool used_deletions_object() const { return used_deletions_object_; }
  bool used_cells() const { return used_cells_; }
  uint64_t conflicts() const { return conflicts_; }
  uint64_t failed_commits() const { return failed_commits_; }

 private:
  int64_t Now() { return clock_->WallMs(); }
  std::string Step(Writer& writer) {
    switch (random_.Below(18)) {
      case 0:
      case 1: return Commit(writer, Answer::kGood);
      case 2:
        return Commit(
            writer, mutations_.OneOf({Answer::kRefused, Answer::kLostThenDown, Answer::kNeverThenDown, Answer::kDown}));
      case 3: return Refresh(writer);
      case 4: return mutations_.OneIn(3) ? Compact(writer) : Refresh(writer);
      case 5: return mutations_.OneIn(2) ? Discard(writer) : Commit(writer, Answer::kGood);
      case 6: {
        if (!mutations_.OneIn(3)) break;
        Reopen(writer);
        return "reopen";
      }
      case 16: return LookBack(writer);
      case 17: return mutations_.OneIn(2) ? RollBack(writer) : Vacuum(writer);
      case 7: return PassTime();
      case 8:
      case 9: return WriteMutations(writer, 2 + random_.Below(5));
      default: break;
    }
    return WriteMutations(writer, 1);
  }

  // Now and then the clock is set back: what had expired has not.
  std::string PassTime() {
    const auto by_ms = static_cast<int64_t>(random_.Below(800));
    const bool back = random_.Below(4) == 0;
    clock_->AdvanceWallMs(back ? -by_ms : by_ms);
    return back ? "time goes back" : "time passes";
  }

  std::string WriteMutations(Writer& writer, uint64_t count) {
    MutationLog batch;
    WriteBatch write;
    for (uint64_t i = 0; i < count; ++i) {
      batch.push_back(mutations_.AnyMutation(writer.model.base(), Now()));
      write.Add(batch.back());
    }
    return WriteLog(writer, batch, std::move(write));
  }

  std::string WriteLog(Writer& writer, const MutationLog& batch, WriteBatch write) {
    StatusCode expected = writer.model.Write(batch, Now());
    Status status = writer.collection->Write(std::move(write));
    EXPECT_EQ(status.code(), expected) << status;
    std::string text = "writes";
    for (const Mutation& m : batch) {
      text += " " + std::to_string(static_cast<int>(m.kind)) + " of " + m.row.key.ToString();
    }
    return text;
  }

  void Show(Writer& writer, uint64_t version, const ModelState& state) {
    if (version < writer.shown_version) return;
    writer.shown_version = version;
    writer.model.Show(state);
    if (version == version_ && !writer.model.HasPending()) writer.foreign.clear();
  }

  std::string Refresh(Writer& writer) {
    Status status = writer.collection->Refresh();
    EXPECT_TRUE(status.ok()) << status;
    Show(writer, version_, committed_);
    return "refresh";
  }

  std::string Discard(Writer& writer) {
    Status status = writer.collection->DiscardPending();
    EXPECT_EQ(status.code(), writer.uncertain ? StatusCode::kUnknown : StatusCode::kOk) << status;
    if (!writer.uncertain) Forget(writer);
    return "discard";
  }

  void Forget(Writer& writer) {
    writer.model.ForgetAll();
    if (writer.shown_version == version_) writer.foreign.clear();
  }

  void Reopen(Writer& writer) {
    writer.collection.reset();
    writer.collection = MustOpen(writer.store, writer.options);
    writer.uncertain = false;
    Forget(writer);
    Show(writer, version_, committed_);
  }

  // A commit's own requests of the head have this answer; then nothing is answered, where it says so.
  static void SetAnswer(Writer& writer, Answer answer) {
    auto down = std::make_shared<bool>(answer == Answer::kDown);
    writer.store->SetHook([=](uint64_t, RequestKind kind, std::string_view name) -> Fault {
      if (*down) return {FaultKind::kFail};
      if (kind != RequestKind::kPut || name != kHeadObject) return {};
      if (answer == Answer::kRefused) return {FaultKind::kFail, Status::AccessDenied("refused (injected)")};
      *down = answer != Answer::kGood;
      if (answer == Answer::kLostThenDown) return {FaultKind::kLoseAnswer};
      return answer == Answer::kNeverThenDown ? Fault{FaultKind::kFail} : Fault{};
    });
  }

  std::string Commit(Writer& writer, Answer answer) {
    bool stale = writer.shown_version != version_;
    if ((writer.uncertain || stale) && answer != Answer::kGood) answer = Answer::kGood;
    SetAnswer(writer, answer);
    bool had_pending = writer.model.HasPending();
    Status status = writer.collection->Commit();
    writer.store->SetHook(nullptr);
    ExpectCommit(writer, answer, status);
    std::string text = "commit " + std::to_string(static_cast<int>(answer));
    failed_commits_ += status.ok() ? 0 : 1;
    if (had_pending && !status.ok() && mutations_.OneIn(2)) return text + ", " + Discard(writer);
    return text;
  }

  // What became of the commit before. False: it was lost, and the policy is to say so.
  bool Settle(Writer& writer) {
    writer.uncertain = false;
    if (writer.landed) {
      Show(writer, writer.uncertain_base + 1, writer.uncertain_state.state);
    } else if (version_ == writer.uncertain_base) {
      // It is sent again, and lands.
      Landed(writer, writer.uncertain_state, version_ + 1);
      Show(writer, version_, committed_);
    } else {
      Show(writer, version_, committed_);
      return writer.options.conflict_policy != ConflictPolicy::kFail;
    }
    writer.model.ForgetFrozen();
    return true;
  }

  // Of a version that is in the store from now on.
  void Landed(Writer& writer, Replayed replayed, uint64_t version) {
    EXPECT_TRUE(replayed.ok);
    committed_ = std::move(replayed.state);
    version_ = version;
    history_[version] = committed_;
    for (Writer& other : writers_) {
      if (&other == &writer) continue;
      for (const Mutation& mutation : writer.model.WholeLog()) other.foreign.insert(mutation.row.key);
    }
  }

  void ExpectCommit(Writer& writer, Answer answer, const Status& status) {
    if (writer.uncertain && !Settle(writer)) {
      EXPECT_EQ(status.code(), StatusCode::kConflict) << status;
      return;
    }
    if (!writer.model.HasPending()) {
      EXPECT_TRUE(status.ok()) << status;
      return;
    }
    writer.model.Freeze();
    // Where it was the swap that was not answered, nobody knows.
    if (answer == Answer::kDown && status.code() == StatusCode::kUnavailable) return;
    if (writer.options.conflict_policy == ConflictPolicy::kFail && writer.shown_version != version_) {
      EXPECT_EQ(status.code(), StatusCode::kConflict) << status;
      ++conflicts_;
      Show(writer, version_, committed_);
      return;
    }
    Replayed replayed = Replay(committed_, version_ + 1, Now()).Run(writer.model.frozen_log());
    bool refused = status.code() == StatusCode::kConflict || status.code() == StatusCode::kNotFound ||
                   status.code() == StatusCode::kAlreadyExists;
    if (!replayed.ok || (refused && MayConflict(writer))) {
      EXPECT_TRUE(refused) << status;
      ++conflicts_;
      Show(writer, version_, committed_);
      return;
    }
    ExpectOutcome(writer, answer, status, std::move(replayed));
  }

  void ExpectOutcome(Writer& writer, Answer answer, const Status& status, Replayed replayed) {
    switch (answer) {
      case Answer::kGood:
        EXPECT_TRUE(status.ok()) << status;
        Landed(writer, std::move(replayed), version_ + 1);
        Forget(writer);
        Show(writer, version_, committed_);
        break;
      case Answer::kRefused: EXPECT_EQ(status.code(), StatusCode::kAccessDenied) << status; break;
      default:
        EXPECT_EQ(status.code(), StatusCode::kUnknown) << status;
        writer.uncertain = true;
        writer.uncertain_base = version_;
        writer.landed = answer == Answer::kLostThenDown;
        writer.uncertain_state = std::move(replayed);
        if (writer.landed) Landed(writer, writer.uncertain_state, version_ + 1);
    }
  }

  // Where a row that is to be restored was changed by another writer, a commit may say so.
  static bool MayConflict(const Writer& writer) {
    for (const Mutation& mutation : writer.model.frozen_log()) {
      if (mutation.kind == MutationKind::kRestore && writer.foreign.contains(mutation.row.key)) return true;
    }
    return false;
  }

  // With its own changes pending, where no other writer came between.
  std::string Compact(Writer& writer) {
    if (writer.uncertain) return Commit(writer, Answer::kGood);
    Replayed replayed = Replay(committed_, 0, Now()).Run(writer.model.WholeLog());
    if (writer.shown_version != version_ || !writer.foreign.empty() || !replayed.ok) {
      Refresh(writer);
      Commit(writer, Answer::kGood);
      if (writer.model.HasPending()) Discard(writer);
      replayed = Replay(committed_, 0, Now()).Run({});
    }
    CompactOptions compact;
    compact.min_rows_for_cells = mutations_.OneIn(2) ? 1 : 20;
    compact.cells = static_cast<uint32_t>(random_.Below(6));
    compact.max_object_bytes = mutations_.OneIn(2) ? 4096 : 256 << 20;
    compact.seed = random_.Next();
    compact.keep_cells = mutations_.OneIn(2);
    Status status = writer.collection->Compact(compact);
    EXPECT_TRUE(status.ok()) << status;
    uint64_t before = version_;
    uint64_t version = writer.collection->Stats().version;
    for (const Key& key : replayed.written) {
      ModelRow& row = replayed.state[key];
      auto got = writer.collection->Get(key);
      row.row.version = got.ok() ? got->version : before + 1;
      EXPECT_EQ(row.row.version, before + 1);
    }
    std::erase_if(replayed.state, [&](const auto& entry) { return HasExpired(entry.second.row, Now()); });
    Landed(writer, std::move(replayed), version);
    Forget(writer);
    Show(writer, version_, committed_);
    used_cells_ = used_cells_ || writer.collection->Stats().cells > 0;
    return "compact";
  }

  std::string LookBack(Writer& writer) {
    auto at = std::next(history_.begin(), static_cast<ptrdiff_t>(random_.Below(history_.size())));
    Options options = writer.options;
    options.as_of_version = at->first;
    options.create.reset();
    auto old = MustOpen(writer.store, options);
    SCOPED_TRACE("version " + std::to_string(at->first));
    ModelHandle model;
    model.Show(at->second);
    CompareScan(*old, model.Live(Now()), false);
    CompareScan(*old, model.Soft(Now()), true);
    CompareSearch(*old, model.Live(Now()), metric_, mutations_.AnyVector(), 5);
    return "look back";
  }

  // A change of all rows at once, as far as others are concerned.
  void Moved(Writer& writer, ModelState state) {
    for (Writer& other : writers_) {
      if (&other == &writer) continue;
      for (const auto& [key, row] : state) other.foreign.insert(key);
      for (const auto& [key, row] : committed_) other.foreign.insert(key);
    }
    EXPECT_EQ(writer.collection->Stats().version, version_ + 1);
    committed_ = std::move(state);
    history_[++version_] = committed_;
    Show(writer, version_, committed_);
  }

  std::string RollBack(Writer& writer) {
    auto at = std::next(history_.begin(), static_cast<ptrdiff_t>(random_.Below(history_.size())));
    Status status = writer.collection->Rollback(at->first);
    if (writer.uncertain || writer.model.HasPending()) {
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    } else {
      EXPECT_TRUE(status.ok()) << status;
      Moved(writer, at->second);
    }
    return "roll back to " + std::to_string(at->first);
  }

  std::string Vacuum(Writer& writer) {
    if (writer.uncertain) return Commit(writer, Answer::kGood);
    VacuumOptions options;
    options.keep_versions = mutations_.OneOf({0, 3});
    options.keep_soft_deleted = mutations_.OneIn(2);
    auto report = writer.collection->Vacuum(options);
    EXPECT_TRUE(report.ok()) << report.status();
    if (!report.ok()) return "vacuum";
    ModelState state = committed_;
    if (!options.keep_soft_deleted) std::erase_if(state, [](const auto& entry) { return entry.second.soft; });
    EXPECT_EQ(report->soft_deleted_rows_removed, committed_.size() - state.size());
    Moved(writer, std::move(state));
    std::erase_if(history_, [&](const auto& version) { return version.first < report->oldest_version; });
    // What the others show may be gone.
    for (Writer& other : writers_) Refresh(other);
    return "vacuum";
  }

  // Enough deletions for an object of their own.
  void FillAndDeleteHalf() {
    Writer& writer = writers_[0];
    uint64_t of_each = setting_.rows_at_begin / 3;
    for (uint64_t part = 0; part < 3; ++part) {
      MutationLog batch;
      WriteBatch write;
      for (uint64_t i = 0; i < of_each; ++i) {
        batch.push_back({MutationKind::kUpsert, mutations_.AnyRow(mutations_.KeyOf(part * of_each + i), Now()), {}, 0});
        write.Add(batch.back());
      }
      WriteLog(writer, batch, std::move(write));
      Commit(writer, Answer::kGood);
    }
    for (MutationKind kind : {MutationKind::kDelete, MutationKind::kSoftDelete}) {
      MutationLog batch;
      WriteBatch write;
      for (uint64_t i = 0; i < setting_.rows_at_begin; ++i) {
        if (!mutations_.OneIn(2)) continue;
        batch.push_back({kind, {}, {}, 0});
        batch.back().row.key = mutations_.KeyOf(i);
        write.Add(batch.back());
      }
      WriteLog(writer, batch, std::move(write));
      Commit(writer, Answer::kGood);
    }
    used_deletions_object_ = CountObjects(*writer.store, "deletions-") > 0;
    Compare(writer);
  }

  void Compare(Writer& writer) {
    Collection& collection = *writer.collection;
    std::map<Key, Row> live = writer.model.Live(Now());
    CompareStats(writer);
    std::vector<Key> keys = mutations_.AllKeys();
    std::vector<Key> asked = keys;
    if (keys.size() > 60) std::generate_n(asked.begin(), 60, [&] { return mutations_.AnyKey(); });
    asked.resize(std::min<size_t>(60, asked.size()));
    CompareKeys(collection, live, keys, asked);
    CompareScan(collection, live, false);
    CompareScan(collection, writer.model.Soft(Now()), true);
    size_t k = mutations_.OneOf<size_t>({1, 3, 10, live.size() + 1, live.size() * 2 + 100});
    CompareSearch(collection, live, metric_, mutations_.AnyVector(), k);
  }

  void CompareStats(Writer& writer) {
    uint64_t rows = 0;
    uint64_t soft = 0;
    for (const auto& [key, row] : writer.model.base()) ++(row.soft ? soft : rows);
    CollectionStats stats = writer.collection->Stats();
    EXPECT_EQ(stats.version, writer.shown_version);
    EXPECT_EQ(stats.rows, rows);
    EXPECT_EQ(stats.soft_deleted_rows, soft);
    EXPECT_EQ(stats.pending_rows > 0, writer.model.HasPending());
  }

  const Setting setting_;
  RandomMutations mutations_;
  SplitMix64& random_ = mutations_.random();
  Metric metric_ = Metric::kL2;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  std::vector<Writer> writers_;
  ModelState committed_;
  uint64_t version_ = 0;
  std::map<uint64_t, ModelState> history_;  // by version; those between two changes of rows are left out
  bool used_deletions_object_ = false;
  bool used_cells_ = false;
  uint64_t conflicts_ = 0;
  uint64_t failed_commits_ = 0;
};

bool Full() {
  const char* full = std::getenv("ISOTHERM_FULL");
  return full != nullptr && std::string_view(full) == "1";
}

TEST(Model, OverMemoryEveryAnswerIsTheModels) {
  uint64_t conflicts = 0;
  uint64_t failures = 0;
  uint64_t with_cells = 0;
  const uint64_t seeds = Full() ? 5000 : 60;
  for (uint64_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    Play play(std::make_shared<MemoryBlobStore>(), {.seed = seed});
    play.Run();
    conflicts += play.conflicts();
    failures += play.failed_commits();
    with_cells += play.used_cells() ? 1 : 0;
  }
  EXPECT_GT(conflicts, seeds / 4);
  EXPECT_GT(failures, seeds);
  EXPECT_GT(with_cells, seeds / 4);
}

TEST(Model, WithManyDeletionsEveryAnswerIsTheModels) {
  for (uint64_t seed = 1; seed <= (Full() ? 20 : 2) && !testing::Test::HasFailure(); ++seed) {
    Play play(std::make_shared<MemoryBlobStore>(),
              {.seed = seed, .steps = 12, .keys = 12'000, .rows_at_begin = 12'000});
    play.Run();
    EXPECT_TRUE(play.used_deletions_object());
  }
}

TEST(Model, OverALocalDirectoryEveryAnswerIsTheModels) {
  for (uint64_t seed = 1001; seed <= (Full() ? 1100 : 1004) && !testing::Test::HasFailure(); ++seed) {
    TempDirectory directory;
    Play(std::make_shared<LocalBlobStore>(directory.path(), Environment::Default()), {.seed = seed}).Run();
  }
}

TEST(Model, OverS3EveryAnswerIsTheModels) {
  ISOTHERM_NEEDS_SERVERS();
  auto server = S3TestServer::Shared();
  ASSERT_TRUE(server.ok()) << server.status();
  for (uint64_t seed = 2001; seed <= (Full() ? 2020 : 2002) && !testing::Test::HasFailure(); ++seed) {
    auto store = OpenS3Store((*server)->Options(UniqueName("model")), Environment::Default());
    ASSERT_TRUE(store.ok()) << store.status();
    Play(std::move(store).value(), {.seed = seed, .steps = 50, .keys = 12}).Run();
  }
}

}  // namespace
}  // namespace isotherm
