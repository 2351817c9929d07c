// The collection behind the public interface: state and locks. What it does with them lies in the other files of the
// engine.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/memory_budget.h"
#include "base/sync.h"
#include "engine/background.h"
#include "engine/build_record.h"
#include "engine/commit_log.h"
#include "engine/commit_plan.h"
#include "engine/compaction_control.h"
#include "engine/compaction_policy.h"
#include "engine/key_lookup.h"
#include "engine/leases.h"
#include "engine/observer.h"
#include "engine/read_view.h"
#include "engine/snapshot.h"
#include "engine/turns.h"
#include "engine/write_buffer.h"
#include "isotherm/collection.h"

namespace isotherm {

// What a vacuum makes of compactions that are under way.
enum class Builds : uint8_t {
  kGoOn,     // what they have written is no garbage, nor is anything that is newer than the oldest of them
  kAreLost,  // nothing stays for their sake
};

class CollectionImpl : public Collection {
 public:
  static constexpr std::string_view kFlush = "memtable full";  // the cause of a commit that nobody asked for

  CollectionImpl(std::unique_ptr<ReadPath> path, const Options& options, std::shared_ptr<const Snapshot> snapshot,
                 std::string disk_cache_note);
  ~CollectionImpl() override;

  Status Write(WriteBatch batch, const Context& context) override;
  Status Commit(const Context& context) override;
  Status DiscardPending(const Context& context) override;
  Result<SearchResult> Search(std::span<const float> query, const SearchOptions& options,
                              const Context& context) override;
  Result<std::vector<SearchResult>> BatchSearch(std::span<const float> queries, const SearchOptions& options,
                                                const Context& context) override;
  Result<Row> Get(const Key& key, const Consistency& consistency, const Context& context) override;
  Result<std::vector<bool>> Contains(std::span<const Key> keys, const Context& context) override;
  Status Scan(const std::function<Status(Row)>& visit, const ScanOptions& options, const Context& context) override;
  Status Refresh(const Context& context) override;
  Status Compact(const CompactOptions& options, const Progress& progress, const Context& context) override;
  Result<VerifyReport> Verify(const Progress& progress, const Context& context) override;
  Result<std::vector<VersionInfo>> Versions(const Context& context) override;
  Result<std::vector<VersionInfo>> Log(size_t newest, const Context& context) override;
  Status Rollback(uint64_t version, const Context& context) override;
  Result<VacuumReport> Vacuum(const VacuumOptions& options, const Context& context) override;
  Result<ErasureReport> Erase(std::span<const Key> keys, const ErasureOptions& options, const Progress& progress,
                              const Context& context) override;
  Status CreateBranch(std::string_view name, uint64_t version, const Context& context) override;
  Result<std::vector<BranchInfo>> Branches(const Context& context) override;
  Status DeleteBranch(std::string_view name, const Context& context) override;
  Status FastForward(std::string_view name, const Context& context) override;
  CollectionStats Stats() const override;
  Status Close(const Context& context) override;

  // What Open does last. `asked_ns`: when the head was asked for.
  Status Begin(int64_t asked_ns, const Context& context) {
    newest_at_ns_ = asked_ns;
    return BeginLease(context);
  }

 private:
  std::shared_ptr<const Snapshot> snapshot() const;
  // Which rows of the buffers a view takes along.
  enum class BufferRows : uint8_t { kNone, kLive, kSoftDeleted };
  // `changes` (may be null): what is pending of `keys`, in that moment; nothing of what a batch that fails undoes.
  // `deferred`: those that nobody sees among them.
  ReadView View(BufferRows rows, std::span<const Key> keys = {},
                std::vector<std::optional<PendingChange>>* changes = nullptr, bool deferred = false);
  void AddLiveRows(ReadView& view) const;
  void AddSoftRows(ReadView& view) const;
  void WriteGauges(MetricsWriter& writer) const;
  // Refreshes when the snapshot is not as new as the read wants it.
  Status BeFresh(const Consistency& consistency, const Context& context);
  void RefreshWhenDue();
  bool MovedOn(const Snapshot& from, const Status& failed, const Context& context);
  template <typename Read>
  auto OnKeptSnapshot(const Read& read, const Context& context) -> decltype(read());
  Result<Row> GetOnce(const Key& key, const Context& context);
  Result<std::vector<bool>> ContainsOnce(std::span<const Key> keys, const Context& context);
  Status CheckOpen() const;
  Status CheckWritable() const;
  Status CheckMutation(const Mutation& mutation) const;

  // Write's parts.
  Status MakeRoom(const Context& context);
  Result<MemoryReservation> ReserveFor(const WriteBatch& batch, const Context& context);
  // What the snapshot has of the keys whose rows the batch must know, with their content where it needs that.
  using KnownRows = std::unordered_map<Key, StoredRow, KeyHash>;
  using Contents = std::unordered_map<Key, Row, KeyHash>;
  Status LookUp(const ReadView& view, std::span<const std::optional<PendingChange>> pending, const WriteBatch& batch,
                KnownRows& known, Contents& contents, const Context& context);
  Status ApplyOne(Mutation& mutation, bool deferred, const KnownRows& known, const Contents& contents, int64_t now_ms);
  Status RestoredRow(const Key& key, const std::optional<PendingChange>& visible, bool frozen, const StoredRow& stored,
                     const Contents& contents, int64_t now_ms, PendingChange& change) const;

  std::shared_ptr<WriteBuffer> NewBuffer() const { return std::make_shared<WriteBuffer>(memtable_); }
  // Rows that have come go into the memtable's graph, in the background.
  void LinkWhenDue();
  void LinkInBackground(const Context& context);
  std::shared_ptr<MemtableRows> RowsToLink() const;

  struct NewObject {
    std::string name;
    std::string bytes;
  };
  Status CommitBecause(std::string_view cause, const Context& context);
  // Commit's parts; the caller holds write_mutex_. `force_segment`: no row stays in the head. `cause`: for the log.
  Status CommitLocked(bool force_segment, std::string_view cause, const Context& context);
  Status CommitPending(bool force_segment, std::string_view cause, const Context& context);
  bool Freeze();
  // Where several writers commit: waits until it is this one's turn, and reads the head for that.
  Status AwaitTurn(bool head_is_fresh, const Context& context);
  Status CommitChanges(bool force_segment, std::string_view cause, const Context& context);
  // What of `base` the changes meet.
  Result<std::vector<StoredRow>> LookUpForCommit(const Snapshot& base, std::vector<KeyedChange>& changes,
                                                 const Context& context);
  Status ReapplyPatches(const Snapshot& base, std::vector<KeyedChange>& changes, std::vector<StoredRow>& stored,
                        const Context& context);
  void AwaitGroup(std::unique_lock<Mutex>& group);
  void Serve(uint64_t ticket, const Status& status);
  bool IsCommitted(uint64_t ticket);
  Result<std::vector<SegmentInfo>> WriteRows(const Snapshot& base, const CommitPlan& plan, std::vector<NewObject>& last,
                                             size_t at_once, const Context& context);
  Status WriteObjects(const Snapshot& base, CommitPlan& plan, const Context& context);
  Result<SwapResult> TrySwap(const Snapshot& base, CommitPlan plan, std::string_view cause, const Context& context);
  // What of the deletions is too much for the head goes into an object of their own.
  Result<std::optional<NewObject>> PlaceDeletions(const Snapshot& base, const DeletionMap& deletions, Head& next);
  Status PutObjects(std::span<const NewObject> objects, uint32_t copies, const Context& context);
  void ForgetPrepared(const Context& context);
  Status AfterSwap(SwapResult swap, bool of_changes, const Context& context, bool* landed);
  Status Adopt(LoadedHead head, bool committed, const Context& context);
  Status AdoptOwn(LoadedHead head, bool of_changes, const Context& context);
  void KeepNewBlocks();
  void Publish(std::shared_ptr<const Snapshot> next, uint64_t committed_version);
  Status OtherWasFaster() const;
  void CountWritten(const OperationRecord& operation, uint64_t head_bytes);
  void RemoveObjects(const std::vector<std::string>& names, const Context& context);
  // Changes of the head that are no commit of rows: `change` edits the next head, whole, and all deletions.
  using HeadChange = std::function<Status(const Snapshot& base, Head& next, DeletionMap& deletions)>;
  Status SwapHead(const HeadChange& change, const Context& context, bool* landed = nullptr);
  // Keeps the base under a name of its own, before the head moves on from it. At most one request.
  std::optional<NewObject> ArchiveOf(const Snapshot& base) const;
  Status Archive(const Snapshot& base, const Context& context);
  // compaction.cc
  // Which builds that others have left a compaction may go on with: such of just the segments that it would compact, or
  // also such of some of them.
  enum class Resume : uint8_t { kNone, kSame, kSome };
  struct CompactionRequest {
    CompactOptions options;
    std::function<Result<PickedPlan>(const Head&)> plan;
    bool force_segment = false;  // rows of the head go into a segment first
    bool yields = false;         // to another build that is under way
    size_t width = SIZE_MAX;     // threads
    Resume resume = Resume::kNone;
  };
  struct RegisteredBuild {
    Build build;
    std::shared_ptr<const Snapshot> base;
    PickedPlan picked;                          // of the base
    std::shared_ptr<const BuildRecord> record;  // that it goes on with; may be null
    DeletionMap left_out;                       // of the record
    bool recorded = false;                      // others may go on with it
    std::vector<SegmentInfo> Inputs() const;
  };
  // A build that one may go on with, and the build that does so in its place.
  struct Adoption {
    Build of;
    Build build;
    std::shared_ptr<const BuildRecord> record;
  };
  Result<PickedPlan> PlanByOwnPolicy(const Head& head, const CompactOptions& options) const;
  Status RunCompaction(const CompactionRequest& request, const Progress& progress, const Context& context, bool* done);
  Result<std::optional<RegisteredBuild>> BeginCompaction(const CompactionRequest& request, uint64_t memory_bytes,
                                                         const Context& context);
  Result<std::optional<RegisteredBuild>> Register(const CompactionRequest& request, const Adoption* adoption,
                                                  const Context& context);
  // build_adoption.cc
  Result<std::optional<Adoption>> PrepareAdoption(const CompactionRequest& request, uint64_t memory_bytes,
                                                  const Context& context);
  static bool TakesOver(const Adoption& adoption, const CompactionRequest& request, const Head& current,
                        const DeletionMap& deletions, RegisteredBuild& out);
  Status EndCompaction(const RegisteredBuild& registered, const Result<Compacted>& compacted,
                       const std::vector<std::string>& objects, CodeBlocks& blocks, const Context& context);
  void ReplaceInRam(const RegisteredBuild& registered, const CodeBlocks& blocks);
  static Status ReplaceInputs(const RegisteredBuild& registered, const Compacted& compacted, const Head& current,
                              Head& next, DeletionMap& deletions);
  Status PublishCompaction(const RegisteredBuild& registered, const Compacted& compacted, bool* published,
                           const Context& context);
  void CompactWhenDue();
  void CompactInBackground(const std::shared_ptr<const CancelToken>& cancel);
  // `branches`: those whose versions it has spared are added.
  Result<VacuumReport> Vacuum(const VacuumOptions& options, Builds builds, std::set<std::string>* branches,
                              const Context& context);
  Status BeginEpochHere(const VacuumOptions& options, Builds builds, uint64_t epoch, VacuumReport& report,
                        const Context& context);
  // The name of the new lease. `held`: one of the same version that it replaces, or empty. kNotFound: too late, the
  // version was removed.
  Result<std::string> TakeLease(const std::string& branch, uint64_t version, int64_t duration_ms,
                                const std::string& held, const Context& context);
  Status CheckLeased(const std::string& branch, uint64_t version, const std::string& held, const Context& context);
  void RemoveLease(const std::string& name);
  Status PutRoutingCopy(const RoutingRef& ref, std::string_view branch_prefix, const Context& context);
  class Erasure;  // erasure.h
  Status EmptyCaches();
  // Options::lease_ms: takes the lease that the handle holds, and renews it.
  Status BeginLease(const Context& context);
  Status ReplaceLease(const Context& context);
  void RenewLease();
  Status WriteBranch(std::string_view name, uint64_t version, const Context& context);
  // Whether it was registered until then.
  bool Unregister(const Build& build, const Context& context);

  const std::unique_ptr<ReadPath> path_;
  const Options options_;
  const std::string branch_;  // "": the main one
  const MemtableOptions memtable_;
  const std::string disk_cache_note_;
  const Observer observer_;
  const std::shared_ptr<const CompactionPolicy> policy_;
  KeyLookup keys_;
  CompactionControl compactions_;
  Mutex compact_mutex_;  // held by Compact; taken before write_mutex_
  mutable Background background_;
  mutable RecentSegments recent_;
  HeldLease lease_;

  // Threads that commit at the same time are one group: one of them commits for all. Guards the following; taken after
  // write_mutex_.
  Mutex group_mutex_;
  CondVar group_changed_;
  uint64_t commit_tickets_ = 0;
  uint64_t served_ticket_ = 0;  // all up to this ticket have this outcome, or are committed
  Status served_status_;
  uint64_t committed_ticket_ = 0;
  bool committing_group_ = false;
  uint64_t group_begin_ = 0;  // the last ticket before the next group
  uint64_t committers_ = 0;   // threads that were in the last one, or came meanwhile
  int64_t commit_took_ns_ = 0;

  // Taken before state_mutex_. Held by whatever commits or compacts, across its requests; not by Write.
  Mutex write_mutex_;
  CommitLog log_;
  Turns turns_{log_.writer()};
  // Segments of committing_'s rows, written for no base in particular.
  struct PreparedSegments {
    std::vector<SegmentInfo> segments;
    size_t rows = 0;
    uint64_t gc_epoch = 0;
    std::shared_ptr<CodeBlocks> blocks;
  };
  std::optional<PreparedSegments> prepared_;
  std::shared_ptr<const RecentRows> new_recent_;  // of the segment in hand; may be null
  std::shared_ptr<CodeBlocks> new_blocks_;        // the same
  PlaceCache places_;                             // of committing_'s keys
  std::vector<std::string> new_objects_;          // written for the swap in hand, not in any head yet
  bool uncertain_ = false;                        // the outcome of the last swap is open
  bool uncertain_changes_ = false;                // it would commit committing_
  Status untold_;                                 // bad: of a commit of what is pending, which nobody heard
  std::shared_ptr<const Routing> new_routing_;    // of the compaction that is being published
  std::string new_routing_sha256_;
  uint64_t committed_version_ = 0;   // the newest that this handle made
  uint64_t archived_version_ = 0;    // the newest that is known to be archived
  mutable SharedMutex state_mutex_;  // the following change together under it
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<WriteBuffer> active_;      // takes new changes
  std::shared_ptr<WriteBuffer> committing_;  // frozen, older than active_; may be null
  uint64_t sequence_ = 0;
  uint64_t conflicts_ = 0;
  int64_t newest_at_ns_ = 0;  // when snapshot_ was known to be the newest
  bool refresh_started_ = false;
  bool flush_started_ = false;
  size_t linkers_ = 0;  // that are at work
  bool closed_ = false;

  // The last: they end before what they read.
  Metrics::CollectorRegistration collector_;
  MemoryBudget::ReclaimerRegistration reclaimer_;
};

}  // namespace isotherm
