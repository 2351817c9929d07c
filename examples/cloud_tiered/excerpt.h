// The WordNet excerpt of examples/data: definitions with their embeddings, questions, and the exact answers to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "isotherm/row.h"

namespace cloud_tiered {

struct Excerpt {
  uint32_t dimension = 0;
  std::vector<isotherm::Row> rows;  // keys are row numbers
  std::vector<std::string> questions;
  std::vector<float> question_vectors;  // questions x dimension
  size_t nearest_count = 0;
  std::vector<int64_t> nearest;  // questions x nearest_count keys, the nearest first

  std::span<const float> QuestionVector(size_t question) const {
    return std::span(question_vectors).subspan(question * dimension, dimension);
  }
  std::span<const int64_t> Nearest(size_t question, size_t k) const {
    return std::span(nearest).subspan(question * nearest_count, k);
  }
};

// Throws when a file is missing or they do not go together.
Excerpt LoadExcerpt(const std::string& folder);

}  // namespace cloud_tiered
