// Any bytes as an object of deletions, as the changes in a head, and as a set of ordinals. What is one comes back from
// its encoding.
#include "engine/deletions.h"
#include "tests/fuzz/sealed.h"

namespace isotherm {
namespace {

using namespace fuzz;

void DecodeSet(std::string_view bytes) {
  auto set = OrdinalSet::Decode(bytes);
  if (!set.ok()) {
    Require(set.status().code() == StatusCode::kCorruption);
    return;
  }
  Require(set->Encode() == bytes);
  uint64_t seen = 0;
  uint64_t next = 0;
  set->ForEach([&](uint32_t ordinal) {
    Require(ordinal >= next && set->Contains(ordinal));
    next = uint64_t{ordinal} + 1;
    ++seen;
  });
  Require(seen == set->size());
}

// Segments of these names and of as many rows as there can be.
std::vector<SegmentInfo> SegmentsOf(const DeletionMap& deletions) {
  std::vector<SegmentInfo> segments;
  for (const auto& [name, of] : deletions) {
    SegmentInfo segment;
    segment.name = name;
    segment.rows = uint64_t{1} << 32;
    segments.push_back(std::move(segment));
  }
  return segments;
}

void DecodeObject(std::string_view bytes) {
  auto stored = DecodeDeletions(bytes);
  if (!stored.ok()) {
    Require(stored.status().code() == StatusCode::kCorruption || stored.status().code() == StatusCode::kUnsupported);
    return;
  }
  const std::vector<SegmentInfo> segments = SegmentsOf(*stored);
  Require(FitSegments(*stored, segments) && Extends(*stored, *stored, segments));
  Require(DeltasBetween(*stored, *stored, segments).empty());
  DeletionMap some = *stored;
  std::erase_if(some, [](const auto& entry) { return entry.second.empty(); });
  auto again = DecodeDeletions(EncodeDeletions(*stored, segments));
  Require(again.ok() && *again == some);
  // From nothing to all by changes; a row that is deleted is not softly deleted too.
  DeletionMap applied = ApplyDeltas({}, DeltasBetween({}, *stored, segments), segments);
  Require(applied == ApplyDeltas(applied, {}, segments));
  for (const auto& [name, of] : applied) {
    Require(of.hard == stored->at(name).hard);
    of.soft.ForEach([&hard = of.hard](uint32_t ordinal) { Require(!hard.Contains(ordinal)); });
  }
}

void DecodeChanges(std::string_view bytes) {
  std::vector<SegmentInfo> segments(3);
  for (uint32_t s = 0; s < segments.size(); ++s) {
    segments[s].name = "segment " + std::to_string(s);
    segments[s].first_ordinal = s * 10;
    segments[s].rows = 100'000;
  }
  Decoder in(bytes);
  std::vector<DeletionDelta> changes = GetDeletionDeltas(in, segments);
  if (!in.ok()) return;
  for (const DeletionDelta& change : changes) Require(change.segment < segments.size());
  std::string encoded;
  PutDeletionDeltas(encoded, changes);
  Require(encoded == bytes.substr(0, bytes.size() - in.remaining()));
  Require(FitSegments(ApplyDeltas({}, changes, segments), segments));
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  std::string_view bytes = fuzz::ViewOf(data, size);
  DecodeSet(bytes);
  DecodeObject(bytes);
  DecodeChanges(bytes);
  return 0;
}
