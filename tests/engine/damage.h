// A small collection of every layout, all that it answers, and where its extents lie: for tests that damage its
// objects.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "blob/memory_store.h"
#include "engine/head.h"
#include "isotherm/isotherm.h"
#include "tests/segment/random_rows.h"

namespace isotherm::testing_support {

enum class Layout { kInline, kFlat, kCells, kMixed };

// Opens with small caches.
Options QuietOptions();

inline constexpr uint32_t kSampleDimension = 6;

// Two segments of cells, a flat one and rows in the head, in as far as the layout has them.
struct Sample {
  std::shared_ptr<MemoryBlobStore> store;
  std::vector<Row> rows;
  std::vector<std::vector<float>> queries;
};
Sample MakeSample(Layout layout, KeyType key_type);

std::string ReadObject(BlobStore& store, const std::string& name);
void WriteObjectBytes(BlobStore& store, const std::string& name, std::string_view bytes);
std::vector<std::string> ImmutableObjects(BlobStore& store);

// Something that can be asked; an answer is a text that is equal when the answer is.
struct Question {
  std::string name;
  std::function<Result<std::string>(Collection&)> ask;
};
// Searches of every kind, Get and Contains of every key and of some that are not there, Scan.
std::vector<Question> AllQuestions(const Sample& sample);
std::vector<std::string> AnswersOf(const Sample& sample);

// Opens the collection and asks everything: each answer is the expected one, or kCorruption that names `object`.
// Returns how many were kCorruption.
size_t ExpectAnswersOrCorruption(const Sample& sample, const std::vector<std::string>& expected,
                                 const std::string& object);

// Bytes that stand under one checksum.
struct CheckedExtent {
  std::string object;
  std::string kind;  // "head", "routing", "header", "block", "vector", "document", "key page", "filter", "tail"
  uint64_t offset = 0;
  uint64_t length = 0;
};
std::vector<CheckedExtent> AllExtents(const Sample& sample);

// The first problem that names the object and a place inside of the extent; empty when there is none.
std::string ProblemNaming(const VerifyReport& report, const CheckedExtent& extent);

}  // namespace isotherm::testing_support
