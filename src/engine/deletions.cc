#include "engine/deletions.h"

#include "base/macros.h"
#include "isotherm/blob_store.h"

namespace isotherm {

namespace {

constexpr std::string_view kMagic = "ISODELS1";
constexpr uint32_t kFormatVersion = 1;

bool Fits(const OrdinalSet& set, const SegmentInfo& segment) {
  bool fits = true;
  set.ForEach([&](uint32_t ordinal) {
    fits = fits && ordinal >= segment.first_ordinal && ordinal - segment.first_ordinal < segment.rows;
  });
  return fits;
}

OrdinalSet GetSet(Decoder& in) {
  auto set = OrdinalSet::Decode(in.Bytes());
  if (set.ok()) return std::move(set).value();
  in.Fail();
  return {};
}

const SegmentDeletions& Of(const DeletionMap& map, const std::string& name) {
  static const SegmentDeletions none;
  auto found = map.find(name);
  return found == map.end() ? none : found->second;
}

OrdinalSet Difference(OrdinalSet a, const OrdinalSet& b) {
  a -= b;
  return a;
}

}  // namespace

void PutDeletionDeltas(std::string& out, const std::vector<DeletionDelta>& deltas) {
  PutFixed<uint32_t>(out, static_cast<uint32_t>(deltas.size()));
  for (const DeletionDelta& delta : deltas) {
    PutFixed<uint32_t>(out, delta.segment);
    PutBytes(out, delta.hard.Encode());
    PutBytes(out, delta.soft.Encode());
  }
}

std::vector<DeletionDelta> GetDeletionDeltas(Decoder& in, std::span<const SegmentInfo> segments) {
  std::vector<DeletionDelta> deltas;
  auto count = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    DeletionDelta delta;
    delta.segment = in.Fixed<uint32_t>();
    delta.hard = GetSet(in);
    delta.soft = GetSet(in);
    if (!in.ok()) break;
    if (delta.segment >= segments.size() || (!deltas.empty() && delta.segment <= deltas.back().segment)) {
      in.Fail();
      break;
    }
    const SegmentInfo& segment = segments[delta.segment];
    if (!Fits(delta.hard, segment) || !Fits(delta.soft, segment)) in.Fail();
    deltas.push_back(std::move(delta));
  }
  return deltas;
}

std::string EncodeDeletions(const DeletionMap& deletions, std::span<const SegmentInfo> segments) {
  std::string body;
  uint32_t count = 0;
  for (const SegmentInfo& segment : segments) {
    const SegmentDeletions& of = Of(deletions, segment.name);
    if (of.empty()) continue;
    PutBytes(body, segment.name);
    PutBytes(body, of.hard.Encode());
    PutBytes(body, of.soft.Encode());
    ++count;
  }
  std::string out(kMagic);
  PutFixed<uint32_t>(out, kFormatVersion);
  PutFixed<uint32_t>(out, count);
  return out + body;
}

Result<DeletionMap> DecodeDeletions(std::string_view bytes) {
  Decoder in(bytes);
  if (in.Raw(kMagic.size()) != kMagic) return Status::Corruption("object of deletions: wrong magic number");
  auto version = in.Fixed<uint32_t>();
  if (in.ok() && version != kFormatVersion) {
    return Status::Unsupported("object of deletions: format version " + std::to_string(version) +
                               "; this build reads 1");
  }
  DeletionMap out;
  auto count = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    std::string name(in.Bytes());
    SegmentDeletions of;
    of.hard = GetSet(in);
    of.soft = GetSet(in);
    if (!ValidateObjectName(name).ok() || !out.emplace(std::move(name), std::move(of)).second) in.Fail();
  }
  if (!in.done()) return Status::Corruption("object of deletions: malformed");
  return out;
}

bool Extends(const DeletionMap& now, const DeletionMap& then, std::span<const SegmentInfo> segments) {
  for (const SegmentInfo& segment : segments) {
    const SegmentDeletions& before = Of(then, segment.name);
    const SegmentDeletions& after = Of(now, segment.name);
    if (!Difference(before.hard, after.hard).empty()) return false;
    if (!Difference(Difference(before.soft, after.soft), after.hard).empty()) return false;
  }
  return true;
}

bool FitSegments(const DeletionMap& deletions, std::span<const SegmentInfo> segments) {
  for (const SegmentInfo& segment : segments) {
    const SegmentDeletions& of = Of(deletions, segment.name);
    if (!Fits(of.hard, segment) || !Fits(of.soft, segment)) return false;
  }
  return true;
}

DeletionMap ApplyDeltas(const DeletionMap& stored, const std::vector<DeletionDelta>& deltas,
                        std::span<const SegmentInfo> segments) {
  DeletionMap out;
  for (const SegmentInfo& segment : segments) {
    if (auto found = stored.find(segment.name); found != stored.end()) out.insert(*found);
  }
  for (const DeletionDelta& delta : deltas) {
    SegmentDeletions& of = out[segments[delta.segment].name];
    of.hard |= delta.hard;
    of.soft |= delta.soft;
    of.soft -= of.hard;
  }
  std::erase_if(out, [](const auto& entry) { return entry.second.empty(); });
  return out;
}

std::vector<DeletionDelta> DeltasBetween(const DeletionMap& stored, const DeletionMap& now,
                                         std::span<const SegmentInfo> segments) {
  std::vector<DeletionDelta> deltas;
  for (uint32_t s = 0; s < segments.size(); ++s) {
    const SegmentDeletions& before = Of(stored, segments[s].name);
    const SegmentDeletions& after = Of(now, segments[s].name);
    DeletionDelta delta{s, Difference(after.hard, before.hard), Difference(after.soft, before.soft)};
    if (!delta.hard.empty() || !delta.soft.empty()) deltas.push_back(std::move(delta));
  }
  return deltas;
}

}  // namespace isotherm
