// A writer, and five readers in processes of their own that read in different ways: each sees the commits one after the
// other, none of them twice, and none of them later than its way of reading allows. E13, D7 of docs/durability.md.
#include <gtest/gtest.h>

#include <iostream>
#include <sstream>

#include "blob/local_store.h"
#include "tests/engine/commits.h"
#include "tests/engine/store_argument.h"
#include "tests/servers/s3_test_server.h"
#include "tests/writers/peer.h"
#include "tests/writers/race_round.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kCommits = 200;
constexpr int64_t kNsPerMs = 1'000'000;

struct Follower {
  std::string how;
  int64_t bound_ms = 0;
};
// A bound of 0: the newest when the read began.
const std::vector<Follower>& Followers() {
  static const std::vector<Follower> followers{
      {"strong", 0}, {"refresh", 0}, {"0", 0}, {"30", 30}, {"300", 300},
  };
  return followers;
}

struct Seen {
  uint64_t rows = 0;
  int64_t time_ns = 0;
};

std::vector<Seen> Lines(Peer& peer, const std::string& word) {
  std::vector<Seen> lines;
  while (auto line = peer.Hear()) {
    if (*line == "end") break;
    std::istringstream words(*line);
    std::string first;
    Seen seen;
    if (words >> first >> seen.rows >> seen.time_ns && first == word) {
      lines.push_back(seen);
    } else {
      ADD_FAILURE() << "a process said: " << *line;
    }
  }
  return lines;
}

void ExpectInOrderAndInTime(const Follower& follower, const std::vector<Seen>& seen, const std::vector<Seen>& commits) {
  uint64_t before = 0;
  size_t expected = 0;
  for (const Seen& read : seen) {
    EXPECT_GE(read.rows, before) << follower.how << " went back";
    before = read.rows;
    while (expected < commits.size() && commits[expected].time_ns < read.time_ns - follower.bound_ms * kNsPerMs) {
      ++expected;
    }
    const uint64_t least = expected == 0 ? 0 : commits[expected - 1].rows;
    EXPECT_GE(read.rows, least) << follower.how << ": a commit that was acknowledged before its bound is missing";
  }
  EXPECT_EQ(before, kCommits);
}

void FollowAWriter(const std::shared_ptr<BlobStore>& store, const std::string& argument) {
  MustOpen(store, Racing());
  std::vector<std::unique_ptr<Peer>> readers;
  for (const Follower& follower : Followers()) {
    readers.push_back(std::make_unique<Peer>(std::vector<std::string>{"follow", argument, follower.how}));
  }
  for (auto& reader : readers) reader->Expect("ready");
  for (auto& reader : readers) reader->Tell("until " + std::to_string(kCommits));
  Peer writer({"lead", argument, std::to_string(kCommits)});
  std::vector<Seen> commits = Lines(writer, "committed");
  ASSERT_EQ(commits.size(), kCommits);
  for (size_t r = 0; r < readers.size(); ++r) {
    std::vector<Seen> seen = Lines(*readers[r], "saw");
    ExpectInOrderAndInTime(Followers()[r], seen, commits);
    testing::Test::RecordProperty("reads_" + Followers()[r].how, static_cast<int>(seen.size()));
  }
}

TEST(FiveReaders, OfAnObjectStoreSeeThePrefixesOfTheCommitsNoneOlderThanItsBound) {
  ISOTHERM_NEEDS_SERVERS();
  auto server = S3TestServer::Shared();
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string argument = StoreArgument((*server)->Options(UniqueName("followers")));
  auto store = OpenStoreOf(argument);
  ASSERT_TRUE(store.ok()) << store.status();
  FollowAWriter(*store, argument);
}

TEST(FiveReaders, OfALocalDirectorySeeThePrefixesOfTheCommitsNoneOlderThanItsBound) {
  TempDirectory directory;
  const std::string path = directory.path() + "/collection";
  FollowAWriter(std::make_shared<LocalBlobStore>(path, Environment::Default()), StoreArgument(path));
}

}  // namespace
}  // namespace isotherm
