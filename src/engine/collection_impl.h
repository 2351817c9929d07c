// The collection behind the public interface: state and locks. What it does with them lies in the other files of the
// engine.
#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "engine/commit_log.h"
#include "engine/key_lookup.h"
#include "engine/row_table.h"
#include "engine/snapshot.h"
#include "isotherm/collection.h"

namespace isotherm {

class CollectionImpl : public Collection {
 public:
  CollectionImpl(std::unique_ptr<ReadPath> path, const Options& options, std::shared_ptr<const Snapshot> snapshot,
                 std::string disk_cache_note);
  ~CollectionImpl() override;

  Status Insert(Row row, const Context& context) override;
  Status InsertBatch(std::vector<Row> rows, const Context& context) override;
  Status Commit(const Context& context) override;
  Status DiscardPending(const Context& context) override;
  Result<SearchResult> Search(std::span<const float> query, const SearchOptions& options,
                              const Context& context) override;
  Result<std::vector<SearchResult>> BatchSearch(std::span<const float> queries, const SearchOptions& options,
                                                const Context& context) override;
  Result<Row> Get(const Key& key, const Context& context) override;
  Result<std::vector<bool>> Contains(std::span<const Key> keys, const Context& context) override;
  Status Scan(const std::function<Status(Row)>& visit, const ScanOptions& options, const Context& context) override;
  Status Refresh(const Context& context) override;
  Status Compact(const CompactOptions& options, const Progress& progress, const Context& context) override;
  Result<VerifyReport> Verify(const Progress& progress, const Context& context) override;
  CollectionStats Stats() const override;
  Status Close(const Context& context) override;

 private:
  std::shared_ptr<const Snapshot> snapshot() const;
  Status CheckOpen() const;
  Status CheckWritable() const;
  Status CheckRow(const Row& row) const;
  // kAlreadyExists naming the first of `keys` that is in the snapshot.
  Status CheckAbsent(const Snapshot& at, std::span<const Key> keys, const Context& context);

  // Commit's parts; the caller holds write_mutex_. `force_segment`: rows of the head go into a segment too.
  Status CommitLocked(bool force_segment, const Context& context);
  Status CommitRows(size_t count, bool force_segment, const Context& context);
  Result<SwapResult> TrySwap(const Snapshot& base, size_t count, bool force_segment, const Context& context);
  Status AfterSwap(SwapResult swap, size_t count, const Context& context, bool* landed);
  Status Adopt(LoadedHead head, size_t committed, const Context& context);
  void Publish(std::shared_ptr<const Snapshot> next, size_t committed);
  Status OtherWasFaster() const;
  Status CompactLocked(const CompactOptions& options, const Progress& progress, const Context& context);

  const std::unique_ptr<ReadPath> path_;
  const Options options_;
  const std::string disk_cache_note_;
  KeyLookup keys_;

  // Taken before state_mutex_. Held by whatever inserts, commits or compacts, across its requests.
  std::mutex write_mutex_;
  CommitLog log_;
  std::string new_segment_;       // written for the swap in hand, not in any head yet
  bool uncertain_ = false;        // the outcome of the last swap is open
  size_t uncertain_rows_ = 0;     // the first rows of pending_, which it would commit
  uint64_t checked_version_ = 0;  // the keys of pending_ were absent at this version

  mutable std::shared_mutex state_mutex_;  // snapshot_ and pending_ change together under it
  std::shared_ptr<const Snapshot> snapshot_;
  RowTable pending_;
  uint64_t conflicts_ = 0;
  bool closed_ = false;
};

}  // namespace isotherm
