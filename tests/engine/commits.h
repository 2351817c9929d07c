// What tests of commits share: what a store holds, and the history of its heads.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/head.h"
#include "isotherm/isotherm.h"
#include "tests/engine/forwarding_store.h"
#include "tests/engine/numbered_rows.h"

namespace isotherm::testing_support {

inline std::unique_ptr<Collection> MustOpen(std::shared_ptr<BlobStore> store, const Options& options = {}) {
  auto collection = Open(std::move(store), options);
  EXPECT_TRUE(collection.ok()) << collection.status();
  return collection.ok() ? std::move(collection).value() : nullptr;
}

// Keys in order; each row is held against NumberedRow of its key.
inline std::vector<uint64_t> ScanKeys(Collection& collection) {
  std::vector<uint64_t> keys;
  Status scanned = collection.Scan([&](Row row) {
    EXPECT_EQ(row, NumberedRow(row.key.number()));
    keys.push_back(row.key.number());
    return Status::Ok();
  });
  EXPECT_TRUE(scanned.ok()) << scanned;
  return keys;
}

inline std::vector<uint64_t> KeyRange(uint64_t first, uint64_t count) {
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; i < count; ++i) keys.push_back(first + i);
  return keys;
}

// A place in a store that outlives the test.
inline std::string UniqueName(const std::string& prefix) {
  return prefix + "-" + NonceHex(MakeNonce(*Environment::Default()->random));
}

inline void ExpectClean(Collection& collection) {
  auto report = collection.Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->problems.empty()) << report->problems.front();
}

inline std::vector<std::string> ObjectNames(BlobStore& store) {
  std::vector<std::string> names;
  auto page = store.List({}, "");
  EXPECT_TRUE(page.ok()) << page.status();
  for (const ListEntry& entry : page->entries) names.push_back(entry.name);
  return names;
}

inline size_t CountObjects(BlobStore& store, std::string_view prefix) {
  auto names = ObjectNames(store);
  return static_cast<size_t>(
      std::count_if(names.begin(), names.end(), [&](const std::string& n) { return n.starts_with(prefix); }));
}

// Remembers each head that was put through it; put it below all that loses answers.
class HeadHistory : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition = {}) override {
    auto etag = store_->Put(context, name, bytes, condition);
    if (etag.ok() && name == kHeadObject) {
      auto head = DecodeHead(bytes);
      EXPECT_TRUE(head.ok()) << head.status();
      std::lock_guard lock(mutex_);
      heads_.emplace(head->version, std::move(head).value());
    }
    return etag;
  }

  uint64_t newest() const {
    std::lock_guard lock(mutex_);
    return heads_.empty() ? 0 : heads_.rbegin()->first;
  }

  // Versions 1, 2, 3, … each written once, time never going back, and no row or segment lost but by compaction.
  void ExpectUnbroken() const {
    std::lock_guard lock(mutex_);
    uint64_t expected = 1;
    int64_t commit_ms = 0;
    for (const auto& [version, head] : heads_) {
      EXPECT_EQ(version, expected++);
      EXPECT_EQ(heads_.count(version), 1U) << "two heads have this version";
      EXPECT_GE(head.commit_ms, commit_ms);
      commit_ms = head.commit_ms;
    }
  }

 private:
  mutable std::mutex mutex_;
  std::multimap<uint64_t, Head> heads_;
};

}  // namespace isotherm::testing_support
