// The answers of a search, for people and for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "isotherm/query.h"
#include "tools/commands/queries.h"
#include "tools/formats/json.h"

namespace isotherm::tool {

struct Answers {
  std::vector<SearchResult> results;  // one a query
  std::vector<std::string> filter_columns;
  int64_t open_ns = 0;
  int64_t search_ns = 0;  // of all queries
  MeterSummary cost;      // of opening and searching
  std::optional<double> recall;
  std::vector<MissingPart> missing;  // that any query is without
  size_t k = 0;
};

// The hits: in a table, cut to `width` columns (0: not cut), or where there is more metadata than the filter columns,
// one below the other.
std::string HitText(const SearchResult& result, const std::vector<std::string>& filter_columns, size_t width);
// A line a query, of at most `limit` queries.
std::string HitLines(const Answers& answers, const Queries& queries, size_t limit);
std::string SummaryText(const Answers& answers, const std::string& profile_line);
// Means over the queries.
std::string ExplainText(std::span<const SearchResult> results);
formats::Json AnswersJson(const Answers& answers, const Queries& queries, bool explain);

}  // namespace isotherm::tool
