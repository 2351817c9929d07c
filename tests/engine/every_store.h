// A test that runs over each store: in memory, in a local directory, on an S3 server.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "blob/local_store.h"
#include "blob/memory_store.h"
#include "blob/retry_store.h"
#include "engine/history.h"
#include "isotherm/isotherm.h"
#include "tests/base/manual_clock.h"
#include "tests/base/temp_directory.h"
#include "tests/engine/commits.h"
#include "tests/engine/mutation_model.h"
#include "tests/engine/store_argument.h"
#include "tests/servers/s3_test_server.h"

namespace isotherm::testing_support {

enum class StoreKind : uint8_t { kMemory, kLocal, kS3 };

class EveryStore : public testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override {
    if (GetParam() == StoreKind::kS3) {
      ISOTHERM_NEEDS_SERVERS();
      auto server = S3TestServer::Shared();
      ASSERT_TRUE(server.ok()) << server.status();
      server_ = *server;
    }
    options_ = CreatingSmall();
    options_.env = environment_;
    UseNewPlace();
  }

  // An empty place; Connect() gives stores for that one from now on.
  void UseNewPlace() {
    ++place_;
    memory_ = std::make_shared<MemoryBlobStore>();
    store_ = Connect();
  }

  // As another process would: nothing is shared but the place.
  std::shared_ptr<BlobStore> Connect() const {
    if (GetParam() == StoreKind::kMemory) return memory_;
    auto store = OpenStoreOf(Argument());
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *store : nullptr;
  }

  // For a program that the test starts.
  std::string Argument() const {
    std::string place = "place-" + std::to_string(place_);
    if (GetParam() == StoreKind::kLocal) return StoreArgument(directory_.path() + "/" + place);
    return StoreArgument(server_->Options(prefix_ + "/" + place));
  }

  // Options of a handle of the collection that is there.
  Options OptionsOf(uint64_t inline_bytes = 1 << 20) const {
    Options options = options_;
    options.create.reset();
    options.inline_bytes = inline_bytes;
    return options;
  }

  std::unique_ptr<Collection> Reader(uint64_t version = 0, const std::string& branch = "") const {
    Options options = OptionsOf();
    options.read_only = true;
    options.as_of_version = version;
    options.branch = branch;
    return MustOpen(Connect(), options);
  }

  int64_t NowMs() const { return clock_->WallMs(); }

  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  const std::shared_ptr<Environment> environment_ = EnvironmentWithClock(clock_);
  Options options_;  // creates the collection
  std::shared_ptr<BlobStore> store_;

 private:
  TempDirectory directory_;
  std::shared_ptr<BlobStore> memory_;
  S3TestServer* server_ = nullptr;
  const std::string prefix_ = UniqueName("behaviours");
  int place_ = 0;
};

inline std::string StoreName(const testing::TestParamInfo<StoreKind>& info) {
  static const char* const kNames[] = {"Memory", "Local", "S3"};
  return kNames[static_cast<int>(info.param)];
}

#define ISOTHERM_OVER_EVERY_STORE(suite)                                                                          \
  INSTANTIATE_TEST_SUITE_P(Stores, suite, testing::Values(StoreKind::kMemory, StoreKind::kLocal, StoreKind::kS3), \
                           StoreName)

// Where rows lie.
enum class RowPlace : uint8_t { kPending, kHead, kFlat, kPartition, kMixed };
inline constexpr RowPlace kAllPlaces[] = {RowPlace::kPending, RowPlace::kHead, RowPlace::kFlat, RowPlace::kPartition,
                                          RowPlace::kMixed};
inline const char* PlaceName(RowPlace place) {
  static const char* const kNames[] = {"pending", "head", "flat segment", "partition", "mixed"};
  return kNames[static_cast<int>(place)];
}

inline CompactOptions IntoCells(uint32_t cells = 6) {
  CompactOptions compact;
  compact.min_rows_for_cells = 1;
  compact.cells = cells;
  return compact;
}

// Writes rows so that they come to lie there; in the end the handle has nothing pending but for kPending and kMixed.
inline std::unique_ptr<Collection> Place(std::shared_ptr<BlobStore> store, Options options, RowPlace place,
                                         const std::vector<Row>& rows) {
  options.inline_bytes = place == RowPlace::kHead ? uint64_t{1} << 30 : 0;
  auto collection = MustOpen(std::move(store), options);
  if (collection == nullptr) return nullptr;
  const size_t parts = place == RowPlace::kMixed ? 3 : 1;
  for (size_t part = 0; part < parts; ++part) {
    std::vector<Row> some(rows.begin() + static_cast<ptrdiff_t>(rows.size() * part / parts),
                          rows.begin() + static_cast<ptrdiff_t>(rows.size() * (part + 1) / parts));
    Status status = some.empty() ? Status::Ok() : collection->UpsertBatch(std::move(some));
    if (place == RowPlace::kPending || part == 2) return collection;
    if (status.ok()) status = collection->Commit();
    if (status.ok() && (place == RowPlace::kPartition || (place == RowPlace::kMixed && part == 0))) {
      status = collection->Compact(IntoCells());
    }
    EXPECT_TRUE(status.ok()) << status;
  }
  return collection;
}

}  // namespace isotherm::testing_support
