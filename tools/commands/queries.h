// The query vectors of a command, and how good the answers to them are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "isotherm/query.h"
#include "isotherm/status.h"

namespace isotherm::tool {

struct Queries {
  std::vector<float> vectors;  // row by row
  size_t dimension = 0;
  size_t first_row = 0;  // where the first one stands in its file

  size_t count() const { return dimension == 0 ? 0 : vectors.size() / dimension; }
  std::span<const float> operator[](size_t i) const { return {vectors.data() + i * dimension, dimension}; }
};

// '[0.5, 1, …]'
Result<Queries> QueryFromText(const std::string& text);
// All vectors of a file, or the one in `row`.
Result<Queries> QueriesFromFile(const std::string& path, std::optional<uint64_t> row);
// Pseudo-random directions, for measuring where there are no real queries.
Queries RandomQueries(size_t count, size_t dimension, uint64_t seed);
// kInvalidArgument that names both numbers.
Status CheckDimension(const Queries& queries, size_t dimension);

// The true nearest keys of the same queries: rows of integers in a file, nearest first.
Result<std::vector<std::vector<Key>>> TruthFromFile(const std::string& path, const Queries& queries, size_t k);
std::vector<std::vector<Key>> TruthFromResults(std::span<const SearchResult> exact);
// The share of the true keys that were found, over all queries.
double Recall(std::span<const SearchResult> found, const std::vector<std::vector<Key>>& truth);

}  // namespace isotherm::tool
