// Registering, running and publishing a compaction.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/context_check.h"
#include "base/free_memory.h"
#include "base/macros.h"
#include "base/memory_budget.h"
#include "base/planted.h"
#include "engine/build_executor.h"
#include "engine/collection_impl.h"
#include "engine/compaction_job.h"
#include "engine/compaction_policy.h"
#include "engine/object_names.h"
#include "engine/object_writer.h"

namespace isotherm {

namespace {

constexpr uint64_t kLeastMemory = 1 << 20;
constexpr int kMostRounds = 64;  // one after the other, whatever the policy picks
// To clean up after a compaction that ended early.
constexpr int64_t kCleaningNs = 10'000'000'000;

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

std::vector<SegmentInfo> InputsOf(const CompactionPlan& plan, const Head& head) {
  std::vector<SegmentInfo> inputs;
  for (uint32_t segment : plan.inputs) inputs.push_back(head.segments[segment]);
  return inputs;
}

// Where `inputs` stand in `segments`; nothing when one of them is gone.
std::optional<std::vector<uint32_t>> PlacesOf(const std::vector<SegmentInfo>& inputs,
                                              const std::vector<SegmentInfo>& segments) {
  std::vector<uint32_t> places;
  for (const SegmentInfo& input : inputs) {
    auto at = std::find_if(segments.begin(), segments.end(),
                           [&](const SegmentInfo& segment) { return segment.name == input.name; });
    if (at == segments.end()) return std::nullopt;
    places.push_back(static_cast<uint32_t>(at - segments.begin()));
  }
  std::sort(places.begin(), places.end());
  return places;
}

bool HasCells(const std::vector<SegmentInfo>& segments) {
  return std::any_of(segments.begin(), segments.end(),
                     [](const SegmentInfo& segment) { return segment.kind == SegmentKind::kCells; });
}

bool Registered(const Head& head, const Nonce& id) {
  return std::any_of(head.builds.begin(), head.builds.end(), [&](const Build& build) { return build.id == id; });
}

std::string SpillDirectory(const Options& options) {
  if (!options.spill_dir.empty()) return options.spill_dir;
  if (!options.cache_dir.empty()) return options.cache_dir + "/spill";
  std::error_code failed;
  std::filesystem::path temporary = std::filesystem::temp_directory_path(failed);
  return (failed ? std::string("/tmp") : temporary.string()) + "/isotherm-spill";
}

// Of blocks that a compaction keeps for searches: what the cache can hold beside what it has by then. A collection with
// more of them is read by few of its cells, and nobody knows yet by which.
uint64_t MostBlocksToKeep(const Options& options) {
  const uint64_t limit = options.memory != nullptr ? options.memory->Usage().limit_bytes : 0;
  const uint64_t most = options.block_cache_bytes / 2;
  return limit != 0 ? std::min(most, limit / 8) : most;
}

// As much as there is room for: at most half of the budget, so that commits go on. Waits for the least if need be,
// since what was committed may be on its way out of RAM.
Result<MemoryReservation> ReserveForBuild(MemoryBudget* budget, uint64_t wanted, const Context& context, Clock& clock) {
  if (budget == nullptr) return MemoryReservation();
  const uint64_t limit = budget->Usage().limit_bytes;
  if (limit != 0) wanted = std::min(wanted, limit / 2);
  for (; wanted / 2 >= kLeastMemory; wanted /= 2) {
    if (auto reserved = budget->Reserve(MemoryUse::kBuild, wanted); reserved.ok()) return reserved;
  }
  return ReserveMemoryPatiently(budget, MemoryUse::kBuild, wanted, context, clock);
}

// What is left of a build's memory beside the places of its rows, which are all in RAM.
uint64_t BesidePlaces(uint64_t memory_bytes, std::span<const SegmentInfo> inputs) {
  constexpr uint64_t kPlaceBytes = 20;
  uint64_t rows = 0;
  for (const SegmentInfo& input : inputs) rows += input.rows;
  return std::max(kLeastMemory, memory_bytes - std::min(memory_bytes, rows * kPlaceBytes));
}

}  // namespace

// The caller holds write_mutex_. Swaps until it lands; `change` makes the next head of each base. `landed` may be true
// although the status is bad: this handle could not read what it now is.
Status CollectionImpl::SwapHead(const HeadChange& change, const Context& context, bool* landed) {
  bool own = false;
  if (landed == nullptr) landed = &own;
  *landed = false;
  if (uncertain_) {
    bool before = false;
    const bool of_changes = uncertain_changes_;
    Status settled = AfterSwap(log_.Settle(context), of_changes, context, &before);
    if (of_changes && settled.code() == StatusCode::kFenced) untold_ = settled;
    RETURN_IF_ERROR(settled);
    if (of_changes && !before && options_.conflict_policy == ConflictPolicy::kFail) untold_ = OtherWasFaster();
  }
  while (true) {
    std::shared_ptr<const Snapshot> base = snapshot();
    RETURN_IF_ERROR(base->Deletions(*path_, context).status());
    Head next = base->WholeHead();
    DeletionMap deletions = base->KnownDeletions()->now;
    RETURN_IF_ERROR(change(*base, next, deletions));
    ASSIGN_OR_RETURN(std::optional<NewObject> object, PlaceDeletions(*base, deletions, next));
    if (object) RETURN_IF_ERROR(PutObjects({&*object, 1}, 1, context));
    RETURN_IF_ERROR(Archive(*base, context));
    SwapResult swap = log_.Swap({base->head, base->etag, base->head_bytes}, std::move(next), context);
    RETURN_IF_ERROR(AfterSwap(std::move(swap), false, context, landed));
    if (*landed) return Status::Ok();
  }
}

Status CollectionImpl::Compact(const CompactOptions& options, const Progress& progress, const Context& context) {
  RETURN_IF_ERROR(CheckWritable());
  const CompactionControl::Pause pause(compactions_);
  std::lock_guard one_at_a_time(compact_mutex_);
  CompactionRequest request;
  request.options = options;
  if (options.scope == CompactScope::kAll) {
    request.force_segment = true;
    request.resume = Resume::kSame;
    request.plan = [&](const Head& head) -> Result<PickedPlan> { return PlanOfAll(head, options.keep_cells); };
    bool done = false;
    return RunCompaction(request, progress, context, &done);
  }
  request.plan = [&](const Head& head) { return PlanByOwnPolicy(head, options); };
  request.resume = Resume::kSome;
  {
    std::lock_guard write(write_mutex_);
    RETURN_IF_ERROR(CommitLocked(false, "before a compaction", context));
  }
  bool done = true;
  for (int round = 0; done && round < kMostRounds; ++round) {
    RETURN_IF_ERROR(RunCompaction(request, progress, context, &done));
  }
  return Status::Ok();
}

Result<PickedPlan> CollectionImpl::PlanByOwnPolicy(const Head& head, const CompactOptions& options) const {
  return PlanByPolicy(*policy_, head, options.min_rows_for_cells, path_->env->clock->WallMs());
}

// *done is false when there was nothing to do.
Status CollectionImpl::RunCompaction(const CompactionRequest& request, const Progress& progress, const Context& context,
                                     bool* done) {
  *done = false;
  ASSIGN_OR_RETURN(MemoryReservation memory,
                   ReserveForBuild(options_.memory.get(), std::max(request.options.memory_bytes, kLeastMemory), context,
                                   *path_->env->clock));
  const uint64_t memory_bytes =
      std::max(memory.counted() ? memory.bytes() : request.options.memory_bytes, kLeastMemory);
  ASSIGN_OR_RETURN(std::optional<RegisteredBuild> registered, BeginCompaction(request, memory_bytes, context));
  if (!registered) return Status::Ok();
  *done = true;
  auto environment = std::make_shared<Environment>(*path_->env);
  environment->executor = std::make_shared<BuildExecutor>(*path_->env, request.yields, request.width, context.cancel);
  CodeBlocks blocks(path_->ram->clears(), options_.memory.get(), MemoryUse::kBlockCache, MostBlocksToKeep(options_));
  const CompactionResources resources{environment, BesidePlaces(memory_bytes, registered->Inputs()),
                                      SpillDirectory(options_), &blocks};
  const CompactionBuild build{registered->build.id, registered->build.gc_epoch, registered->record};
  // What was freed before is room for the build, too.
  GiveBackFreeMemory();
  auto job = std::make_unique<CompactionJob>(*path_, *registered->base, registered->picked.plan, request.options,
                                             resources, build, progress, context);
  const int64_t begin_ns = observer_.Now();
  Result<Compacted> compacted = job->Run();
  observer_.Compacted(begin_ns, job->bytes_read(), job->bytes_written());
  if (build.record != nullptr) observer_.CompactionResumed(job->bytes_resumed());
  compactions_.Count({.resumed = build.record != nullptr ? 1U : 0U,
                      .bytes_read = job->bytes_read(),
                      .bytes_written = job->bytes_written(),
                      .bytes_resumed = job->bytes_resumed()});
  const std::vector<std::string> objects = job->objects();
  registered->recorded = build.record != nullptr || job->recorded();
  job.reset();
  Status ended = EndCompaction(*registered, compacted, objects, blocks, context);
  GiveBackFreeMemory();
  return ended;
}

// Nothing when there is nothing to do. From here on no garbage collection takes new objects of the build for garbage.
Result<std::optional<CollectionImpl::RegisteredBuild>> CollectionImpl::BeginCompaction(const CompactionRequest& request,
                                                                                       uint64_t memory_bytes,
                                                                                       const Context& context) {
  // The head's rows go into a segment first: then what is compacted are whole segments, whatever else is committed
  // meanwhile.
  if (request.force_segment) {
    std::lock_guard write(write_mutex_);
    RETURN_IF_ERROR(CommitLocked(true, "before a compaction", context));
  }
  ASSIGN_OR_RETURN(std::optional<Adoption> adoption, PrepareAdoption(request, memory_bytes, context));
  std::lock_guard write(write_mutex_);
  auto registered = Register(request, adoption ? &*adoption : nullptr, context);
  if (!adoption) return registered;
  const StatusCode code = registered.status().code();
  if (registered.ok() && registered->has_value() && (*registered)->record != nullptr) {
    RemoveObjects({BuildRecordName(adoption->of.gc_epoch, adoption->of.id)}, context);
  } else if (code != StatusCode::kUnknown && code != StatusCode::kFenced) {
    RemoveObjects({BuildRecordName(adoption->build.gc_epoch, adoption->build.id)}, context);
  }
  return registered;
}

// The caller holds write_mutex_. `adoption` may be null.
Result<std::optional<CollectionImpl::RegisteredBuild>> CollectionImpl::Register(const CompactionRequest& request,
                                                                                const Adoption* adoption,
                                                                                const Context& context) {
  // What became of a commit that nobody knows the outcome of is for who asked for it to find out.
  if (request.yields && uncertain_) return std::optional<RegisteredBuild>();
  const Build fresh{MakeNonce(*path_->env->random), path_->env->clock->WallMs(), 0};
  RegisteredBuild out;
  std::vector<SegmentInfo> inputs;
  bool idle = false;
  auto begin = [&](const Snapshot& current, Head& next, DeletionMap& deletions) -> Status {
    out = {};
    ASSIGN_OR_RETURN(out.picked, request.plan(current.head));
    idle =
        out.picked.plan.inputs.empty() || (request.yields && BuildUnderWay(current.head, path_->env->clock->WallMs()));
    if (idle) return Status::Cancelled("there is nothing to compact");
    if (adoption != nullptr && TakesOver(*adoption, request, current.head, deletions, out)) {
      std::erase_if(next.builds, [&](const Build& build) { return build.id == adoption->of.id; });
      next.operation = {Operation::kBuild, "compaction goes on: " + out.picked.cause, 0, 0, 0, 0};
    } else {
      out.build = fresh;
      out.build.gc_epoch = current.head.gc_epoch;
      next.operation = {Operation::kBuild, "compaction begins: " + out.picked.cause, 0, 0, 0, 0};
    }
    inputs = InputsOf(out.picked.plan, current.head);
    next.builds.push_back(out.build);
    return Status::Ok();
  };
  Status registered = SwapHead(begin, context);
  if (idle) return std::optional<RegisteredBuild>();
  RETURN_IF_ERROR(registered);
  // A refresh may have come further than the version that registered it.
  out.base = snapshot();
  auto places = PlacesOf(inputs, out.base->head.segments);
  if (!places) {
    Unregister(out.build, context);  // else a garbage collection forgets it when it is old
    compactions_.Count({.lost = 1});
    return Status::Conflict("another compaction published version " + std::to_string(out.base->head.version) +
                            " first");
  }
  out.picked.plan.inputs = *std::move(places);
  return std::optional(std::move(out));
}

Status CollectionImpl::EndCompaction(const RegisteredBuild& registered, const Result<Compacted>& compacted,
                                     const std::vector<std::string>& objects, CodeBlocks& blocks,
                                     const Context& context) {
  std::unique_lock write(write_mutex_);
  Context cleaning;
  cleaning.deadline_ns = path_->env->clock->NowNs() + kCleaningNs;
  std::vector<std::string> own = objects;
  if (registered.recorded) own.push_back(BuildRecordName(registered.build.gc_epoch, registered.build.id));
  Status status = compacted.status();
  if (status.ok()) {
    bool published = false;
    status = PublishCompaction(registered, *compacted, &published, context);
    if (published) {
      keys_.Remember(blocks.TakeKeys());
      write.unlock();  // commits wait for no more than that
      ReplaceInRam(registered, blocks);
      for (const SegmentInfo& segment : compacted->segments) std::erase(own, segment.name);
      RemoveObjects(own, context);
      return status;
    }
    // What may become the head: its objects stay.
    if (status.code() == StatusCode::kUnknown || status.code() == StatusCode::kFenced) return status;
  }
  // What it read was taken away by whoever replaced it.
  if (status.code() == StatusCode::kCorruption && Refresh(cleaning).ok() &&
      !Untouched(registered.Inputs(), snapshot()->head.segments)) {
    status =
        Status::Conflict("another compaction published version " + std::to_string(snapshot()->head.version) + " first");
  }
  // Who has gone on with it has its objects. Those of one that failed to unregister go when a garbage collection gives
  // it up.
  const bool was_registered = Unregister(registered.build, cleaning);
  if (was_registered || !registered.recorded || Planted(Bug::kLoserRemovesAdopted)) RemoveObjects(own, cleaning);
  compactions_.Count({.lost = status.code() == StatusCode::kConflict ? 1U : 0U,
                      .failed = status.code() == StatusCode::kConflict ? 0U : 1U});
  return status;
}

// Searches find the new segments in RAM as they found the old ones, which nobody asks for any more.
void CollectionImpl::ReplaceInRam(const RegisteredBuild& registered, const CodeBlocks& blocks) {
  for (uint32_t segment : registered.picked.plan.inputs) {
    for (const BlockAddress& block : SegmentBlocks(*registered.base, segment)) {
      path_->extents->ForgetInRam(block.extent);
    }
  }
  blocks.MoveInto(*path_->extents, path_->ram->clears());
}

bool CollectionImpl::Unregister(const Build& build, const Context& context) {
  bool landed = false;
  if (!Registered(snapshot()->head, build.id)) return false;
  Status swapped = SwapHead(
      [&](const Snapshot& current, Head& next, DeletionMap&) {
        if (!Registered(current.head, build.id)) return Status::Cancelled("it is not registered any more");
        next.operation = {Operation::kBuild, "compaction ends without a result", 0, 0, 0, 0};
        std::erase_if(next.builds, [&](const Build& other) { return other.id == build.id; });
        return Status::Ok();
      },
      context, &landed);
  (void)swapped;  // landed or not is all that counts
  return landed;
}

std::vector<SegmentInfo> CollectionImpl::RegisteredBuild::Inputs() const { return InputsOf(picked.plan, base->head); }

// What the head becomes. Conflict when something has changed that the compaction did not reckon with.
Status CollectionImpl::ReplaceInputs(const RegisteredBuild& registered, const Compacted& compacted, const Head& current,
                                     Head& next, DeletionMap& deletions) {
  const Head& base = registered.base->head;
  auto untouched = Untouched(compacted.inputs, current.segments);
  // There is one partition at most.
  if (!untouched || (compacted.ref.generation != 0 && HasCells(*untouched))) {
    return Status::Conflict("another compaction published version " + std::to_string(current.version) + " first");
  }
  if (!Registered(current, registered.build.id) && (registered.recorded || current.gc_epoch != base.gc_epoch)) {
    return Status::Conflict("another compaction went on with this one, or a garbage collection gave it up");
  }
  // Rows that the compaction left out came back.
  const DeletionMap& known =
      registered.record != nullptr ? registered.left_out : registered.base->KnownDeletions()->now;
  if (!Extends(deletions, known, compacted.inputs)) {
    return Status::Conflict("the collection went back to an older version while it was compacted");
  }
  const bool forgets = Planted(Bug::kDeletionsNotRebased);
  DeletionMap rebased = compacted.Rebase(forgets ? registered.base->KnownDeletions()->now : deletions);
  for (const SegmentInfo& input : compacted.inputs) deletions.erase(input.name);
  deletions.merge(rebased);
  next.segments = compacted.segments;
  next.segments.insert(next.segments.end(), untouched->begin(), untouched->end());
  if (compacted.replaces_routing) next.routing = compacted.ref;
  std::erase_if(next.builds, [&](const Build& other) { return other.id == registered.build.id; });
  next.operation = {Operation::kCompact, registered.picked.cause, compacted.rows, 0, 0, compacted.bytes_written};
  return Status::Ok();
}

Status CollectionImpl::PublishCompaction(const RegisteredBuild& registered, const Compacted& compacted, bool* published,
                                         const Context& context) {
  RETURN_IF_ERROR(CheckContext(context, *path_->env->clock, "compaction"));
  new_routing_ = compacted.routing;
  new_routing_sha256_ = compacted.ref.sha256_hex;
  Status swapped = SwapHead(
      [&](const Snapshot& current, Head& next, DeletionMap& deletions) {
        return ReplaceInputs(registered, compacted, current.head, next, deletions);
      },
      context, published);
  new_routing_ = nullptr;
  new_routing_sha256_.clear();
  if (*published) compactions_.Count({.published = 1});
  RETURN_IF_ERROR(swapped);
  if (compacted.ref.generation == 0) return Status::Ok();
  // The copy for the first wave. Without it, or with an older one, opening costs one more wave.
  auto copy = path_->store->Put(context, path_->branch_prefix + kRoutingObject, compacted.routing_bytes);
  return WithoutOutcome(copy.status())
      .WithContext(
          "the compaction is published, but opening takes one more wave until the next one: the copy of its "
          "routing object was not written");
}

// Costs nothing when there is nothing to do.
void CollectionImpl::CompactWhenDue() {
  if (!options_.background_compaction || options_.read_only || !CheckOpen().ok()) return;
  std::shared_ptr<const Snapshot> now = snapshot();
  auto picked = PlanByOwnPolicy(now->head, options_.compaction);
  if (!picked.ok() || picked->plan.inputs.empty()) return;
  if (BuildUnderWay(now->head, path_->env->clock->WallMs())) return;
  std::shared_ptr<const CancelToken> cancel = compactions_.TryBegin();
  if (cancel == nullptr) return;
  if (!background_.StartLong([this, cancel](const Context&) { CompactInBackground(cancel); })) {
    compactions_.End(Status::Closed("the collection was closed"));
  }
}

// Until there is nothing to do. Whoever was faster has changed what there is to do: one more look.
void CollectionImpl::CompactInBackground(const std::shared_ptr<const CancelToken>& cancel) {
  constexpr int kLosses = 3;
  Context context;
  context.cancel = cancel.get();
  CompactionRequest request;
  request.options = options_.compaction;
  request.yields = true;
  // Queries come first.
  request.width = std::max<size_t>(1, path_->env->executor->Concurrency() / 4);
  request.plan = [&](const Head& head) { return PlanByOwnPolicy(head, options_.compaction); };
  request.resume = Resume::kSome;
  Status status;
  int losses = 0;
  bool done = true;
  for (int round = 0; done && round < kMostRounds; ++round) {
    status = RunCompaction(request, {}, context, &done);
    if (status.ok()) continue;
    if (status.code() != StatusCode::kConflict || ++losses == kLosses) break;
    done = true;
  }
  if (!status.ok() && status.code() != StatusCode::kCancelled) observer_.CompactionFailed(status);
  compactions_.End(status);
}

}  // namespace isotherm
