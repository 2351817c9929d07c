#include "tools/formats/row_source.h"

#include <gtest/gtest.h>

#include "tests/tools/files.h"

namespace isotherm::formats {
namespace {

class RowSources : public FilesTest {
 protected:
  // 5 rows of dimension 2: (0, 0.5), (1, 1.5), …
  std::string Vectors() const {
    std::vector<float> numbers;
    for (int i = 0; i < 5; ++i) numbers.insert(numbers.end(), {static_cast<float>(i), static_cast<float>(i) + 0.5F});
    return Write("vectors.npy", NpyBytes("<f4", "5, 2", Bytes(numbers)));
  }

  static std::vector<Row> All(RowSource& source, size_t at_once) {
    std::vector<Row> all, some;
    do {
      Status status = source.Next(at_once, &some);
      EXPECT_TRUE(status.ok()) << status;
      all.insert(all.end(), some.begin(), some.end());
    } while (!some.empty());
    return all;
  }

  static Status Refusal(const RowSourceOptions& options) {
    auto source = OpenRowSource(options);
    if (!source.ok()) return source.status();
    std::vector<Row> rows;
    do {
      if (Status status = (*source)->Next(2, &rows); !status.ok()) return status;
    } while (!rows.empty());
    return Status::Ok();
  }
};

TEST_F(RowSources, AMatrixIsNumberedUnlessIdsAreGiven) {
  RowSourceOptions options;
  options.path = Vectors();
  options.first_key = 100;
  auto numbered = OpenRowSource(options);
  ASSERT_TRUE(numbered.ok()) << numbered.status();
  EXPECT_EQ((*numbered)->dimension(), 2U);
  EXPECT_EQ((*numbered)->total(), 5U);
  std::vector<Row> rows = All(**numbered, 2);
  ASSERT_EQ(rows.size(), 5U);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(rows[i].key, Key(100 + i));
    EXPECT_EQ(rows[i].vector, (std::vector<float>{static_cast<float>(i), static_cast<float>(i) + 0.5F}));
  }
  options.ids = Write("ids.npy", NpyBytes("<u8", "5,", Bytes(std::vector<uint64_t>{9, 8, ~uint64_t{0}, 6, 5})));
  auto named = OpenRowSource(options);
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(All(**named, 3)[2].key, Key(~uint64_t{0}));
}

TEST_F(RowSources, MetadataGoesAlongLineByLine) {
  RowSourceOptions options;
  options.path = Vectors();
  options.metadata = WriteGzip("m.jsonl.gz",
                               "{\"id\": \"a\", \"n\": 0, \"text\": \"zero\"}\n{\"id\": \"b\", \"text\": [1]}\n"
                               "{\"id\": \"c\"}\n{\"id\": \"d\"}\n{\"id\": \"e\"}\n");
  options.key_field = "id";
  options.payload_field = "text";
  auto source = OpenRowSource(options);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->key_type(), KeyType::kString);
  std::vector<Row> rows = All(**source, 2);
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0], (Row{"a", {0, 0.5F}, {{"n", int64_t{0}}}, "zero"}));
  EXPECT_EQ(rows[1], (Row{"b", {1, 1.5F}, {}, "[1]"}));
  EXPECT_EQ(rows[4].key, Key("e"));
}

TEST_F(RowSources, JsonLinesTellTheirPlaces) {
  RowSourceOptions options;
  options.path =
      Write("rows.jsonl", "{\"key\": 3, \"vector\": [1, 2]}\n\n{\"key\": 4, \"vector\": [3, 4], \"n\": 1}\n");
  auto source = OpenRowSource(options);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->dimension(), 2U);
  EXPECT_EQ((*source)->key_type(), KeyType::kInteger);
  std::vector<Row> rows;
  ASSERT_TRUE((*source)->Next(10, &rows).ok());
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1], (Row{uint64_t{4}, {3, 4}, {{"n", int64_t{1}}}, ""}));
  EXPECT_EQ((*source)->Place(0), "line 1 of " + options.path);
  EXPECT_EQ((*source)->Place(1), "line 3 of " + options.path);
  EXPECT_EQ((*source)->done(), (*source)->total());
}

TEST_F(RowSources, JsonLinesWithoutKeysAreNumbered) {
  RowSourceOptions options;
  options.path = Write("rows.jsonl", "{\"vector\": [1]}\n{\"vector\": [2]}\n");
  options.first_key = 7;
  auto source = OpenRowSource(options);
  ASSERT_TRUE(source.ok()) << source.status();
  std::vector<Row> rows = All(**source, 1);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].key, Key(uint64_t{8}));
}

TEST_F(RowSources, ALimitTakesTheFirstRows) {
  RowSourceOptions options;
  options.limit = 3;
  options.path = Vectors();
  EXPECT_EQ(All(**OpenRowSource(options), 2).size(), 3U);
  options.path = Write("rows.jsonl", "{\"vector\": [1]}\n{\"vector\": [2]}\n{\"vector\": [3]}\nno JSON\n");
  EXPECT_EQ(All(**OpenRowSource(options), 2).size(), 3U);
}

TEST_F(RowSources, AFieldTellsWhenRowsExpire) {
  RowSourceOptions beside;
  beside.path = Vectors();
  beside.metadata = Write("m.jsonl", "{\"expires_at_ms\": 5}\n{\"until\": 7}\n{}\n{}\n{}\n");
  auto plain = OpenRowSource(beside);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(All(**plain, 5)[0].metadata, (Metadata{{"expires_at_ms", int64_t{5}}}));
  beside.expiry_field = "until";
  auto named = OpenRowSource(beside);
  ASSERT_TRUE(named.ok()) << named.status();
  std::vector<Row> rows = All(**named, 2);
  EXPECT_EQ(rows[0].expires_at_ms, 0);
  EXPECT_EQ(rows[1].expires_at_ms, 7);
  EXPECT_EQ(rows[1].metadata, Metadata());
  RowSourceOptions lines;
  lines.path = Write("rows.jsonl", "{\"key\": 1, \"vector\": [1], \"expires_at_ms\": 9, \"until\": 8}\n");
  for (const auto& [field, wanted] : {std::pair<std::string, int64_t>{"", 9}, {"until", 8}}) {
    lines.expiry_field = field;
    auto source = OpenRowSource(lines);
    ASSERT_TRUE(source.ok()) << source.status();
    EXPECT_EQ(All(**source, 1)[0].expires_at_ms, wanted);
  }
}

TEST_F(RowSources, SaysWhatIsWrongAndWhere) {
  struct Case {
    RowSourceOptions options;
    std::string message;
  };
  RowSourceOptions base;
  base.path = Vectors();
  auto with = [&](auto&& change) {
    RowSourceOptions options = base;
    change(options);
    return options;
  };
  std::string four_ids = Write("four.npy", NpyBytes("<i8", "4,", Bytes(std::vector<int64_t>{1, 2, 3, 4})));
  std::string negative = Write("neg.npy", NpyBytes("<i8", "5,", Bytes(std::vector<int64_t>{1, 2, 3, -4, 5})));
  std::string short_lines = Write("short.jsonl", "{}\n{}\n{}\n");
  std::string bad_line = Write("bad.jsonl", "{}\n{}\n{]\n{}\n{}\n");
  std::string bad_expiry = Write("expiry.jsonl", "{}\n{\"until\": \"x\"}\n{}\n{}\n{}\n");
  std::string rows = Write("rows.jsonl", "{\"key\": 1, \"vector\": [1]}\n{\"vector\": [2]}\n");
  for (const Case& bad : std::vector<Case>{
           {with([&](auto& o) { o.ids = four_ids; }), "has 4 ids"},
           {with([&](auto& o) { o.ids = negative; }), "row 3 of"},
           {with([&](auto& o) { o.ids = base.path; }), "an array of integers"},
           {with([&](auto& o) { o.metadata = short_lines; }), "ends after line 3"},
           {with([&](auto& o) { o.metadata = bad_line; }), "line 3 of"},
           {with([&](auto& o) { o.key_field = "id"; }), "needs metadata"},
           {with([&](auto& o) { o.metadata = short_lines, o.key_field = "id"; }), "no field 'id'"},
           {with([&](auto& o) { o.metadata = bad_expiry, o.expiry_field = "until"; }),
            "line 2 of " + bad_expiry + ": the expiry is \"x\""},
           {with([&](auto& o) { o.limit = 0; }), "no rows"},
           {with([&](auto& o) { o.path = rows; }), "line 2 of " + rows + ": no key in the field 'key'"},
           {with([&](auto& o) { o.path = rows, o.ids = four_ids; }), "JSON lines bring keys"},
           {with([&](auto& o) { o.path = short_lines; }),
            "line 1 of " + short_lines + ": no vector in the field 'vector'"},
           {with([&](auto& o) { o.path = Write("empty.jsonl", "\n\n"); }), "no rows"},
       }) {
    Status status = Refusal(bad.options);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << bad.message;
    EXPECT_NE(status.message().find(bad.message), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace isotherm::formats
