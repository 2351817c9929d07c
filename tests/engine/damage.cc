#include "tests/engine/damage.h"

#include <algorithm>
#include <charconv>

#include "base/coding.h"
#include "segment/key_pages.h"
#include "segment/routing_object.h"
#include "segment/row_codec.h"

namespace isotherm::testing_support {

namespace {

void InsertAndCommit(Collection& collection, const std::vector<Row>& rows, size_t begin, size_t end) {
  std::vector<Row> some(rows.begin() + static_cast<ptrdiff_t>(begin), rows.begin() + static_cast<ptrdiff_t>(end));
  EXPECT_TRUE(collection.InsertBatch(some).ok());
  Status committed = collection.Commit();
  EXPECT_TRUE(committed.ok()) << committed;
}

void MakeCells(Collection& collection) {
  CompactOptions compact;
  compact.min_rows_for_cells = 1;
  compact.cells = 6;
  compact.max_object_bytes = 2000;  // two or three objects
  Status compacted = collection.Compact(compact);
  EXPECT_TRUE(compacted.ok()) << compacted;
}

std::string TextOf(const std::vector<Hit>& hits) {
  std::string text;
  for (const Hit& hit : hits) {
    PutRow(text, {hit.key, hit.vector, hit.metadata, hit.payload});
    PutFixed(text, hit.distance);
  }
  return text;
}

std::string TextOf(const Row& row) {
  std::string text;
  PutRow(text, row);
  return text;
}

Question SearchFor(std::string name, std::vector<float> query, SearchOptions options) {
  return {std::move(name), [query = std::move(query), options](Collection& collection) -> Result<std::string> {
            auto result = collection.Search(query, options);
            if (!result.ok()) return result.status();
            return TextOf(result->hits);
          }};
}

Question GetOf(const Key& key) {
  return {"Get", [key](Collection& collection) -> Result<std::string> {
            auto row = collection.Get(key);
            if (row.ok()) return TextOf(*row);
            if (row.status().code() == StatusCode::kNotFound) return std::string("not found");
            return row.status();
          }};
}

Result<std::string> ScanAll(Collection& collection, const ScanOptions& options) {
  std::string text;
  Status scanned = collection.Scan(
      [&](Row row) {
        text += TextOf(row);
        return Status::Ok();
      },
      options);
  if (!scanned.ok()) return scanned;
  return text;
}

}  // namespace

Options QuietOptions() {
  Options options;
  options.block_cache_bytes = 1 << 20;
  options.commit_on_close = false;
  options.background_compaction = false;
  return options;
}

Sample MakeSample(Layout layout, KeyType key_type) {
  Sample sample;
  sample.store = std::make_shared<MemoryBlobStore>();
  RandomRows random(static_cast<uint64_t>(layout) + 1, kSampleDimension, key_type);
  sample.rows = random.NextRows(48);
  for (int i = 0; i < 3; ++i) sample.queries.push_back(random.Vector());
  Options options = QuietOptions();
  options.create = CreateOptions{kSampleDimension, Metric::kL2, key_type, {"colour", "weight"}};
  if (layout == Layout::kFlat) options.inline_bytes = 0;
  auto collection = Open(sample.store, options);
  EXPECT_TRUE(collection.ok()) << collection.status();
  size_t first = layout == Layout::kMixed ? 30 : sample.rows.size();
  InsertAndCommit(**collection, sample.rows, 0, first);
  if (layout == Layout::kCells || layout == Layout::kMixed) MakeCells(**collection);
  if (layout == Layout::kMixed) {
    InsertAndCommit(**collection, sample.rows, 40, 48);  // into the head
    options.create.reset();
    options.inline_bytes = 0;
    auto spilling = Open(sample.store, options);
    EXPECT_TRUE(spilling.ok()) << spilling.status();
    InsertAndCommit(**spilling, sample.rows, 30, 38);  // into a flat segment, with those of the head
    EXPECT_TRUE((*collection)->Refresh().ok());
    InsertAndCommit(**collection, sample.rows, 38, 40);
  }
  return sample;
}

std::string ReadObject(BlobStore& store, const std::string& name) {
  ReadRequest request{name, {}, {}};
  ReadResult read = std::move(store.Read({}, {&request, 1})[0]);
  EXPECT_TRUE(read.status.ok()) << read.status;
  return read.data;
}

void WriteObjectBytes(BlobStore& store, const std::string& name, std::string_view bytes) {
  auto put = store.Put({}, name, bytes);
  EXPECT_TRUE(put.ok()) << put.status();
}

std::vector<std::string> ImmutableObjects(BlobStore& store) {
  auto head = DecodeHead(ReadObject(store, kHeadObject));
  EXPECT_TRUE(head.ok()) << head.status();
  std::vector<std::string> names;
  for (const SegmentInfo& segment : head->segments) names.push_back(segment.name);
  if (head->routing.generation != 0) names.push_back(RoutingName(head->routing.sha256_hex));
  return names;
}

std::vector<Question> AllQuestions(const Sample& sample) {
  std::vector<Question> questions;
  for (const std::vector<float>& query : sample.queries) {
    SearchOptions options;
    options.k = 7;
    options.probes = 2;
    questions.push_back(SearchFor("search", query, options));
    options.rerank = 12;
    questions.push_back(SearchFor("reranked search", query, options));
    options.include_metadata = options.include_payload = options.include_vector = true;
    questions.push_back(SearchFor("search with documents", query, options));
    options.exact = true;
    questions.push_back(SearchFor("exact search", query, options));
    options = {};
    options.k = options.probes = 1000;
    questions.push_back(SearchFor("search of everything", query, options));
  }
  std::vector<Key> keys;
  for (const Row& row : sample.rows) keys.push_back(row.key);
  bool integer = sample.rows[0].key.type() == KeyType::kInteger;
  for (uint64_t absent = 3; absent < 9; ++absent)
    keys.push_back(integer ? Key(absent) : Key("no " + std::to_string(absent)));
  for (const Key& key : keys) questions.push_back(GetOf(key));
  questions.push_back({"Contains", [keys](Collection& collection) -> Result<std::string> {
                         auto contained = collection.Contains(keys);
                         if (!contained.ok()) return contained.status();
                         std::string text;
                         for (bool there : *contained) text += there ? 'y' : 'n';
                         return text;
                       }});
  questions.push_back({"Scan", [](Collection& collection) { return ScanAll(collection, {}); }});
  questions.push_back({"Scan of keys", [](Collection& collection) {
                         return ScanAll(collection, {false, false, false, false});
                       }});
  return questions;
}

std::vector<std::string> AnswersOf(const Sample& sample) {
  std::vector<std::string> answers;
  auto collection = Open(sample.store, QuietOptions());
  EXPECT_TRUE(collection.ok()) << collection.status();
  for (const Question& question : AllQuestions(sample)) {
    auto answer = question.ask(**collection);
    EXPECT_TRUE(answer.ok()) << question.name << ": " << answer.status();
    answers.push_back(answer.ok() ? *answer : "");
  }
  return answers;
}

size_t ExpectAnswersOrCorruption(const Sample& sample, const std::vector<std::string>& expected,
                                 const std::string& object) {
  auto collection = Open(sample.store, QuietOptions());
  auto expect_corruption = [&](const std::string& what, const Status& status) {
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << what << ": " << status;
    EXPECT_NE(status.message().find(object), std::string::npos) << what << ": " << status << " names not " << object;
  };
  if (!collection.ok()) {
    expect_corruption("Open", collection.status());
    return 1;
  }
  std::vector<Question> questions = AllQuestions(sample);
  size_t corrupt = 0;
  for (size_t i = 0; i < questions.size(); ++i) {
    auto answer = questions[i].ask(**collection);
    if (answer.ok()) {
      EXPECT_TRUE(*answer == expected[i]) << questions[i].name << " gave another answer";
    } else {
      expect_corruption(questions[i].name, answer.status());
      ++corrupt;
    }
  }
  return corrupt;
}

namespace {

void AddDocuments(const SegmentInfo& info, std::string_view object, std::vector<CheckedExtent>& extents) {
  for (uint32_t page = 0; page < info.key_pages(); ++page) {
    uint64_t offset = info.keys.offset + uint64_t{page} * kKeyPageBytes;
    extents.push_back({info.name, "key page", offset, kKeyPageBytes});
    Status visited = VisitKeyPage(
        object.substr(offset, kKeyPageBytes), [&](uint64_t, std::string_view, const KeyLocation& location) {
          const DocumentRef& document = location.document;
          if (document.length == 0) return;
          extents.push_back({info.name, "document", info.documents.offset + document.offset, document.length});
        });
    EXPECT_TRUE(visited.ok()) << visited;
  }
}

}  // namespace

std::vector<CheckedExtent> AllExtents(const Sample& sample) {
  std::string head_bytes = ReadObject(*sample.store, kHeadObject);
  auto head = DecodeHead(head_bytes);
  EXPECT_TRUE(head.ok()) << head.status();
  std::vector<CheckedExtent> extents{{kHeadObject, "head", 0, head_bytes.size()}};
  std::vector<BlockInfo> cells;
  if (head->routing.generation != 0) {
    std::string name = RoutingName(head->routing.sha256_hex);
    extents.push_back({name, "routing", 0, head->routing.bytes});
    auto routing = DecodeRouting(ReadObject(*sample.store, name), head->segments);
    EXPECT_TRUE(routing.ok()) << routing.status();
    cells = routing->blocks;
  }
  for (const SegmentInfo& info : head->segments) {
    extents.push_back({info.name, "header", 0, EncodeSegmentHeader(head->schema).size()});
    std::vector<BlockInfo> blocks = info.blocks;
    if (info.kind == SegmentKind::kCells) {
      blocks.assign(cells.begin() + info.first_cell, cells.begin() + info.first_cell + info.cell_count);
    }
    uint64_t offset = info.codes.offset;
    for (const BlockInfo& block : blocks) {
      extents.push_back({info.name, "block", offset, block.length});
      offset += block.length;
    }
    for (uint32_t row = 0; row < info.rows; ++row) {
      Section vector = info.VectorOf(info.first_ordinal + row, kSampleDimension);
      extents.push_back({info.name, "vector", vector.offset, vector.length});
    }
    AddDocuments(info, ReadObject(*sample.store, info.name), extents);
    extents.push_back({info.name, "filter", info.filter.offset, info.filter.length});
    extents.push_back({info.name, "tail", info.tail.offset, info.tail.length});
  }
  return extents;
}

std::string ProblemNaming(const VerifyReport& report, const CheckedExtent& extent) {
  for (const std::string& problem : report.problems) {
    size_t name = problem.find(extent.object);
    if (name == std::string::npos) continue;
    for (size_t i = name + extent.object.size(); i < problem.size();) {
      size_t end = i;
      while (end < problem.size() && isdigit(static_cast<unsigned char>(problem[end])) != 0) ++end;
      uint64_t number = 0;
      // A name may have more digits than a number can.
      const bool is_number = std::from_chars(&problem[i], problem.data() + end, number).ec == std::errc();
      if (is_number && number >= extent.offset && number < extent.offset + extent.length) return problem;
      i = end + 1;
    }
  }
  return {};
}

}  // namespace isotherm::testing_support
