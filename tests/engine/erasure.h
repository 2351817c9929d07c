// Rows whose bytes can be told from all others', and looking for them in all that a collection owns.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/splitmix.h"
#include "engine/history.h"
#include "isotherm/isotherm.h"
#include "segment/key_pages.h"
#include "tests/engine/commits.h"

namespace isotherm::testing_support {

inline constexpr uint32_t kMarkedDimension = 8;

// Not to be taken for a length, an ordinal or anything else that is written as a number.
inline uint64_t MarkedKey(uint64_t n) { return SplitMix64(n ^ 0x6d61726b).Next(); }
inline std::string MarkerOf(uint64_t n) { return "marker-of-row-" + std::to_string(n) + "-"; }

// `edition`: its content; another one of the same key shares no byte that is looked for, but for the key's.
inline Row MarkedRow(uint64_t n, uint64_t edition = 0) {
  Row row{.key = MarkedKey(n), .vector = {}, .metadata = {}, .payload = "payload " + MarkerOf(n)};
  SplitMix64 random(n * 1000 + edition);
  for (uint32_t d = 0; d < kMarkedDimension; ++d) {
    row.vector.push_back(static_cast<float>(static_cast<double>(random.Next() >> 11) * 0x1p-52 - 1.0));
  }
  if (edition != 0) row.payload = "edition " + std::to_string(edition);
  row.metadata["text"] = edition == 0 ? "text " + MarkerOf(n) : "another text";
  return row;
}

inline std::vector<Row> MarkedRows(uint64_t first, uint64_t count) {
  std::vector<Row> rows;
  for (uint64_t n = first; n < first + count; ++n) rows.push_back(MarkedRow(n));
  return rows;
}

inline std::vector<Key> MarkedKeys(const std::vector<uint64_t>& numbers) {
  std::vector<Key> keys;
  for (uint64_t n : numbers) keys.emplace_back(MarkedKey(n));
  return keys;
}

inline Options CreatingMarked() {
  Options options = CreatingSmall();
  options.create = CreateOptions{kMarkedDimension, Metric::kL2, KeyType::kInteger, {"text"}};
  return options;
}

// What is found of row `n` in these bytes: its content, and with `of_key` its key too; empty: nothing.
inline std::string TraceIn(const std::string& bytes, uint64_t n, bool of_key) {
  auto has = [&](const void* wanted, size_t size) {
    return bytes.find(std::string(static_cast<const char*>(wanted), size)) != std::string::npos;
  };
  const Row row = MarkedRow(n);
  const std::string marker = MarkerOf(n);
  if (has(marker.data(), marker.size())) return "metadata or payload";
  if (has(row.vector.data(), row.vector.size() * sizeof(float))) return "vector";
  if (!of_key) return "";
  const uint64_t key = MarkedKey(n);
  const uint64_t hash = HashKey(row.key);
  if (has(&key, sizeof(key))) return "key";
  return has(&hash, sizeof(hash)) ? "hash of the key" : "";
}

inline std::vector<std::string> TracesInStore(BlobStore& store, const std::vector<uint64_t>& rows, bool of_key = true) {
  std::vector<std::string> traces;
  auto objects = ListObjects(store, "", {});
  EXPECT_TRUE(objects.ok()) << objects.status();
  if (!objects.ok()) return {"not listed"};
  for (const ListEntry& object : *objects) {
    ReadRequest request{object.name, {}, {}};
    ReadResult read = std::move(store.Read({}, {&request, 1})[0]);
    EXPECT_TRUE(read.status.ok()) << object.name << ": " << read.status;
    for (uint64_t n : rows) {
      std::string trace = TraceIn(read.data, n, of_key);
      if (!trace.empty()) traces.push_back(object.name + ": " + trace + " of row " + std::to_string(n));
    }
  }
  return traces;
}

inline std::vector<std::string> TracesInFiles(const std::string& directory, const std::vector<uint64_t>& rows) {
  std::vector<std::string> traces;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    for (uint64_t n : rows) {
      std::string trace = TraceIn(bytes, n, true);
      if (!trace.empty()) traces.push_back(entry.path().string() + ": " + trace + " of row " + std::to_string(n));
    }
  }
  return traces;
}

// Which of the rows 0 … count - 1 are there, each with its first content.
inline std::vector<uint64_t> MarkedRowsIn(Collection& collection, uint64_t count) {
  std::vector<uint64_t> there;
  for (uint64_t n = 0; n < count; ++n) {
    auto row = collection.Get(MarkedKey(n));
    if (row.status().code() == StatusCode::kNotFound) continue;
    EXPECT_TRUE(row.ok()) << row.status();
    if (!row.ok()) continue;
    row->version = 0;
    EXPECT_EQ(*row, MarkedRow(n));
    there.push_back(n);
  }
  return there;
}

inline std::vector<uint64_t> AllBut(uint64_t count, const std::vector<uint64_t>& left_out) {
  std::vector<uint64_t> rows;
  for (uint64_t n = 0; n < count; ++n) {
    if (std::find(left_out.begin(), left_out.end(), n) == left_out.end()) rows.push_back(n);
  }
  return rows;
}

}  // namespace isotherm::testing_support
