// Many clients in processes of their own read and change few rows: inserts, upserts, patches, deletes, conditional
// writes, reads that ask for the newest. Some are killed, some paused, of some the swaps lose their answers or come
// late. What they were told must be what one row after the other could have told them: that is checked by porcupine,
// which is not ours. D3 and D4 of docs/durability.md.
//
// ISOTHERM_FULL=1 makes it several times as many operations.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "base/splitmix.h"
#include "blob/local_store.h"
#include "tests/base/temp_directory.h"
#include "tests/engine/commits.h"
#include "tests/engine/store_argument.h"
#include "tests/linearizability/history.h"
#include "tests/servers/s3_test_server.h"

namespace isotherm {
namespace {

using namespace testing_support;

constexpr uint64_t kKeys = 25;
constexpr uint64_t kWriters = 5;
constexpr uint64_t kReaders = 3;
constexpr uint64_t kKills = 20;

uint64_t OperationsOfEach() {
  const char* full = std::getenv("ISOTHERM_FULL");
  return full != nullptr && std::string_view(full) == "1" ? 400 : 50;
}

class LinearizabilityTest : public testing::Test {
 protected:
  void SetUp() override {
    ISOTHERM_NEEDS_SERVERS();
    ASSERT_EQ(::access(CheckerProgram().c_str(), X_OK), 0)
        << "no checker at " << CheckerProgram() << ": run scripts/test_servers.sh, name one in ISOTHERM_CHECK_HISTORY, "
        << "or set ISOTHERM_SKIP_SERVERS=1 to go without these tests";
  }

  struct Client {
    std::unique_ptr<ChildProcess> process;
    std::string log;
    uint64_t number = 0;
  };

  Client Start(const std::string& store, const std::string& role, uint64_t operations, uint64_t faults = 0) {
    Client client;
    client.number = ++clients_;
    client.log = directory_.path() + "/client" + std::to_string(client.number);
    auto process = ChildProcess::Start({ISOTHERM_CLIENT_PROCESS, store, role, std::to_string(client.number),
                                        std::to_string(operations), std::to_string(kKeys), std::to_string(faults)},
                                       client.log);
    EXPECT_TRUE(process.ok()) << process.status();
    if (process.ok()) client.process = std::move(process).value();
    return client;
  }

  void Collect(Client& client, bool killed, std::vector<HistoryLine>& history) {
    if (killed) {
      client.process->Kill();
    } else {
      EXPECT_EQ(client.process->Wait(), 0) << client.log;
    }
    AddHistoryOf(client.log, client.number, history);
  }

  void Sleep(int64_t ns) { clock_->SleepUntilNs(clock_->NowNs() + ns); }

  // Readers and writers, of which the first has an unreliable network, the second is killed and followed by another one
  // again and again, the third is paused now and then.
  std::vector<HistoryLine> Play(const std::string& store, uint64_t operations) {
    constexpr int64_t kMomentNs = 40'000'000;
    SplitMix64 random(7);
    std::vector<Client> clients;
    for (uint64_t w = 0; w < kWriters; ++w) clients.push_back(Start(store, "writer", operations, w == 0 ? 11 : 0));
    for (uint64_t r = 0; r < kReaders; ++r) clients.push_back(Start(store, "reader", 2 * operations));
    std::vector<HistoryLine> history;
    for (uint64_t kill = 0; kill < kKills; ++kill) {
      clients[2].process->Signal(SIGSTOP);
      Sleep(static_cast<int64_t>(random.Below(kMomentNs)));
      Collect(clients[1], true, history);
      clients[1] = Start(store, "writer", operations);
      clients[2].process->Signal(SIGCONT);
      Sleep(static_cast<int64_t>(random.Below(kMomentNs)));
    }
    for (Client& client : clients) Collect(client, false, history);
    return history;
  }

  void ExpectLinearizable(const std::vector<HistoryLine>& history) {
    std::string says;
    EXPECT_EQ(Check(history, directory_.path(), &says), Verdict::kLinearizable) << says;
    const auto unknown = std::count_if(history.begin(), history.end(),
                                       [](const HistoryLine& line) { return line.outcome == "unknown"; });
    std::cout << "[ figures  ] " << says << ", of " << unknown << " the outcome is not known\n";
  }

  // One more write of a key, after all else, and a read that sees what was there before it.
  void ExpectAStaleReadIsFound(const std::vector<HistoryLine>& history) {
    int64_t end = 0;
    HistoryLine old;
    for (const HistoryLine& line : history) {
      end = std::max<int64_t>({end, std::stoll(line.call), std::stoll(line.returned)});
      if (line.operation == "upsert" && line.outcome == "ok") old = line;
    }
    ASSERT_EQ(old.operation, "upsert");
    HistoryLine write = old;
    write.value = "999999999";
    write.call = write.returned = std::to_string(end + 1);
    HistoryLine read = write;
    read.operation = "read";
    read.value = "0";
    read.call = read.returned = std::to_string(end + 2);
    std::vector<HistoryLine> with_reads = history;
    with_reads.push_back(write);
    for (bool stale : {false, true}) {
      read.found = stale ? old.value : write.value;
      with_reads.push_back(read);
      std::string says;
      EXPECT_EQ(Check(with_reads, directory_.path(), &says), stale ? Verdict::kNot : Verdict::kLinearizable) << says;
      EXPECT_EQ(says.find("key " + old.key + ",") != std::string::npos, stale) << says;
    }
  }

  TempDirectory directory_;
  const std::shared_ptr<Clock> clock_ = Environment::Default()->clock;
  uint64_t clients_ = 0;
};

TEST_F(LinearizabilityTest, OfClientsOfALocalDirectoryThatAreKilledAndPaused) {
  const std::string path = directory_.path() + "/collection";
  MustOpen(std::make_shared<LocalBlobStore>(path, Environment::Default()), CreatingSmall());
  std::vector<HistoryLine> history = Play(StoreArgument(path), OperationsOfEach());
  ExpectLinearizable(history);
  ExpectAStaleReadIsFound(history);
}

TEST_F(LinearizabilityTest, OfClientsOfS3ThatAreKilledAndPaused) {
  auto server = S3TestServer::Shared();
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string argument = StoreArgument((*server)->Options(UniqueName("linearizability")));
  auto store = OpenStoreOf(argument);
  ASSERT_TRUE(store.ok()) << store.status();
  MustOpen(*store, CreatingSmall());
  std::vector<HistoryLine> history = Play(argument, OperationsOfEach());
  ExpectLinearizable(history);
  ExpectAStaleReadIsFound(history);
}

// A client that never asks for anything newer than what it opened.
TEST_F(LinearizabilityTest, AClientThatReadsFromAnOldSnapshotIsFoundOut) {
  const std::string path = directory_.path() + "/collection";
  auto store = std::make_shared<LocalBlobStore>(path, Environment::Default());
  MustOpen(store, CreatingSmall());
  std::vector<HistoryLine> history;
  Client writer = Start(StoreArgument(path), "writer", 20);
  Collect(writer, false, history);
  constexpr uint64_t kManyReads = 20'000;
  Client stale = Start(StoreArgument(path), "stale", kManyReads);
  while (std::filesystem::file_size(stale.log) == 0) Sleep(1'000'000);
  stale.process->Signal(SIGSTOP);
  Client next = Start(StoreArgument(path), "writer", 40);
  Collect(next, false, history);
  stale.process->Signal(SIGCONT);
  Collect(stale, false, history);
  std::string says;
  EXPECT_EQ(Check(history, directory_.path(), &says), Verdict::kNot) << says;
}

}  // namespace
}  // namespace isotherm
