// What every BlobStore must do. To run the suite on a store, link tests/blob/conformance_*_test.cc and write
//
//   INSTANTIATE_TEST_SUITE_P(Mine, BlobStoreConformance,
//                            testing::Values(StoreFactory{"mine", [] { return MakeMyStore(); }}), StoreFactoryName);
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "isotherm/blob_store.h"

namespace isotherm {

struct StoreFactory {
  std::string name;
  // A new and empty store, on the clock of the default environment; null: not to be had here, its tests are skipped.
  std::function<std::shared_ptr<BlobStore>()> make_store;
  int race_rounds = 50;
  // The store may answer a read that races a put with the new bytes and the old etag. (A conditional put with that etag
  // fails, so no update is lost; the other way round, one would be.)
  bool etag_may_lag = false;
};

inline void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }

inline std::string StoreFactoryName(const testing::TestParamInfo<StoreFactory>& info) { return info.param.name; }

class BlobStoreConformance : public testing::TestWithParam<StoreFactory> {
 protected:
  void SetUp() override {
    store_ = GetParam().make_store();
    ASSERT_FALSE(HasFailure()) << "no store " << GetParam().name;
    if (store_ == nullptr) GTEST_SKIP() << "there is no store " << GetParam().name << " on this machine";
  }

  ReadResult ReadOne(ReadRequest request, const Context& context = {}) {
    std::vector<ReadResult> results = store_->Read(context, {&request, 1});
    EXPECT_EQ(results.size(), 1u);
    return std::move(results.at(0));
  }
  ReadResult ReadWhole(const std::string& name) { return ReadOne({.name = name, .range = {}, .if_match = {}}); }
  ReadResult ReadRange(const std::string& name, uint64_t offset, uint64_t length) {
    return ReadOne({.name = name, .range = ByteRange{offset, length}, .if_match = {}});
  }
  StatusCode CodeOfRead(const std::string& name) { return ReadWhole(name).status.code(); }

  // The etag; fails the test on an error.
  std::string MustPut(const std::string& name, std::string_view bytes, const PutCondition& condition = {}) {
    Result<std::string> etag = store_->Put({}, name, bytes, condition);
    EXPECT_TRUE(etag.ok()) << name << ": " << etag.status();
    return etag.ok() ? *etag : std::string();
  }
  StatusCode CodeOfPut(const std::string& name, std::string_view bytes, const PutCondition& condition) {
    return store_->Put({}, name, bytes, condition).status().code();
  }

  std::vector<std::string> ListNames(std::string_view prefix = {}, std::string_view start_after = {}) {
    Result<ListPage> page = store_->List({}, prefix, start_after, 1000);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> names;
    if (page.ok()) {
      for (const ListEntry& entry : page->entries) names.push_back(entry.name);
    }
    return names;
  }

  std::shared_ptr<BlobStore> store_;
};

// The same bytes for the same seed, without a pattern.
std::string RandomBytes(size_t n, uint64_t seed);

// Valid in every store, and each hard for some.
std::vector<std::string> UnusualNames();
// Valid in no store.
std::vector<std::string> InvalidNames();

}  // namespace isotherm
