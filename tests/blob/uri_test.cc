#include "blob/uri.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "tests/base/temp_directory.h"

namespace isotherm {

namespace {

using testing::HasSubstr;

Status Put(BlobStore& store, std::string_view name) { return store.Put({}, name, "content").status(); }

StatusCode CodeOfRead(BlobStore& store, const std::string& name) {
  ReadRequest request{.name = name, .range = {}, .if_match = {}};
  return store.Read({}, {&request, 1}).at(0).status.code();
}

std::shared_ptr<BlobStore> MustOpen(std::string_view uri, const StoreOptions& options = {}) {
  Result<std::shared_ptr<BlobStore>> store = OpenStore(uri, Environment::Default(), options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *store : nullptr;
}

}  // namespace

TEST(StoreUriTest, TakesAnS3AddressApart) {
  Result<StoreUri> uri = ParseStoreUri("s3://my-bucket/a%20b/c/?endpoint=http://127.0.0.1:9000&region=eu%2Dwest-1");
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_EQ(uri->scheme, "s3");
  EXPECT_EQ(uri->bucket, "my-bucket");
  EXPECT_EQ(uri->path, "a b/c");
  EXPECT_THAT(uri->options, testing::ElementsAre(testing::Pair("endpoint", "http://127.0.0.1:9000"),
                                                 testing::Pair("region", "eu-west-1")));
  EXPECT_EQ(ParseStoreUri("S3://bucket")->path, "");
  EXPECT_EQ(ParseStoreUri("s3://bucket/")->bucket, "bucket");
}

TEST(StoreUriTest, APathWithoutASchemeIsTakenAsItStands) {
  for (const char* path : {"x", "./x", "../x y", "/abs/%20?a=b", "dir/with:colon", "./s3://x", "1:2", ":x"}) {
    Result<StoreUri> uri = ParseStoreUri(path);
    ASSERT_TRUE(uri.ok()) << uri.status();
    EXPECT_EQ(uri->scheme, "file");
    EXPECT_EQ(uri->path, path);
    EXPECT_TRUE(uri->options.empty());
  }
  EXPECT_EQ(ParseStoreUri("file:///abs/a%20b%3F")->path, "/abs/a b?");
}

TEST(StoreUriTest, SaysWhatIsWrongWithAnAddress) {
  struct Case {
    const char* uri;
    const char* reason;
  };
  for (const auto& [uri, reason] : {
           Case{"", "empty"},
           Case{"gs://bucket", "scheme \"gs\""},
           Case{"http://host/x", "scheme \"http\""},
           Case{"s3://", "bucket is missing"},
           Case{"s3:///prefix", "bucket is missing"},
           Case{"s3://bucket/a/../b", "\"..\""},
           Case{"s3://bucket/%2", "%2 is no"},
           Case{"s3://bucket/%zz", "%zz is no"},
           Case{"s3://bucket?region", "\"region\""},
           Case{"s3://bucket?region=a&region=b", "\"region\" is given twice"},
           Case{"s3://bucket?secret=x", "option \"secret\""},
           Case{"s3://bucket?addressing=dns", "addressing=dns"},
           Case{"file://relative", "file:///absolute/path"},
           Case{"file:///x%00", "zero byte"},
           Case{"file:///x?mode=rw", "option \"mode\""},
           Case{"memory:?size=1", "option \"size\""},
           Case{"memory://x", "begins"},
           Case{"memory:name", "memory_stores"},
       }) {
    Result<std::shared_ptr<BlobStore>> store = OpenStore(uri, Environment::Default());
    EXPECT_EQ(store.status().code(), StatusCode::kInvalidArgument) << uri;
    EXPECT_THAT(store.status().message(), HasSubstr(reason)) << uri;
    EXPECT_THAT(store.status().message(), HasSubstr(uri));
  }
}

TEST(OpenStoreTest, MemoryIsNewEachTimeUnlessItHasAName) {
  auto first = MustOpen("memory:");
  auto second = MustOpen("memory:");
  ASSERT_TRUE(Put(*first, "object").ok());
  EXPECT_EQ(CodeOfRead(*second, "object"), StatusCode::kNotFound);

  StoreOptions options{std::make_shared<NamedMemoryStores>()};
  ASSERT_TRUE(Put(*MustOpen("memory:shared", options), "object").ok());
  EXPECT_EQ(CodeOfRead(*MustOpen("memory:shared", options), "object"), StatusCode::kOk);
  EXPECT_EQ(CodeOfRead(*MustOpen("memory:other", options), "object"), StatusCode::kNotFound);
  StoreOptions others{std::make_shared<NamedMemoryStores>()};
  EXPECT_EQ(CodeOfRead(*MustOpen("memory:shared", others), "object"), StatusCode::kNotFound);
}

TEST(OpenStoreTest, AFileAddressIsADirectory) {
  TempDirectory directory;
  auto store = MustOpen("file://" + directory.path() + "/a%20b");
  ASSERT_TRUE(Put(*store, "object").ok());
  EXPECT_TRUE(std::filesystem::exists(directory.path() + "/a b/object"));
  EXPECT_EQ(CodeOfRead(*MustOpen(directory.path() + "/a b/"), "object"), StatusCode::kOk);
  EXPECT_EQ(store->Describe(), "file://" + directory.path() + "/a b");
}

TEST(OpenStoreTest, ARelativePathIsOfTheDirectoryAtTheTimeOfOpening) {
  std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(MustOpen("relative/path")->Describe(), "file://" + here + "/relative/path");
  EXPECT_EQ(MustOpen("./x/")->Describe(), "file://" + here + "/x");
}

}  // namespace isotherm
