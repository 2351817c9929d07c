// Eight writers at once, a row a commit, on every store: nothing lost, nothing twice, nobody starved. By turns with one
// of them alone, which tells what the contention costs. D3 and D4 of docs/durability.md.
//
// ISOTHERM_FULL=1 makes it 10,000 commits on each store, prints the figures of docs/benchmarks.md and holds them to
// their bounds.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <iomanip>
#include <iostream>
#include <thread>

#include "blob/latency_store.h"
#include "blob/local_store.h"
#include "blob/memory_store.h"
#include "tests/engine/commits.h"
#include "tests/engine/store_argument.h"
#include "tests/servers/s3_test_server.h"
#include "tests/writers/peer.h"
#include "tests/writers/race_round.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kWriters = 8;
constexpr uint64_t kKeysApart = 1'000'000;

bool Full() {
  const char* full = std::getenv("ISOTHERM_FULL");
  return full != nullptr && std::string_view(full) == "1";
}

// Lets some of the writers run until the collection has come to a version; figures of each, in their order.
using Rounds = std::function<std::vector<RaceFigures>(size_t writers, uint64_t goal)>;

struct Outcome {
  uint64_t warm_up = 0;  // commits of one writer alone, until it knows that the others are gone
  RaceFigures alone;
  int64_t alone_ns = 0;
  std::vector<RaceFigures> together{kWriters};
  int64_t together_ns = 0;

  double Rate(const RaceFigures& figures, int64_t ns) const { return double(figures.commits) * 1e9 / double(ns); }
  RaceFigures All() const {
    RaceFigures all;
    for (const RaceFigures& figures : together) all.Add(figures);
    return all;
  }
  double Throughput() const { return Rate(All(), together_ns) / Rate(alone, alone_ns); }
};

void Print(const std::string& store, const Outcome& outcome) {
  auto ms = [](int64_t ns) { return double(ns) / 1e6; };
  RaceFigures all = outcome.All();
  std::cout << std::fixed << std::setprecision(1) << "[ figures  ] " << store << ": one writer "
            << outcome.Rate(outcome.alone, outcome.alone_ns) << " commits/s (" << outcome.alone.commits
            << " commits, longest " << ms(outcome.alone.longest_ns) << " ms), eight "
            << outcome.Rate(all, outcome.together_ns) << " commits/s (" << all.commits << " commits), "
            << 100 * outcome.Throughput() << " %\n";
  auto per_commit = [&](uint64_t n) { return double(n) / double(all.commits); };
  std::cout << std::setprecision(2) << "[ figures  ]   a commit of the eight: " << per_commit(all.conflicts)
            << " conflicts, " << per_commit(all.gets) << " GETs, " << per_commit(all.puts) << " PUTs\n";
  for (const RaceFigures& figures : outcome.together) {
    std::cout << "[ figures  ]   share " << 100 * per_commit(figures.commits) << " %, longest "
              << ms(figures.longest_ns) << " ms\n";
  }
}

// By turns: one writer, then all, who make `commits` in the end.
Outcome Run(const std::shared_ptr<BlobStore>& store, const Rounds& rounds, uint64_t commits, uint64_t rounds_of_all) {
  Outcome outcome;
  Clock& clock = *Environment::Default()->clock;
  const uint64_t of_all = commits / rounds_of_all;
  uint64_t version = 1;
  for (uint64_t round = 0; round < rounds_of_all && !testing::Test::HasFailure(); ++round) {
    const uint64_t warm_up = rounds(1, version + 20).front().commits;
    outcome.warm_up += warm_up;
    version += warm_up;
    int64_t start_ns = clock.NowNs();
    RaceFigures alone = rounds(1, version + of_all / 4).front();
    outcome.alone_ns += clock.NowNs() - start_ns;
    outcome.alone.Add(alone);
    version += alone.commits;
    start_ns = clock.NowNs();
    std::vector<RaceFigures> together = rounds(kWriters, version + of_all);
    outcome.together_ns += clock.NowNs() - start_ns;
    for (uint64_t w = 0; w < kWriters; ++w) {
      outcome.together[w].Add(together[w]);
      version += together[w].commits;
    }
    auto compactor = MustOpen(store);
    EXPECT_EQ(compactor->Stats().version, version);
    Status status = compactor->Compact();
    EXPECT_TRUE(status.ok()) << status;
    version = compactor->Stats().version;
  }
  return outcome;
}

void ExpectAllThereOnce(const std::shared_ptr<BlobStore>& store, const Outcome& outcome) {
  auto collection = MustOpen(store);
  std::vector<uint64_t> expected;
  for (uint64_t w = 0; w < kWriters; ++w) {
    uint64_t of_writer = outcome.together[w].commits + (w == 0 ? outcome.alone.commits + outcome.warm_up : 0);
    for (uint64_t key : KeyRange(w * kKeysApart, of_writer)) expected.push_back(key);
  }
  EXPECT_EQ(ScanKeys(*collection), expected);
  ExpectClean(*collection);
}

// Of full runs: in a short one on a busy machine the scheduler decides more than the writers do. How turns share out
// commits is tested without a scheduler by tests/engine/turns_test.cc.
void ExpectFair(const Outcome& outcome) {
  if (!Full()) return;
  const double fair = 1.0 / kWriters / 4;
  for (const RaceFigures& figures : outcome.together) {
    EXPECT_GT(double(figures.commits), fair * double(outcome.All().commits)) << "a writer was starved";
  }
  EXPECT_GE(outcome.Throughput(), 0.6);
}

void Race(const std::string& name, const std::shared_ptr<BlobStore>& store, const Rounds& rounds, uint64_t commits,
          uint64_t rounds_of_all) {
  Outcome outcome = Run(store, rounds, commits, rounds_of_all);
  if (testing::Test::HasFailure()) return;
  Print(name, outcome);
  ExpectAllThereOnce(store, outcome);
  ExpectFair(outcome);
}

void RaceThreads(const std::string& name, const std::shared_ptr<BlobStore>& store, uint64_t commits,
                 uint64_t rounds_of_all) {
  std::vector<std::unique_ptr<RaceWriter>> writers;
  for (uint64_t w = 0; w < kWriters; ++w) {
    writers.push_back(std::make_unique<RaceWriter>(MustOpen(store, Racing()), w * kKeysApart));
  }
  auto rounds = [&](size_t count, uint64_t goal) {
    std::vector<RaceFigures> figures(count);
    std::vector<std::thread> threads;
    for (size_t w = 0; w < count; ++w) {
      threads.emplace_back([&, w] {
        auto round = writers[w]->RunUntil(goal);
        EXPECT_TRUE(round.ok()) << round.status();
        if (round.ok()) figures[w] = *round;
      });
    }
    for (std::thread& thread : threads) thread.join();
    return figures;
  };
  Race(name, store, rounds, commits, rounds_of_all);
}

// A commit takes less than a thread's time slice: rounds must be long for everybody to have a part.
TEST(EightWriters, ThreadsOverOneMemoryStore) {
  RaceThreads("memory", std::make_shared<MemoryBlobStore>(Environment::Default()), Full() ? 40'000 : 4'000,
              Full() ? 40 : 2);
}

// All time goes by waiting for answers, a tenth as long as for those of S3.
TEST(EightWriters, ThreadsOverADistantStore) {
  LatencyOptions latency;
  latency.profile = {
      .name = "S3 / 10", .get_p50_ms = 6.3, .get_p99_ms = 7.8, .put_p50_ms = 10, .put_p99_ms = 19.5, .mb_per_s = 1000};
  auto environment = Environment::Default();
  RaceThreads("distant store",
              std::make_shared<LatencyBlobStore>(std::make_shared<MemoryBlobStore>(environment), environment, latency),
              Full() ? 2'000 : 80, Full() ? 10 : 2);
}

void RaceProcesses(const std::string& name, const std::shared_ptr<BlobStore>& store, const std::string& argument) {
  MustOpen(store, Racing());
  std::vector<std::unique_ptr<Peer>> writers;
  for (uint64_t w = 0; w < kWriters; ++w) {
    writers.push_back(
        std::make_unique<Peer>(std::vector{std::string("race"), argument, std::to_string(w * kKeysApart)}));
  }
  for (auto& writer : writers) writer->Expect("ready");
  auto rounds = [&](size_t count, uint64_t goal) {
    std::vector<RaceFigures> figures;
    for (size_t w = 0; w < count; ++w) writers[w]->Tell("until " + std::to_string(goal));
    for (size_t w = 0; w < count; ++w) figures.push_back(RaceFigures::Parse(writers[w]->Expect("round")));
    return figures;
  };
  Race(name, store, rounds, Full() ? 10'000 : 400, Full() ? 20 : 4);
}

TEST(EightWriters, ProcessesOverOneLocalDirectory) {
  TempDirectory directory;
  std::string path = directory.path() + "/collection";
  RaceProcesses("local", std::make_shared<LocalBlobStore>(path, Environment::Default()), StoreArgument(path));
}

TEST(EightWriters, ProcessesOverS3) {
  ISOTHERM_NEEDS_SERVERS();
  auto server = S3TestServer::Shared();
  ASSERT_TRUE(server.ok()) << server.status();
  S3Options options = (*server)->Options(UniqueName("eight"));
  auto store = OpenStoreOf(StoreArgument(options));
  ASSERT_TRUE(store.ok()) << store.status();
  RaceProcesses("S3", *store, StoreArgument(options));
}

}  // namespace
}  // namespace isotherm
