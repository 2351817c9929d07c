#include "engine/row_places.h"

namespace isotherm {

RowPlaces::RowPlaces(std::span<const SegmentInfo> inputs) {
  uint64_t rows = 0;
  for (const SegmentInfo& input : inputs) {
    first_origins_.push_back(rows);
    rows += input.rows;
  }
  places_.assign(rows, kDropped);
}

void RowPlaces::Put(uint64_t origin, uint32_t cell, uint32_t document_bytes) {
  places_[origin] = cell;
  if (document_bytes == 0) return;
  if (documents_.empty()) documents_.resize(places_.size());
  documents_[origin] = document_bytes;
}

void RowPlaces::Finish(std::vector<uint32_t> first_ordinals, std::vector<uint64_t> first_documents) {
  for (uint64_t origin = 0; origin < places_.size(); ++origin) {
    const uint32_t cell = places_[origin];
    if (cell == kDropped) continue;
    places_[origin] = first_ordinals[cell]++;
    if (documents_.empty()) continue;
    const uint64_t length = documents_[origin];
    documents_[origin] = first_documents[cell];
    first_documents[cell] += length;
  }
}

}  // namespace isotherm
