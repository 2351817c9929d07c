#include "segment/routing_object.h"

#include <cstring>

#include "base/coding.h"
#include "index/centroids8.h"

namespace isotherm {

namespace {

constexpr std::string_view kMagic = "ISOROUT1";
constexpr uint32_t kFormatVersion = 1;

template <typename T>
void PutArray(std::string& out, const std::vector<T>& values) {
  out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <typename T>
std::vector<T> GetArray(Decoder& in, uint64_t count) {
  std::string_view bytes = in.Raw(count * sizeof(T));
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Where each cell's block begins: blocks of a segment lie one behind the other. Fails when cells and segments don't
// match.
bool PlaceBlocks(std::span<const SegmentInfo> segments, Routing& routing) {
  uint32_t cell = 0;
  uint64_t ordinal = 0;
  for (const SegmentInfo& segment : segments) {
    if (segment.kind != SegmentKind::kCells) continue;
    if (segment.first_cell != cell || segment.cell_count > routing.cells() - cell) return false;
    if (segment.first_ordinal != ordinal) return false;
    uint64_t offset = 0;
    uint64_t entries = 0;
    for (uint32_t end = cell + segment.cell_count; cell < end; ++cell) {
      routing.offsets.push_back(segment.codes.offset + offset);
      routing.first_ordinals.push_back(static_cast<uint32_t>(ordinal));
      offset += routing.blocks[cell].length;
      ordinal += routing.blocks[cell].primary_rows;
      entries += routing.blocks[cell].rows;
    }
    if (ordinal - segment.first_ordinal != segment.rows || entries != segment.entries) return false;
    if (offset != segment.codes.length) return false;
  }
  return cell == routing.cells();
}

}  // namespace

std::string RoutingName(std::string_view sha256_hex) { return "routing-" + std::string(sha256_hex); }

std::string EncodeRouting(const Routing& routing) {
  std::string out(kMagic);
  PutFixed<uint32_t>(out, kFormatVersion);
  PutFixed<uint32_t>(out, routing.dimension);
  PutFixed<uint64_t>(out, routing.generation);
  PutFixed<uint32_t>(out, routing.default_probes);
  PutBlockInfos(out, routing.blocks);
  PutArray(out, routing.scales);
  PutArray(out, routing.codes);
  return out;
}

Result<Routing> DecodeRouting(std::string_view bytes, std::span<const SegmentInfo> segments) {
  Decoder in(bytes);
  if (in.Raw(kMagic.size()) != kMagic) return Status::Corruption("routing object: wrong magic number");
  if (auto version = in.Fixed<uint32_t>(); in.ok() && version != kFormatVersion) {
    return Status::Unsupported("routing object: format version " + std::to_string(version) + "; this build reads 1");
  }
  Routing routing;
  routing.dimension = in.Fixed<uint32_t>();
  routing.generation = in.Fixed<uint64_t>();
  routing.default_probes = in.Fixed<uint32_t>();
  routing.blocks = GetBlockInfos(in);
  routing.scales = GetArray<float>(in, routing.blocks.size());
  routing.codes = GetArray<int8_t>(in, uint64_t{routing.blocks.size()} * routing.dimension);
  if (!in.done() || routing.dimension == 0 || routing.dimension > kMaxDimension) {
    return Status::Corruption("routing object: truncated or malformed");
  }
  if (!PlaceBlocks(segments, routing)) return Status::Corruption("routing object: does not fit the head's segments");
  routing.centroids = RestoreCentroids(routing.scales, routing.codes, routing.dimension);
  return routing;
}

}  // namespace isotherm
