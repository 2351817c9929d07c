// Where the rows of a compaction's inputs will lie. Rows are known by their origin: their number through all inputs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "segment/segment_info.h"

namespace isotherm {

// First each row gets a cell, in ascending order of origins within each cell; then, when the cells' sizes are known,
// Finish turns that into ordinals and places of documents.
class RowPlaces {
 public:
  static constexpr uint32_t kDropped = UINT32_MAX;  // the row is not taken over

  explicit RowPlaces(std::span<const SegmentInfo> inputs);

  uint64_t rows() const { return places_.size(); }
  // The origin of input i's first row.
  uint64_t first_origin(size_t input) const { return first_origins_[input]; }

  void Put(uint64_t origin, uint32_t cell, uint32_t document_bytes);
  // kDropped before Put.
  uint32_t cell(uint64_t origin) const { return places_[origin]; }
  void Move(uint64_t origin, uint32_t cell) { places_[origin] = cell; }

  // first_ordinals[c], first_documents[c]: of the first row of cell c; afterwards of the row behind its last one.
  void Finish(std::vector<uint32_t> first_ordinals, std::vector<uint64_t> first_documents);
  // After Finish; kDropped for a row that is not taken over.
  uint32_t ordinal(uint64_t origin) const { return places_[origin]; }
  // Of the row's document, in the documents section of its segment.
  uint64_t document(uint64_t origin) const { return documents_.empty() ? 0 : documents_[origin]; }

  uint64_t memory_bytes() const { return places_.size() * sizeof(places_[0]) + documents_.size() * sizeof(uint64_t); }

 private:
  std::vector<uint64_t> first_origins_;
  std::vector<uint32_t> places_;     // the cell; after Finish the ordinal
  std::vector<uint64_t> documents_;  // its length; after Finish its offset. Empty as long as no row has one
};

}  // namespace isotherm
