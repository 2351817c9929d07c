// One call of Collection::Erase. docs/decisions/0012-erasure.md says why its steps are these, in this order.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/collection_impl.h"
#include "engine/history.h"
#include "engine/key_traces.h"
#include "isotherm/erasure.h"

namespace isotherm {

// Works on the branches one by one, each through a handle of its own; the caller's one for its own branch.
class CollectionImpl::Erasure {
 public:
  Erasure(CollectionImpl& own, std::span<const Key> keys, const ErasureOptions& options, const Progress& progress,
          const Context& context);

  // The caller holds compact_mutex_ of its handle, and lets no compaction run in the background.
  Result<ErasureReport> Run();
  // What Run would do.
  Result<ErasureReport> Foresee();

 private:
  struct Branch {
    ErasureBranch report;
    uint64_t deleted_in = 0;  // the first version without the rows: what has a trace and is newer was written since
    std::map<uint64_t, bool> holds;   // by version: whether it has traces; those that were looked at
    std::set<std::string> rewritten;  // segments with traces only of rows that were written since
  };

  // erasure.cc
  // The compaction that rewrites those of the head's segments that are among `names`.
  static PickedPlan PlanOf(const Head& head, const std::set<std::string>& names);
  Result<CollectionImpl*> HandleOf(const std::string& name);
  Status EraseBranch(const std::string& name);
  // Whether what failed did so because the branch was deleted meanwhile. One that has its name by now is another one.
  bool IsGone(const std::string& name, const Status& failed);
  // *clean: nothing of the rows is left in its newest version, nor in one that can be opened.
  Status TryBranch(CollectionImpl& handle, Branch& branch, bool* clean);
  Status DeleteRows(CollectionImpl& handle, Branch& branch);
  Status RewriteSegments(CollectionImpl& handle, Branch& branch);
  Status EndVersions(CollectionImpl& handle, Branch& branch, bool* clean);
  static Status ReplaceRoutingCopy(CollectionImpl& handle, const Context& context);
  Status BreakLeases();
  Status CollectGarbage();
  Status Mark();
  bool IsClean(const Head& head, const DeletionMap& deletions, const Branch& branch) const;
  static void AddRewritten(const std::set<std::string>& segments, Branch& branch);

  // erasure_report.cc
  // Those of its segments with the rows, or that may have them. Leaves it those that are there.
  Result<std::set<std::string>> SegmentsThatHold(Head& version);
  // Whether an archived version that was not removed holds rows that are to go.
  Result<bool> Holds(const std::string& name, Branch& branch, const VersionName& version);
  // The newest of the archived versions from `from` to before `to` that holds some; 0: none does. Counts them.
  Result<uint64_t> NewestHolding(const std::string& name, Branch& branch, uint64_t from, uint64_t to);
  Status FindHolds();
  // The same of what a vacuum has left. *garbage: a version that it spared is leased no more.
  Status FindLeft(bool* garbage);
  bool IsDead(const std::string& segment) const;
  Status ForeseeBranch(const std::string& name, const Head& head);
  // All branches at first, and then those that were made meanwhile.
  Result<std::vector<std::string>> Unmarked();
  void Conclude();

  CollectionImpl& own_;
  const ErasureOptions options_;
  const Progress& progress_;
  const Context& context_;
  KeyTraces traces_;
  uint64_t epoch_ = 0;  // what was begun before it goes
  Nonce id_{};
  std::map<std::string, std::unique_ptr<Collection>> handles_;
  std::map<std::string, Branch> branches_;
  // That hold rows, and that no version may name any more, but for those that turned out to have been rewritten.
  std::set<std::string> dead_segments_;
  // The last vacuum met a branch that was made meanwhile: what that names stays until the next one, though it be gone.
  bool spared_others_ = false;
  ErasureReport report_;
};

}  // namespace isotherm
