// Which build of another one a compaction may go on with, and taking it over: by the head's swap, so that it is one's
// alone.
#include <algorithm>
#include <utility>

#include "base/macros.h"
#include "engine/collection_impl.h"
#include "engine/compaction_job.h"
#include "engine/object_names.h"
#include "engine/object_writer.h"

namespace isotherm {

namespace {

bool HasOptions(const BuildRecord& record, const CompactOptions& options, const CompactionPlan& plan) {
  return plan.to_cells && record.keep_cells == plan.keep_cells && record.cells == options.cells &&
         record.seed == options.seed && record.min_rows_for_cells == options.min_rows_for_cells &&
         record.max_object_bytes == options.max_object_bytes;
}

// Where the record's inputs stand in the head, when they are among the plan's and what they become can be published;
// else nothing.
std::optional<std::vector<uint32_t>> PlacesOf(const BuildRecord& record, const Head& head, const CompactionPlan& plan) {
  std::vector<uint32_t> places;
  for (uint32_t s = 0; s < head.segments.size(); ++s) {
    const SegmentInfo& segment = head.segments[s];
    if (places.size() < record.inputs.size() && record.inputs[places.size()].name == segment.name) {
      places.push_back(s);
    } else if (segment.kind == SegmentKind::kCells) {
      return std::nullopt;  // there is one partition at most
    }
  }
  const bool all = places.size() == record.inputs.size();
  if (!all || !std::includes(plan.inputs.begin(), plan.inputs.end(), places.begin(), places.end())) return std::nullopt;
  return places;
}

DeletionMap LeftOut(const BuildRecord& record) {
  DeletionMap out;
  for (const BuildRecord::Input& input : record.inputs) {
    if (!input.dropped.empty()) out[input.name].hard = input.dropped;
  }
  return out;
}

}  // namespace

// Writes the record of the build that is to go on, so that it can be gone on with in its turn. One that can't be read,
// or is of something else, is none.
Result<std::optional<CollectionImpl::Adoption>> CollectionImpl::PrepareAdoption(const CompactionRequest& request,
                                                                                uint64_t memory_bytes,
                                                                                const Context& context) {
  std::shared_ptr<const Snapshot> at = snapshot();
  const int64_t now_ms = path_->env->clock->WallMs();
  if (request.resume == Resume::kNone || at->head.builds.empty()) return std::optional<Adoption>();
  if (request.yields && BuildUnderWay(at->head, now_ms)) return std::optional<Adoption>();
  ASSIGN_OR_RETURN(std::shared_ptr<const Liveness> liveness, at->Deletions(*path_, context));
  RegisteredBuild trial;
  ASSIGN_OR_RETURN(const PickedPlan picked, request.plan(at->head));
  for (const Build& build : at->head.builds) {
    ReadRequest read{BuildRecordName(build.gc_epoch, build.id), {}, {}};
    ReadResult found = std::move(path_->store->Read(context, {&read, 1})[0]);
    if (found.status.code() == StatusCode::kNotFound) continue;
    RETURN_IF_ERROR(found.status);
    auto record = DecodeBuildRecord(found.data);
    if (!record.ok() || record->builds.back() != build.id) continue;
    // By a clock that is behind, rows that it left out as expired may not be so yet.
    if (record->now_ms > now_ms) continue;
    Adoption adoption{build, {MakeNonce(*path_->env->random), now_ms, build.gc_epoch}, nullptr};
    record->builds.push_back(adoption.build.id);
    adoption.record = std::make_shared<const BuildRecord>(std::move(record).value());
    trial.picked = picked;
    if (!CompactionJob::FitsMemory(*adoption.record, memory_bytes)) continue;
    if (!TakesOver(adoption, request, at->head, liveness->now, trial)) continue;
    auto put = path_->store->Put(context, BuildRecordName(build.gc_epoch, adoption.build.id),
                                 EncodeBuildRecord(*adoption.record));
    RETURN_IF_ERROR(WithoutOutcome(put.status()));
    return std::optional(std::move(adoption));
  }
  return std::optional<Adoption>();
}

// Whether a compaction of `out.picked`, of the head `current`, goes on with that build; then `out` is what it becomes.
bool CollectionImpl::TakesOver(const Adoption& adoption, const CompactionRequest& request, const Head& current,
                               const DeletionMap& deletions, RegisteredBuild& out) {
  const BuildRecord& record = *adoption.record;
  CompactionPlan& plan = out.picked.plan;
  const bool registered = std::any_of(current.builds.begin(), current.builds.end(),
                                      [&](const Build& build) { return build.id == adoption.of.id; });
  if (!registered || record.collection != current.collection || record.dimension != current.schema.dimension ||
      !HasOptions(record, request.options, plan)) {
    return false;
  }
  if (record.keeps_cells() && record.routing_sha256_hex != current.routing.sha256_hex) return false;
  auto places = PlacesOf(record, current, plan);
  if (!places || (request.resume == Resume::kSame && places->size() != plan.inputs.size())) return false;
  std::vector<SegmentInfo> inputs;
  for (uint32_t place : *places) inputs.push_back(current.segments[place]);
  // After a rollback rows that it has left out may be there again.
  DeletionMap left_out = LeftOut(record);
  if (!Extends(deletions, left_out, inputs)) return false;
  out.build = adoption.build;
  out.record = adoption.record;
  out.left_out = std::move(left_out);
  plan.inputs = *std::move(places);
  out.picked.cause += ", resumed";
  return true;
}

}  // namespace isotherm
