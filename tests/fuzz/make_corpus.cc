// Writes the inputs that fuzzing begins with: small ones of every kind, as the library itself writes them.
// Usage: make_corpus FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/coding.h"
#include "blob/memory_store.h"
#include "engine/head.h"
#include "isotherm/isotherm.h"
#include "segment/cell_block.h"
#include "segment/routing_object.h"

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
  CompactOptions cells;
  cells.min_rows_for_cells = 1;
  cells.cells = 2;
  Status status = collection.Compact(cells);
  if (!status.ok()) return status;
  status = collection.Insert(RowOf(integer ? Key(uint64_t{9}) : Key("nine")));
  if (status.ok()) status = collection.Commit();
  if (!status.ok()) return status;

  std::string head_bytes = ReadWhole(*store, kHeadObject);
  std::string routing_bytes = ReadWhole(*store, kRoutingObject);
  WriteFile(folder, "head_fuzz", name, head_bytes);
  WriteFile(folder, "routing_fuzz", name, routing_bytes);
  auto head = DecodeHead(head_bytes);
  if (!head.ok()) return head.status();
  auto routing = DecodeRouting(routing_bytes, head->segments);
  if (!routing.ok()) return routing.status();
  const SegmentInfo& segment = head->segments[0];
  std::string bytes = ReadWhole(*store, segment.name);
  WriteFile(folder, "segment_tail_fuzz", name, bytes.substr(segment.tail.offset));
  // The first byte tells dimension, type of keys and columns.
  auto schema = static_cast<char>((kDimension - 1) | (integer ? 0 : 8) | (1 << 4));
  WriteFile(folder, "cell_block_fuzz", name, schema + bytes.substr(segment.codes.offset, routing->blocks[0].length));
  return status;
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
  return 0;
}
