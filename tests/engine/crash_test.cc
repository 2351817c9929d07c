// A writer that is killed (SIGKILL) before and after every store call of creating, committing, spilling and compacting.
// D1 and D2 of docs/durability.md, on a local directory and on S3.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "blob/local_store.h"
#include "blob/retry_store.h"
#include "tests/engine/child_writer.h"
#include "tests/engine/commits.h"

namespace isotherm {
namespace {

using namespace testing_support;

// What the dead writer left is the last acknowledged version or the one in flight, whole; a new writer goes on.
void ExpectConsistent(const std::shared_ptr<BlobStore>& store, const ChildWriter& child) {
  uint64_t asked = child.Last("asked").value_or(0);
  uint64_t acknowledged = child.Last("acknowledged").value_or(0);
  // Nothing was asked for before the creation was acknowledged.
  auto collection = Open(store, asked > 0 ? Options{} : CreatingSmall());
  ASSERT_TRUE(collection.ok()) << collection.status();
  std::vector<uint64_t> keys = ScanKeys(**collection);
  EXPECT_TRUE(keys.size() == acknowledged || keys.size() == asked)
      << keys.size() << " rows; " << acknowledged << " were acknowledged, " << asked << " asked for";
  EXPECT_EQ(keys, KeyRange(0, keys.size()));
  ExpectClean(**collection);
  uint64_t version = (*collection)->Stats().version;
  ASSERT_TRUE((*collection)->Insert(NumberedRow(keys.size())).ok());
  Status status = (*collection)->Commit();
  ASSERT_TRUE(status.ok()) << status;
  auto reader = MustOpen(store);
  EXPECT_EQ(reader->Stats().version, version + 1);
  EXPECT_EQ(ScanKeys(*reader), KeyRange(0, keys.size() + 1));
}

// `place(n)` gives a new, empty store and the child's argument for it.
struct Place {
  std::shared_ptr<BlobStore> store;
  std::string argument;
};

void KillAtEveryCall(const std::function<Place(int)>& place) {
  TempDirectory logs;
  int places = 0;
  int calls = 0;
  for (bool finished = false; !finished; ++calls) {
    for (const char* when : {"before", "after"}) {
      SCOPED_TRACE(std::string(when) + " call " + std::to_string(calls));
      Place at = place(places);
      ChildWriter child({"crash", at.argument, std::to_string(calls), when},
                        logs.path() + "/" + std::to_string(places++));
      int status = child.Wait();
      finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (!finished) {
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << child.LastLine();
      }
      ExpectConsistent(at.store, child);
      if (testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(calls, 40) << "the program makes many more calls than this";
  testing::Test::RecordProperty("store_calls", calls);
}

TEST(Crash, AtEveryCallOfALocalStoreLeavesTheLastAcknowledgedVersionOrTheOneInFlight) {
  TempDirectory directory;
  KillAtEveryCall([&](int n) {
    std::string path = directory.path() + "/" + std::to_string(n);
    return Place{std::make_shared<LocalBlobStore>(path, Environment::Default()), StoreArgument(path)};
  });
}

TEST(Crash, AtEveryCallOfS3LeavesTheLastAcknowledgedVersionOrTheOneInFlight) {
  ISOTHERM_NEEDS_SERVERS();
  auto server = S3TestServer::Shared();
  ASSERT_TRUE(server.ok()) << server.status();
  std::string prefix = UniqueName("crash");
  KillAtEveryCall([&](int n) {
    S3Options options = (*server)->Options(prefix + "/" + std::to_string(n));
    auto store = OpenS3Store(options, Environment::Default());
    EXPECT_TRUE(store.ok()) << store.status();
    return Place{std::move(store).value(), StoreArgument(options)};
  });
}

}  // namespace
}  // namespace isotherm
