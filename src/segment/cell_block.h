// A cell block: everything a query needs of the rows of one cell, in one extent. Codes, factors, keys, where the raw
// vector and the document lie, and the filter columns. Flat segments are made of blocks that carry their own centroid.
//
//   header 64 B | centroid f32[d]? | scale f32[n] | norm2 f32[n] | code i8[n][d] | document length u32[n]
//   | ordinal u32[s] | document offset u64[s] | keys | filter columns | version u64[n] | expiry i64[n]
//
// n entries, of which the last s are second copies.
//
// Primary rows come first and have consecutive ordinals and documents; second copies name theirs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isotherm/row.h"
#include "isotherm/status.h"
#include "quant/residual8.h"
#include "segment/filter_columns.h"

namespace isotherm {

// Where a row's document lies, relative to its segment's documents section.
struct DocumentRef {
  uint64_t offset = 0;
  uint32_t length = 0;  // 0: the row has neither metadata nor payload
};

// What is known of a row beside its content.
struct RowAttributes {
  uint64_t version = 0;       // of the collection, whose commit wrote the row; 0: that of its segment
  int64_t expires_at_ms = 0;  // 0: never
  friend bool operator==(const RowAttributes&, const RowAttributes&) = default;
};

// One row as it goes into a block. The pointers must stay valid until EncodeCellBlock returns.
struct BlockRow {
  const Key* key = nullptr;
  const Metadata* metadata = nullptr;
  const float* vector = nullptr;  // of length one for kCosine; null: its code is at hand
  uint32_t ordinal = 0;
  DocumentRef document;
  RowAttributes attributes{};
  ResidualFactors factors{};  // with `code`, which is relative to the block's centroid
  const int8_t* code = nullptr;
};

struct BlockSchema {
  uint32_t dimension = 0;
  KeyType key_type = KeyType::kInteger;
  std::span<const std::string> filter_columns;
};

// `rows`: the `primary_rows` first ones have consecutive ordinals and documents. `own_centroid`: stores the centroid
// too.
std::string EncodeCellBlock(const BlockSchema& schema, std::span<const BlockRow> rows, uint32_t primary_rows,
                            std::span<const float> centroid, bool own_centroid);

// A view of a block whose checksum was verified; the bytes must outlive it.
class CellBlock {
 public:
  // Corruption on anything that does not fit together.
  static Result<CellBlock> Parse(std::string_view bytes, const BlockSchema& schema);

  uint32_t rows() const { return rows_; }
  uint32_t primary_rows() const { return primary_rows_; }
  std::span<const float> centroid() const { return centroid_; }  // empty: the routing object has it
  const float* scales() const { return scales_; }
  const float* norms2() const { return norms2_; }
  const int8_t* codes() const { return codes_; }
  Key key(uint32_t row) const;
  uint32_t ordinal(uint32_t row) const;
  // Of a primary row the offset is summed up from the first one's: O(row).
  DocumentRef document(uint32_t row) const;
  uint32_t document_length(uint32_t row) const;
  RowAttributes attributes(uint32_t row) const;
  bool has_expiries() const { return expiries_ != nullptr; }
  int64_t expires_at_ms(uint32_t row) const;
  const FilterColumns& columns() const { return columns_; }

 private:
  uint32_t rows_ = 0, primary_rows_ = 0, first_ordinal_ = 0;
  uint64_t first_document_ = 0;
  KeyType key_type_ = KeyType::kInteger;
  std::span<const float> centroid_;
  const float* scales_ = nullptr;
  const float* norms2_ = nullptr;
  const int8_t* codes_ = nullptr;
  const char* document_lengths_ = nullptr;  // unaligned from here on
  const char* second_ordinals_ = nullptr;
  const char* second_documents_ = nullptr;
  std::string_view key_ends_;  // u32 a row, for string keys
  std::string_view keys_;
  FilterColumns columns_;
  const char* versions_ = nullptr;  // null: all zero
  const char* expiries_ = nullptr;
};

}  // namespace isotherm
