// kill -9 of a process under load, at any moment: everything that it was told is there, nothing is there in half, the
// next process goes on. D1 and D2 of docs/durability.md, E6 and E7.
//
// ISOTHERM_KILLS: how many kills on each store; `make test-kills KILLS=2000`.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <set>

#include "blob/local_store.h"
#include "tests/base/temp_directory.h"
#include "tests/engine/commits.h"
#include "tests/engine/mutation_model.h"
#include "tests/engine/store_argument.h"
#include "tests/kills/load.h"
#include "tests/servers/child_process.h"
#include "tests/servers/s3_test_server.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kKillsOfOneCollection = 50;
// The moment of a kill: so many lines were said, and so long ago.
constexpr uint64_t kMostLines = 16;
constexpr uint64_t kLongestAfterNs = 20'000'000;
constexpr int64_t kLookAgainNs = 500'000;

uint64_t Kills() {
  const char* kills = std::getenv("ISOTHERM_KILLS");
  return kills == nullptr ? 60 : std::stoull(kills);
}

// The machine's own, but for a wall clock so late that all that lapses soon has done so.
class LateClock : public Clock {
 public:
  int64_t NowNs() override { return clock_->NowNs(); }
  int64_t WallMs() override { return clock_->WallMs() + 2 * kShortLifeMs; }
  void SleepUntilNs(int64_t ns) override { clock_->SleepUntilNs(ns); }

 private:
  const std::shared_ptr<Clock> clock_ = Environment::Default()->clock;
};

struct Counts {
  uint64_t acknowledged = 0;
  uint64_t refused = 0;
  uint64_t compacted = 0;
  uint64_t vacuumed = 0;
  uint64_t before_open = 0;  // kills
  uint64_t in_flight = 0;    // kills in the middle of a step
  uint64_t landed = 0;       // of those, so that it is there all the same
};

// One collection, and the processes that change it one after the other.
class Victim {
 public:
  Victim(std::shared_ptr<BlobStore> store, std::string argument, uint64_t seed)
      : store_(std::move(store)), argument_(std::move(argument)), seed_(seed), random_(seed) {
    environment_ = std::make_shared<Environment>(*Environment::Default());
    environment_->clock = std::make_shared<LateClock>();
    begin_ms_ = Environment::Default()->clock->WallMs();
  }

  void RunAndKill(Counts& counts) {
    const std::string log = directory_.path() + "/log" + std::to_string(processes_++);
    auto process = ChildProcess::Start({ISOTHERM_LOADED_PROCESS, argument_, cache_dir(), std::to_string(seed_),
                                        std::to_string(begin_ms_), std::to_string(next_step_)},
                                       log);
    ASSERT_TRUE(process.ok()) << process.status();
    AwaitMoment(log, **process);
    (*process)->Kill();
    Hear(log, counts);
    if (!testing::Test::HasFailure()) ExpectConsistent(counts);
  }

 private:
  // However fast the machine is, something happens before the kill, and the kill is at any point of what happens then.
  void AwaitMoment(const std::string& log, ChildProcess& process) {
    Clock& clock = *Environment::Default()->clock;
    const uint64_t lines = random_.Below(kMostLines);
    while (CountLines(log) < lines && process.IsRunning()) clock.SleepUntilNs(clock.NowNs() + kLookAgainNs);
    clock.SleepUntilNs(clock.NowNs() + static_cast<int64_t>(random_.Below(kLongestAfterNs)));
  }

  static uint64_t CountLines(const std::string& path) {
    std::ifstream file(path);
    uint64_t count = 0;
    for (std::string line; std::getline(file, line);) ++count;
    return count;
  }

  static Row FenceRow() {
    return {
        .key = kFirstLapsingKey - 1, .vector = std::vector<float>(kLoadDimension, 1), .metadata = {}, .payload = {}};
  }

  std::string cache_dir() const { return directory_.path() + "/cache"; }

  ModelState After(uint64_t step, bool* refused) {
    ModelHandle handle;
    handle.Show(state_);
    WriteBatch batch = LoadStep(seed_, step).Batch(begin_ms_);
    *refused = handle.Write(batch.mutations(), begin_ms_) != StatusCode::kOk;
    if (*refused) return state_;
    return Replay(state_, 0, begin_ms_).Run(handle.WholeLog()).state;
  }

  // Follows what the process said.
  void Hear(const std::string& log, Counts& counts) {
    std::ifstream file(log);
    bool open = false;
    in_flight_.reset();
    for (std::string line; std::getline(file, line);) {
      const std::string word = line.substr(0, line.find(' '));
      if (word == "open") {
        open = true;
        existed_ = true;
      } else if (word == "asked") {
        ASSERT_EQ(line, "asked " + std::to_string(next_step_));
        in_flight_ = After(next_step_++, &refused_);
      } else if (word == "acknowledged" || word == "refused") {
        ASSERT_TRUE(in_flight_.has_value());
        EXPECT_EQ(word == "refused", refused_) << line;
        state_ = *std::exchange(in_flight_, std::nullopt);
        ++(word == "refused" ? counts.refused : counts.acknowledged);
      } else if (word == "compacted") {
        ++counts.compacted;
      } else if (word == "vacuumed") {
        ++counts.vacuumed;
      } else {
        FAIL() << "the process said: " << line;
      }
    }
    if (!open) ++counts.before_open;
  }

  std::map<Key, Row> Stored(Collection& collection, bool soft) {
    std::map<Key, Row> rows;
    ScanOptions options;
    options.soft_deleted = soft;
    Status status = collection.Scan(
        [&](Row row) {
          Key key = row.key;
          EXPECT_TRUE(rows.emplace(key, std::move(row)).second) << "twice: " << key.ToString();
          return Status::Ok();
        },
        options);
    EXPECT_TRUE(status.ok()) << status;
    return rows;
  }

  // What is there is what was acknowledged, or that and the step in flight, whole.
  void ExpectConsistent(Counts& counts) {
    Options options = UnderLoad(cache_dir());
    options.background_compaction = false;
    options.env = environment_;
    if (existed_) options.create.reset();
    auto opened = Open(store_, options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    existed_ = true;
    Collection& collection = **opened;
    // What the dead process sent may still be on its way. After this commit it has landed, or never will.
    ASSERT_TRUE(collection.Upsert(FenceRow()).ok());
    Status fenced = collection.Commit();
    ASSERT_TRUE(fenced.ok()) << fenced;
    state_[FenceRow().key].row = FenceRow();
    if (in_flight_) (*in_flight_)[FenceRow().key].row = FenceRow();
    std::map<Key, Row> live = Stored(collection, false);
    std::map<Key, Row> soft = Stored(collection, true);
    auto is = [&](const ModelState& state) {
      ModelHandle handle;
      handle.Show(state);
      const int64_t now_ms = environment_->clock->WallMs();
      return handle.Live(now_ms) == live && handle.Soft(now_ms) == soft;
    };
    bool without = is(state_);
    bool with = in_flight_ && is(*in_flight_);
    EXPECT_TRUE(with || without) << "step " << next_step_ << ": " << live.size() << " rows are neither what was "
                                 << "acknowledged nor that and the step in flight";
    if (in_flight_) ++counts.in_flight;
    if (with && !without) ++counts.landed;
    if (with) state_ = *in_flight_;
    ExpectAnswers(collection, live);
    ExpectClean(collection);
  }

  // Reads of other kinds, through what the disk cache has kept, see the same rows.
  void ExpectAnswers(Collection& collection, const std::map<Key, Row>& live) {
    SearchOptions all;
    all.k = 1000;
    all.probes = 1000;
    auto found = collection.Search(std::vector<float>(kLoadDimension, 1), all);
    ASSERT_TRUE(found.ok()) << found.status();
    std::set<Key> keys;
    for (const Hit& hit : found->hits) EXPECT_TRUE(keys.insert(hit.key).second) << "twice: " << hit.key.ToString();
    EXPECT_EQ(keys.size(), live.size());
    for (uint64_t key = 0; key < kLoadKeys; ++key) {
      auto row = collection.Get(key);
      auto expected = live.find(key);
      EXPECT_EQ(row.ok(), expected != live.end()) << key << ": " << row.status();
      if (row.ok() && expected != live.end()) {
        EXPECT_EQ(*row, expected->second);
      }
      EXPECT_EQ(keys.contains(key), expected != live.end()) << key;
    }
  }

  const std::shared_ptr<BlobStore> store_;
  const std::string argument_;
  const uint64_t seed_;
  SplitMix64 random_;
  TempDirectory directory_;
  std::shared_ptr<Environment> environment_;
  int64_t begin_ms_ = 0;
  uint64_t processes_ = 0;
  uint64_t next_step_ = 0;
  bool existed_ = false;
  ModelState state_;                     // acknowledged
  std::optional<ModelState> in_flight_;  // with the step that was begun
  bool refused_ = false;                 // that step must be
};

struct Place {
  std::shared_ptr<BlobStore> store;
  std::string argument;
};

void KillAtRandom(const std::function<Place(uint64_t)>& place) {
  const uint64_t kills = Kills();
  Counts counts;
  std::unique_ptr<Victim> victim;
  for (uint64_t kill = 0; kill < kills; ++kill) {
    const uint64_t seed = kill / kKillsOfOneCollection;
    SCOPED_TRACE("kill " + std::to_string(kill) + ", seed " + std::to_string(seed));
    if (kill % kKillsOfOneCollection == 0) {
      Place at = place(seed);
      victim = std::make_unique<Victim>(at.store, at.argument, seed);
    }
    victim->RunAndKill(counts);
    if (testing::Test::HasFailure()) return;
  }
  std::cout << "[ figures  ] " << kills << " kills (" << counts.before_open << " before it was open, "
            << counts.in_flight << " in the middle of a commit, of which " << counts.landed << " had landed); "
            << counts.acknowledged << " commits, " << counts.refused << " refused, " << counts.compacted
            << " compactions, " << counts.vacuumed << " vacuums\n";
  EXPECT_GT(counts.acknowledged, kills);
  EXPECT_GT(counts.in_flight, kills / 4);
  EXPECT_GT(counts.compacted + counts.vacuumed, kills / 20);
}

TEST(Kills, OfAProcessOverALocalDirectoryLoseNothingThatWasAcknowledged) {
  TempDirectory directory;
  KillAtRandom([&](uint64_t n) {
    std::string path = directory.path() + "/" + std::to_string(n);
    return Place{std::make_shared<LocalBlobStore>(path, Environment::Default()), StoreArgument(path)};
  });
}

TEST(Kills, OfAProcessOverS3LoseNothingThatWasAcknowledged) {
  ISOTHERM_NEEDS_SERVERS();
  auto server = S3TestServer::Shared();
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string prefix = UniqueName("kills");
  KillAtRandom([&](uint64_t n) {
    const std::string argument = StoreArgument((*server)->Options(prefix + "/" + std::to_string(n)));
    auto store = OpenStoreOf(argument);
    EXPECT_TRUE(store.ok()) << store.status();
    return Place{std::move(store).value(), argument};
  });
}

}  // namespace
}  // namespace isotherm
