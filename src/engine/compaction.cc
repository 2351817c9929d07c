// Registering, running and publishing a compaction.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/macros.h"
#include "engine/collection_impl.h"
#include "engine/compaction_job.h"
#include "engine/object_names.h"
#include "engine/object_writer.h"

namespace isotherm {

namespace {

// Those of `now` that are not among `inputs`; nothing when one of these is gone: something else replaced it.
std::optional<std::vector<SegmentInfo>> Untouched(const std::vector<SegmentInfo>& inputs,
                                                  const std::vector<SegmentInfo>& now) {
  auto is_input = [&](const SegmentInfo& segment) {
    return std::any_of(inputs.begin(), inputs.end(), [&](const SegmentInfo& in) { return in.name == segment.name; });
  };
  std::vector<SegmentInfo> untouched;
  for (const SegmentInfo& segment : now) {
    if (!is_input(segment)) untouched.push_back(segment);
  }
  if (now.size() - untouched.size() != inputs.size()) return std::nullopt;
  return untouched;
}

bool Registered(const Head& head, const Nonce& id) {
  return std::any_of(head.builds.begin(), head.builds.end(), [&](const Build& build) { return build.id == id; });
}

}  // namespace

// The caller holds write_mutex_. Swaps until it lands; `change` makes the next head of each base.
Status CollectionImpl::SwapHead(const HeadChange& change, const Context& context) {
  if (uncertain_) {
    bool landed = false;
    RETURN_IF_ERROR(AfterSwap(log_.Settle(context), uncertain_changes_, context, &landed));
  }
  while (true) {
    std::shared_ptr<const Snapshot> base = snapshot();
    RETURN_IF_ERROR(base->Deletions(*path_, context).status());
    Head next = base->WholeHead();
    DeletionMap deletions = base->KnownDeletions()->now;
    RETURN_IF_ERROR(change(*base, next, deletions));
    RETURN_IF_ERROR(PlaceDeletions(*base, deletions, next, context));
    RETURN_IF_ERROR(Archive(*base, context));
    SwapResult swap = log_.Swap({base->head, base->etag, base->head_bytes}, std::move(next), context);
    bool landed = false;
    RETURN_IF_ERROR(AfterSwap(std::move(swap), false, context, &landed));
    if (landed) return Status::Ok();
  }
}

Status CollectionImpl::Compact(const CompactOptions& options, const Progress& progress, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  Build build{MakeNonce(*path_->env->random), path_->env->clock->WallMs(), 0};
  std::shared_ptr<const Snapshot> base;
  {
    std::lock_guard write(write_mutex_);
    // The head's rows go into a segment first: then what is compacted are whole segments, whatever else is committed
    // meanwhile.
    RETURN_IF_ERROR(CommitLocked(true, "before a compaction", context));
    if (snapshot()->head.segments.empty()) return Status::Ok();
    // From here on no garbage collection takes the new objects for garbage.
    RETURN_IF_ERROR(SwapHead(
        [&](const Snapshot& current, Head& next, DeletionMap&) {
          build.gc_epoch = current.head.gc_epoch;
          next.operation = {Operation::kBuild, "compaction begins", 0, 0, 0, 0};
          next.builds.push_back(build);
          return Status::Ok();
        },
        context));
    base = snapshot();
  }
  auto name = [&](std::string_view kind) { return NewObjectName(kind, base->head.gc_epoch, *path_->env->random); };
  CompactionJob job(*path_, *base, options, name, progress, context);
  auto compacted = job.Run();
  std::lock_guard write(write_mutex_);
  Status status = compacted.status();
  if (status.ok()) {
    bool published = false;
    status = PublishCompaction(*base, *compacted, build, &published, context);
    // What may be the head, or become it: its objects stay.
    if (published || status.code() == StatusCode::kUnknown || status.code() == StatusCode::kFenced) return status;
  }
  RemoveObjects(job.objects(), context);
  Status forgotten = Unregister(build, context);
  (void)forgotten;  // a garbage collection forgets it when it is old
  return status;
}

Status CollectionImpl::Unregister(const Build& build, const Context& context) {
  if (!Registered(snapshot()->head, build.id)) return Status::Ok();
  return SwapHead(
      [&](const Snapshot&, Head& next, DeletionMap&) {
        next.operation = {Operation::kBuild, "compaction ends without a result", 0, 0, 0, 0};
        std::erase_if(next.builds, [&](const Build& other) { return other.id == build.id; });
        return Status::Ok();
      },
      context);
}

Status CollectionImpl::PublishCompaction(const Snapshot& base, const Compacted& compacted, const Build& build,
                                         bool* published, const Context& context) {
  const std::vector<SegmentInfo>& inputs = base.head.segments;
  new_routing_ = compacted.routing;
  new_routing_sha256_ = compacted.ref.sha256_hex;
  Status swapped = SwapHead(
      [&](const Snapshot& current, Head& next, DeletionMap& deletions) {
        auto untouched = Untouched(inputs, current.head.segments);
        if (!untouched) {
          return Status::Conflict("another compaction published version " + std::to_string(current.head.version) +
                                  " first");
        }
        if (!Registered(current.head, build.id) && current.head.gc_epoch != base.head.gc_epoch) {
          return Status::Conflict("the compaction took so long that a garbage collection gave it up");
        }
        // Rows that the compaction left out came back.
        if (!Extends(deletions, base.KnownDeletions()->now, inputs)) {
          return Status::Conflict("the collection went back to an older version while it was compacted");
        }
        DeletionMap rebased = compacted.Rebase(deletions, inputs);
        for (const SegmentInfo& input : inputs) deletions.erase(input.name);
        deletions.merge(rebased);
        next.segments = compacted.segments;
        next.segments.insert(next.segments.end(), untouched->begin(), untouched->end());
        next.routing = compacted.ref;
        std::erase_if(next.builds, [&](const Build& other) { return other.id == build.id; });
        next.operation = {Operation::kCompact,    std::to_string(inputs.size()) + " segments", compacted.rows, 0, 0,
                          compacted.bytes_written};
        return Status::Ok();
      },
      context);
  new_routing_ = nullptr;
  RETURN_IF_ERROR(swapped);
  *published = true;
  if (compacted.ref.generation == 0) return Status::Ok();
  // The copy for the first wave. Without it, or with an older one, opening costs one more wave.
  auto copy = path_->store->Put(context, path_->branch_prefix + kRoutingObject, compacted.routing_bytes);
  return WithoutOutcome(copy.status())
      .WithContext(
          "the compaction is published, but opening takes one more wave until the next one: the copy of its "
          "routing object was not written");
}

}  // namespace isotherm
