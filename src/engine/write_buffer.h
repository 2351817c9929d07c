// What a handle has written and not committed: for every key the net effect of its changes. It lies over a snapshot: a
// key that is in it hides what the snapshot has of that key.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/memory_budget.h"
#include "base/sync.h"
#include "engine/memtable_rows.h"
#include "isotherm/row.h"
#include "isotherm/status.h"
#include "isotherm/write_batch.h"

namespace isotherm {

// What a key's row is to become.
enum class Effect : uint8_t {
  kPut,         // this row
  kDelete,      // none
  kSoftDelete,  // absent, but it can be restored
};

// What must be true of the row below for the change to be committed.
struct Expectation {
  enum class Kind : uint8_t {
    kNothing,
    kAbsent,
    kPresent,      // in whatever version
    kVersion,      // in this version
    kSoftVersion,  // softly deleted, in this version
    kEither,       // kVersion or kSoftVersion
  };
  // A row that an older buffer writes, whose version is not known yet.
  static constexpr uint64_t kUncommitted = UINT64_MAX;

  Kind kind = Kind::kNothing;
  uint64_t version = 0;  // of the last three
};

struct PendingChange {
  Effect effect = Effect::kPut;
  bool soft = false;      // kPut: the row is written as a softly deleted one
  bool deferred = false;  // nobody sees it before it is committed
  Expectation expectation;
  uint64_t first_sequence = 0;                 // of the first change of this key
  std::shared_ptr<const Row> row;              // kPut
  std::shared_ptr<const MetadataPatch> patch;  // the row came of this patch of the row that `expectation` tells of
  // The same where that row is brought back from a soft deletion: then what is below may change only until it is
  // committed.
  std::shared_ptr<const MetadataPatch> patch_of_restored;
};

// What a change takes in RAM beside its row as it is encoded: the objects that hold both, and its places in tables.
inline constexpr uint64_t kChangeBytes = 448;

// The row with its metadata changed, as one that is not committed.
Row Patched(Row row, const MetadataPatch& patch);

// What a change finds when the key has one already that is not committed: kAlreadyExists for an insert over a live row,
// kNotFound for a patch or a restore over a deleted one; kConflict for a version that can't be told yet.
Status CheckOver(const PendingChange& visible, const Mutation& mutation);

// Whether the key has a row after the change, once it is seen.
inline bool IsLive(const PendingChange& change) { return change.effect == Effect::kPut && !change.soft; }

// Thread-safe. Sequence numbers rise through all buffers of a handle; a reader that remembers one sees no change after
// it.
class WriteBuffer {
 public:
  explicit WriteBuffer(const MemtableOptions& options) : rows_(std::make_shared<MemtableRows>(options)) {}

  // The change of a key, as it is now, deferred or not; nothing when the key is untouched.
  std::optional<PendingChange> Find(const Key& key) const;
  // Nothing also when it is deferred.
  std::optional<PendingChange> FindSeen(const Key& key) const;
  // Whether there was a change of `key` up to `sequence` that is seen.
  bool Hides(const Key& key, uint64_t sequence) const;
  // Whether Hides can be true of any key; waits for nobody.
  bool hides_any() const { return hides_any_.load(std::memory_order_acquire); }

  // Composes `change` with an earlier one of its key, which keeps its expectation: that is about the row below both.
  void Add(const Key& key, PendingChange change);
  // Puts back what the key had before.
  void Reset(const Key& key, std::optional<PendingChange> before);
  // Adds all changes of a newer buffer; searches see them as that one's.
  void Merge(const WriteBuffer& newer);
  // Lets searches see the key's change, as it is now, from `sequence` on. To be called when a batch has been added:
  // what is reset is never seen.
  void Show(const Key& key, uint64_t sequence);
  // A buffer below was committed as `version`: what expected its rows expects that version now.
  void CommittedBelow(uint64_t version);

  // The change of `key` in the buffer below is made of another row than `before`: what was made of its row is made
  // anew, and seen from `sequence` on.
  void Rebase(const Key& key, const PendingChange& before, const PendingChange& below, uint64_t sequence);

  // What its rows take of a memory budget; given back when no buffer has them any more.
  void Hold(MemoryReservation memory);

  size_t size() const;     // keys
  uint64_t bytes() const;  // about what its rows take
  // In the order of their first changes.
  std::vector<std::pair<Key, PendingChange>> Changes() const;
  // Live rows that are seen.
  std::vector<std::shared_ptr<const Row>> LiveRows() const;
  // The same, as searches see them.
  const std::shared_ptr<MemtableRows>& rows() const { return rows_; }

 private:
  struct Entry {
    Key key;
    PendingChange change;
    uint32_t slot = kNoSlot;  // of what searches see of it
  };
  void Set(const Key& key, PendingChange change);

  mutable SharedMutex mutex_;
  std::deque<Entry> entries_;
  std::unordered_map<Key, size_t, KeyHash> index_;
  uint64_t bytes_ = 0;
  std::atomic<bool> hides_any_{false};
  const std::shared_ptr<MemtableRows> rows_;
};

}  // namespace isotherm
