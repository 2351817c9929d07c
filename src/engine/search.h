// Runs searches over one snapshot and the rows that wait for a commit.
#pragma once

#include <span>
#include <vector>

#include "engine/row_table.h"
#include "engine/snapshot.h"
#include "isotherm/context.h"
#include "isotherm/query.h"

namespace isotherm {

// The nearest rows of a table, for one query, already copied out of it.
struct TableHits {
  std::vector<Hit> hits;
  uint64_t compared = 0;
};
TableHits SearchTable(const RowTable& table, const SegmentSchema& schema, std::span<const float> query, size_t wanted);

// InvalidArgument, or ok.
Status CheckSearch(const SegmentSchema& schema, std::span<const float> queries, const SearchOptions& options);

// `queries`: n x dimension, checked; pending[i]: the hits of query i among rows that are in no snapshot yet.
Result<std::vector<SearchResult>> RunSearch(const ReadPath& path, const Snapshot& snapshot,
                                            std::span<const float> queries, const SearchOptions& options,
                                            std::vector<TableHits> pending, const Context& context);

}  // namespace isotherm
