// A store whose every request a test sees, and the caches above it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "base/splitmix.h"
#include "cache/extent_cache.h"
#include "tests/cache/fake_environment.h"

namespace isotherm::test {

// Objects never change once a test has put them; reads of any number of threads.
class ScriptedStore : public BlobStore {
 public:
  // Called for every request, in its thread, before and after it is answered.
  std::function<void(const ReadRequest&)> before;
  std::function<void(const ReadRequest&, ReadResult&)> after;
  bool too_few_answers = false;
  std::map<std::string, std::string> objects;

  std::vector<ReadResult> Read(const Context&, std::span<const ReadRequest> requests) override {
    ++waves_;
    std::vector<ReadResult> results;
    for (const ReadRequest& request : requests) {
      ++requests_;
      if (before) before(request);
      ReadResult& result = results.emplace_back();
      Answer(request, result);
      if (after) after(request, result);
      bytes_ += result.data.size();
    }
    if (too_few_answers) results.pop_back();
    return results;
  }
  Result<std::string> Put(const Context&, std::string_view, std::string_view, const PutCondition&) override {
    return Status::Unsupported("reads only");
  }
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context&, std::string_view) override {
    return Status::Unsupported("reads only");
  }
  Status Delete(const Context&, std::string_view) override { return Status::Unsupported("reads only"); }
  Result<ListPage> List(const Context&, std::string_view, std::string_view, size_t) override {
    return Status::Unsupported("reads only");
  }
  std::string Describe() const override { return "scripted:"; }

  uint64_t requests() const { return requests_; }
  uint64_t waves() const { return waves_; }
  uint64_t bytes() const { return bytes_; }

 private:
  void Answer(const ReadRequest& request, ReadResult& result) const {
    auto object = objects.find(request.name);
    if (object == objects.end()) {
      result.status = Status::NotFound("no object " + request.name);
    } else if (request.range->offset >= object->second.size()) {
      result.status = Status::InvalidArgument("range begins past the end");
    } else {
      result.data = object->second.substr(request.range->offset, request.range->length);
      result.object_size = object->second.size();
    }
  }

  std::atomic<uint64_t> requests_{0};
  std::atomic<uint64_t> waves_{0};
  std::atomic<uint64_t> bytes_{0};
};

inline std::string RandomBytes(uint64_t seed, size_t size) {
  SplitMix64 random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  return bytes;
}

class ExtentCacheTest : public testing::Test {
 protected:
  static constexpr uint64_t kObjectBytes = 100'000;

  ExtentCacheTest() {
    for (uint64_t i = 0; i < 3; ++i) store_->objects["object" + std::to_string(i)] = RandomBytes(i, kObjectBytes);
    Restart();
  }

  // A new process: nothing in RAM, what was written still on disk.
  void Restart(uint64_t ram_bytes = 16 << 20, uint64_t disk_bytes = 64 << 20) {
    cache_ = nullptr;
    disk_ = nullptr;
    auto opened = DiskCache::Open({.directory = "cache", .capacity_bytes = disk_bytes}, env_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    disk_ = std::move(*opened);
    ram_ = std::make_shared<BlockCache>(BlockCacheOptions{.capacity_bytes = ram_bytes});
    cache_ = std::make_unique<ExtentCache>(store_, ram_, disk_, env_, "scope");
  }

  Extent Make(const std::string& object, uint64_t offset, uint32_t length) const {
    return {object, offset, length, Crc32c(std::string_view(store_->objects.at(object)).substr(offset, length))};
  }

  std::vector<FetchedExtent> Fetch(const std::vector<Extent>& extents,
                                   const FetchOptions& options = {.max_gap_bytes = 0}, const Context& context = {}) {
    counts_ = {};
    std::vector<FetchedExtent> fetched = cache_->Fetch(context, extents, options, &counts_);
    EXPECT_EQ(fetched.size(), extents.size());
    for (size_t i = 0; i < extents.size(); ++i) {
      if (fetched[i].status.ok()) ExpectRight(extents[i], fetched[i]);
    }
    return fetched;
  }

  void FetchOk(const std::vector<Extent>& extents, const FetchOptions& options = {.max_gap_bytes = 0}) {
    for (const FetchedExtent& fetched : Fetch(extents, options)) EXPECT_TRUE(fetched.status.ok()) << fetched.status;
  }

  void ExpectRight(const Extent& extent, const FetchedExtent& fetched) const {
    ASSERT_TRUE(fetched.block.valid());
    EXPECT_EQ(fetched.block.bytes(),
              std::string_view(store_->objects.at(extent.object)).substr(extent.offset, extent.length));
  }

  Contents Files() const { return ReadDirectory(*fake_.files, "cache"); }
  void CloseAndSetFiles(const Contents& contents) {
    cache_ = nullptr;
    disk_ = nullptr;
    WriteDirectory(*fake_.files, "cache", contents);
  }

  FakeEnvironment fake_;
  std::shared_ptr<Environment> env_ = fake_.WithThreads(2);
  std::shared_ptr<ScriptedStore> store_ = std::make_shared<ScriptedStore>();
  std::shared_ptr<BlockCache> ram_;
  std::shared_ptr<DiskCache> disk_;
  std::unique_ptr<ExtentCache> cache_;
  FetchCounts counts_;  // of the last Fetch
};

}  // namespace isotherm::test
