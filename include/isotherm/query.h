// What a search asks for, what it answers, and what that cost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "isotherm/metering.h"
#include "isotherm/row.h"
#include "isotherm/status.h"

namespace isotherm {

// How new the snapshot must be that a read sees. Whatever this says, a handle also sees its own changes, and what it
// committed.
struct Consistency {
  enum class Kind : uint8_t {
    kPinned,   // the handle's snapshot, as it opened, refreshed or committed it: no request
    kBounded,  // one that was the newest at most `max_age_ms` ago
    kStrong,   // the newest there is: a request before each read
  };
  Kind kind = Kind::kPinned;
  int64_t max_age_ms = 0;
  // Not 0: at least this version, such as another process's commit returned it in CollectionStats::version. kNotFound
  // when there is none so new yet.
  uint64_t at_least_version = 0;

  static Consistency Pinned() { return {}; }
  static Consistency Bounded(int64_t max_age_ms) { return {Kind::kBounded, max_age_ms, 0}; }
  static Consistency Strong() { return {Kind::kStrong, 0, 0}; }
  static Consistency AtLeast(uint64_t version) { return {Kind::kPinned, 0, version}; }
};

struct SearchOptions {
  // How many rows to return; 0 is kInvalidArgument; more than there are returns all.
  size_t k = 10;
  // How many cells to look into: the nearest ones, and with them those that lie in short gaps between them in the
  // object and are read anyway. More gives more recall and reads more. 0: what compaction found to be enough for a
  // recall of 0.95 on the collection's own rows, half as many more for queries of another kind, and 20 at least.
  size_t probes = 0;
  // The best `rerank` rows by code are measured again by their raw vectors, which costs one more wave. 0: none.
  size_t rerank = 0;
  // Compares the query with every row's raw vector: the answer is the true one. Reads the whole collection.
  bool exact = false;
  // Each of these costs one more wave (one for all).
  bool include_metadata = false;  // all of it; without, the filter columns alone
  bool include_payload = false;
  bool include_vector = false;
  // Answers also where parts of segments can't be read, and SearchResult::missing names them: damaged or lost objects,
  // a store that does not answer for them. Without, the first of them fails the search. What tells which rows are
  // deleted must be readable either way.
  bool partial = false;
  Consistency consistency{};
};

// A part of the collection that could not be read.
struct MissingPart {
  std::string object;
  uint64_t rows = 0;  // that it holds, deleted ones among them
  Status status;      // why: kCorruption, kUnavailable, kIoError or kAccessDenied
};

struct Hit {
  Key key;
  float distance = 0;  // by the collection's metric; from codes unless exact or reranked
  Metadata metadata;   // the filter columns, or all of it
  std::string payload;
  std::vector<float> vector;
};

// What one search did. Counts of the store are of requests, not of extents.
struct Explain {
  uint64_t version = 0;  // of the snapshot that was searched
  uint64_t cells = 0;    // of the collection
  uint64_t cells_probed = 0;
  uint64_t codes_evaluated = 0;  // rows compared by code; a row that lies in two probed cells counts twice
  uint64_t distances_exact = 0;  // rows compared by raw vector
  uint64_t extents_from_ram = 0;
  uint64_t extents_from_disk = 0;
  uint64_t extents_from_store = 0;
  uint64_t bytes_from_ram = 0;
  uint64_t bytes_from_disk = 0;
  MeterSummary store;  // requests, bytes and waves of this call
  double price_usd = 0;
  int64_t plan_ns = 0;    // ranking cells
  int64_t fetch_ns = 0;   // waiting for extents
  int64_t score_ns = 0;   // comparing
  int64_t rerank_ns = 0;  // raw vectors and documents
  std::string ToString() const;
};

struct SearchResult {
  std::vector<Hit> hits;  // ascending by distance, ties by key
  // What the answer is without; each part once. Empty: the answer is whole, as always without SearchOptions::partial.
  std::vector<MissingPart> missing;
  Explain explain;
};

}  // namespace isotherm
