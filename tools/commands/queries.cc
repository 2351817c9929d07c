#include "tools/commands/queries.h"

#include <algorithm>
#include <random>

#include "base/macros.h"
#include "tools/formats/json.h"
#include "tools/formats/matrix_file.h"

namespace isotherm::tool {

Result<Queries> QueryFromText(const std::string& text) {
  auto json = formats::ParseJson(text);
  RETURN_IF_ERROR(json.status().WithContext("--vector"));
  auto vector = formats::FloatsFromJson(*json);
  RETURN_IF_ERROR(vector.status().WithContext("--vector"));
  if (vector->empty()) return Status::InvalidArgument("--vector is empty");
  size_t dimension = vector->size();
  return Queries{std::move(vector).value(), dimension, 0};
}

Result<Queries> QueriesFromFile(const std::string& path, std::optional<uint64_t> row) {
  ASSIGN_OR_RETURN(auto file, formats::OpenMatrixFile(path, /*as_row=*/true));
  if (file->rows() == 0) return Status::InvalidArgument(path + ": no queries in it");
  if (row && *row >= file->rows()) {
    return Status::InvalidArgument("row " + std::to_string(*row) + " of " + path + ": it has rows 0 to " +
                                   std::to_string(file->rows() - 1));
  }
  size_t first = row.value_or(0);
  ASSIGN_OR_RETURN(std::vector<float> vectors, file->ReadFloats(first, row ? 1 : file->rows()));
  return Queries{std::move(vectors), file->columns(), first};
}

Queries RandomQueries(size_t count, size_t dimension, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<float> normal;
  Queries queries{std::vector<float>(count * dimension), dimension, 0};
  for (float& component : queries.vectors) component = normal(engine);
  return queries;
}

Status CheckDimension(const Queries& queries, size_t dimension) {
  if (queries.dimension == dimension) return Status::Ok();
  return Status::InvalidArgument("query of " + std::to_string(queries.dimension) +
                                 " numbers; the collection's dimension is " + std::to_string(dimension));
}

Result<std::vector<std::vector<Key>>> TruthFromFile(const std::string& path, const Queries& queries, size_t k) {
  ASSIGN_OR_RETURN(auto file, formats::OpenMatrixFile(path));
  size_t last = queries.first_row + queries.count();
  if (file->rows() < last) {
    return Status::InvalidArgument(path + " has the truth of " + std::to_string(file->rows()) + " queries; " +
                                   std::to_string(last) + " are wanted");
  }
  ASSIGN_OR_RETURN(std::vector<int64_t> ids, file->ReadIntegers(queries.first_row, queries.count()));
  std::vector<std::vector<Key>> truth(queries.count());
  for (size_t q = 0; q < truth.size(); ++q) {
    for (size_t i = 0; i < std::min(k, file->columns()); ++i) {
      truth[q].emplace_back(static_cast<uint64_t>(ids[q * file->columns() + i]));
    }
  }
  return truth;
}

std::vector<std::vector<Key>> TruthFromResults(std::span<const SearchResult> exact) {
  std::vector<std::vector<Key>> truth;
  for (const SearchResult& result : exact) {
    truth.emplace_back();
    for (const Hit& hit : result.hits) truth.back().push_back(hit.key);
  }
  return truth;
}

double Recall(std::span<const SearchResult> found, const std::vector<std::vector<Key>>& truth) {
  uint64_t wanted = 0, hits = 0;
  for (size_t q = 0; q < truth.size(); ++q) {
    wanted += truth[q].size();
    for (const Hit& hit : found[q].hits) {
      hits += static_cast<uint64_t>(std::count(truth[q].begin(), truth[q].end(), hit.key));
    }
  }
  return wanted == 0 ? 1 : static_cast<double>(hits) / static_cast<double>(wanted);
}

}  // namespace isotherm::tool
