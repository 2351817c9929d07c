// Writes the inputs that fuzzing begins with: small ones of every kind, as the library itself writes them.
// Usage: make_corpus FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"
#include "blob/memory_store.h"
#include "cache/hint_table.h"
#include "cache/slab_file.h"
#include "engine/build_record.h"
#include "engine/history.h"
#include "isotherm/isotherm.h"
#include "segment/cell_block.h"
#include "segment/key_pages.h"
#include "segment/routing_object.h"
#include "segment/row_codec.h"
#include "tools/formats/npy.h"

namespace isotherm {
namespace {

constexpr uint32_t kDimension = 2;

Row RowOf(Key key) {
  Row row;
  row.key = std::move(key);
  row.vector = {0.5F, -1};
  row.metadata = {
      {"a", Value(true)}, {"b", Value(int64_t{-7})}, {"c", Value(Value::Array{Value(0.5), Value("x"), Value()})}};
  row.payload = "p";
  return row;
}

void WriteFile(const std::filesystem::path& folder, const char* target, const std::string& name,
               const std::string& bytes) {
  std::filesystem::create_directories(folder / target);
  std::ofstream(folder / target / name, std::ios::binary) << bytes;
}

std::string ReadWhole(BlobStore& store, const std::string& name) {
  ReadRequest request{name, {}, {}};
  return std::move(store.Read({}, {&request, 1})[0].data);
}

Status WriteObjects(const std::filesystem::path& folder, KeyType type) {
  auto store = std::make_shared<MemoryBlobStore>();
  Options options;
  options.create = CreateOptions{kDimension, Metric::kCosine, type, {"a"}};
  auto opened = Open(store, options);
  if (!opened.ok()) return opened.status();
  Collection& collection = **opened;
  bool integer = type == KeyType::kInteger;
  std::string name = integer ? "integer" : "text";
  for (uint64_t i = 0; i < 4; ++i) {
    Status inserted = collection.Insert(RowOf(integer ? Key(i) : Key("key " + std::to_string(i))));
    if (!inserted.ok()) return inserted;
  }
  Row expiring = RowOf(integer ? Key(uint64_t{7}) : Key("seven"));
  expiring.expires_at_ms = 4'000'000'000'000;
  Status inserted = collection.Insert(expiring);
  if (!inserted.ok()) return inserted;
  CompactOptions cells;
  cells.min_rows_for_cells = 1;
  cells.cells = 2;
  Status status = collection.Compact(cells);
  if (!status.ok()) return status;
  status = collection.Insert(RowOf(integer ? Key(uint64_t{9}) : Key("nine")));
  if (status.ok()) status = collection.Delete(integer ? Key(uint64_t{1}) : Key("key 1"));
  if (status.ok()) status = collection.SoftDelete(integer ? Key(uint64_t{2}) : Key("key 2"));
  if (status.ok()) status = collection.Commit();
  if (!status.ok()) return status;

  std::string head_bytes = ReadWhole(*store, kHeadObject);
  std::string routing_bytes = ReadWhole(*store, kRoutingObject);
  WriteFile(folder, "head_fuzz", name, head_bytes);
  WriteFile(folder, "routing_fuzz", name, routing_bytes);
  auto head = DecodeHead(head_bytes);
  if (!head.ok()) return head.status();
  Head erased = *head;
  erased.erasure = {2, 1, {3, 4}};
  WriteFile(folder, "head_fuzz", name + "-erased", EncodeHead(erased));
  auto routing = DecodeRouting(routing_bytes, head->segments);
  if (!routing.ok()) return routing.status();
  const SegmentInfo& segment = head->segments[0];
  std::string bytes = ReadWhole(*store, segment.name);
  WriteFile(folder, "segment_tail_fuzz", name, bytes.substr(segment.tail.offset));
  // The first byte tells dimension, type of keys and columns.
  auto schema = static_cast<char>((kDimension - 1) | (integer ? 0 : 8) | (1 << 4));
  WriteFile(folder, "cell_block_fuzz", name, schema + bytes.substr(segment.codes.offset, routing->blocks[0].length));
  WriteFile(folder, "key_pages_fuzz", name, bytes.substr(segment.keys.offset, kKeyPageBytes));
  WriteFile(folder, "row_codec_fuzz", name + "-document", schema + EncodeDocument(RowOf(Key(uint64_t{1}))));
  std::string row;
  PutRow(row, head->inline_rows.at(0).row);
  WriteFile(folder, "row_codec_fuzz", name + "-row", schema + row);
  DeletionMap deletions = ApplyDeltas({}, head->deletion_deltas, head->segments);
  std::string changes;
  PutDeletionDeltas(changes, head->deletion_deltas);
  WriteFile(folder, "deletions_fuzz", name + "-changes", changes);
  WriteFile(folder, "deletions_fuzz", name + "-object", EncodeDeletions(deletions, head->segments));
  return status;
}

// A set with a container of every kind.
void WriteSets(const std::filesystem::path& folder) {
  OrdinalSet set;
  for (uint32_t i = 0; i < 20; ++i) set.Add(i * i);
  for (uint32_t i = 0; i < 300; ++i) set.Add(70'000 + i);
  WriteFile(folder, "deletions_fuzz", "set", set.Encode());
  for (uint32_t i = 0; i < 5000; ++i) set.Add(140'000 + i * 3);
  WriteFile(folder, "deletions_fuzz", "large-set", set.Encode());
}

void WriteHistory(const std::filesystem::path& folder) {
  WriteFile(folder, "history_fuzz", "lease", EncodeLease({"trial", 7, 1'700'000'000'000}));
  WriteFile(folder, "history_fuzz", "version", VersionObjectName("", 7, 1'700'000'000'000));
  WriteFile(folder, "history_fuzz", "head", BranchPrefix("trial") + kHeadObject);
  WriteFile(folder, "history_fuzz", "object", NewObjectName("segment", 3, *Environment::Default()->random));
}

void WriteBuildRecords(const std::filesystem::path& folder) {
  BuildRecord record;
  record.collection = {1, 2};
  record.builds = {{3, 4}, {5, 6}};
  record.inputs.resize(2);
  record.inputs[0].name = "segment-a";
  record.inputs[1].name = "segment-b";
  record.inputs[1].dropped.Add(7);
  record.dimension = kDimension;
  BuildRecord kept = record;
  kept.routing_sha256_hex = std::string(64, 'a');
  WriteFile(folder, "build_record_fuzz", "kept", EncodeBuildRecord(kept));
  record.scales = {0.5F};
  record.codes = {1, -2};
  record.query_origins = {8};
  record.queries = {0.25F, -1};
  WriteFile(folder, "build_record_fuzz", "trained", EncodeBuildRecord(record));
}

void WriteCacheFiles(const std::filesystem::path& folder) {
  std::vector<SlabEntry> entries{{{1, 2}, 5, Crc32c("bytes")}, {{3, 4}, 0, 0}};
  std::string slab = EncodeSlabFileHeader() + EncodeSlabEntryHeader(entries[0]) + "bytes";
  WriteFile(folder, "cache_files_fuzz", "open", slab);
  slab += EncodeSlabEntryHeader(entries[1]);
  WriteFile(folder, "cache_files_fuzz", "sealed", slab + EncodeSlabFooter(entries));
  HintTable hints(4096);
  hints.Put("routing of a collection", std::string(64, 'a'));
  hints.Put("another", "");
  WriteFile(folder, "cache_files_fuzz", "hints", hints.Encode());
}

void WriteStoreAnswers(const std::filesystem::path& folder) {
  WriteFile(
      folder, "store_answer_fuzz", "list",
      "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>true"
      "</IsTruncated><Contents><Key>a&amp;b</Key><Size>12</Size></Contents><NextContinuationToken>t"
      "</NextContinuationToken></ListBucketResult>");
  WriteFile(folder, "store_answer_fuzz", "error",
            "<Error><Code>NoSuchKey</Code><Message><![CDATA[none]]></Message><RequestId>7</RequestId></Error>");
  WriteFile(folder, "store_answer_fuzz", "upload",
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>");
  WriteFile(folder, "store_answer_fuzz", "s3", "s3://bucket/a%20prefix?endpoint=http://127.0.0.1:9000&region=r");
  WriteFile(folder, "store_answer_fuzz", "file", "file:///a/b%2Fc");
}

void WriteMatrices(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "matrix_input_fuzz");
  const float floats[] = {0.5F, -1, 2, 3e10F, 0, 1};
  const int64_t integers[] = {-1, 5};
  Status written = formats::WriteNpy(folder / "matrix_input_fuzz" / "floats", std::span(floats), 3);
  if (written.ok()) written = formats::WriteNpy(folder / "matrix_input_fuzz" / "integers", std::span(integers), 1);
  if (!written.ok()) std::fprintf(stderr, "%s\n", written.ToString().c_str());
  std::string vecs;
  for (float value : {1.5F, -2.0F}) {
    PutFixed<uint32_t>(vecs, 1);
    PutFixed(vecs, value);
  }
  WriteFile(folder, "matrix_input_fuzz", "vecs", vecs);
  WriteFile(folder, "matrix_input_fuzz", "time", "2026-03-01T13:30:00.25+01:00");
  WriteFile(folder, "matrix_input_fuzz", "base64", "aGVsbG8=");
}

void WriteJson(const std::filesystem::path& folder) {
  WriteFile(folder, "json_input_fuzz", "row",
            R"({"key": 7, "vector": [0.5, -1e-3], "metadata": {"a": {"b": [1, "x", null]}}, "payload": "é"})");
  WriteFile(folder, "json_input_fuzz", "flat",
            R"({"key": "k", "vector": [], "colour": "red", "deep": [[1], {"n": true}], "payload_base64": "/w=="})");
}

}  // namespace
}  // namespace isotherm

int main(int argc, char** argv) {
  using namespace isotherm;
  if (argc != 2) {
    std::fputs("usage: make_corpus FOLDER\n", stderr);
    return 2;
  }
  std::filesystem::path folder = argv[1];
  for (KeyType type : {KeyType::kInteger, KeyType::kString}) {
    Status status = WriteObjects(folder, type);
    if (!status.ok()) {
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
      return 1;
    }
  }
  WriteJson(folder);
  WriteSets(folder);
  WriteHistory(folder);
  WriteBuildRecords(folder);
  WriteCacheFiles(folder);
  WriteStoreAnswers(folder);
  WriteMatrices(folder);
  return 0;
}
