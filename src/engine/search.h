// Runs searches over one view: a snapshot and what waits for a commit.
#pragma once

#include <span>
#include <vector>

#include "engine/read_view.h"
#include "engine/snapshot.h"
#include "isotherm/context.h"
#include "isotherm/query.h"

namespace isotherm {

// InvalidArgument, or ok.
Status CheckSearch(const SegmentSchema& schema, std::span<const float> queries, const SearchOptions& options);

// `queries`: n x dimension, checked; `view`: with its rows.
Result<std::vector<SearchResult>> RunSearch(const ReadPath& path, const ReadView& view, std::span<const float> queries,
                                            const SearchOptions& options, const Context& context);

}  // namespace isotherm
