// How large things may be. docs/limits.md says what happens beyond, and what has no limit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace isotherm {

inline constexpr uint32_t kMaxDimension = 65536;
inline constexpr float kMaxComponent = 1e16F;  // in size; its square times the dimension is a float still
inline constexpr size_t kMaxKeyBytes = 1024;
inline constexpr size_t kMaxMetadataBytes = 1 << 20;  // one row's, encoded
inline constexpr size_t kMaxFieldNameBytes = 256;
inline constexpr size_t kMaxPayloadBytes = 256 << 20;  // one row's
inline constexpr size_t kMaxFilterColumns = 64;
inline constexpr size_t kMaxBatchRows = 1 << 20;     // changes of one WriteBatch
inline constexpr size_t kMaxBatchBytes = 512 << 20;  // of their keys, vectors and payloads
inline constexpr size_t kMaxBranchNameBytes = 128;
inline constexpr size_t kMaxObjectNameBytes = 1024;
inline constexpr size_t kMaxWriters = 65536;                 // handles that committed within an hour
inline constexpr uint64_t kMaxSegmentRows = UINT32_MAX - 1;  // of a flat segment; of the partition as a whole

}  // namespace isotherm
