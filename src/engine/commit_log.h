// The compare-and-swap of the head, with what it takes to know its outcome.
//
// A swap whose answer was lost may have landed, may land later, or never. It is settled by reading the head and looking
// for this writer's own sequence number in its slot, never by comparing content:
//   the slot has it             it landed
//   not there, the head moved   it never will: its precondition is gone for good, since no two heads are alike
//   not there, the same head    the swap is tried again, which burns the precondition if it succeeds
//   another writer's slot now   it can't be told any more; a slot is taken over an hour after its last commit
// docs/durability.md has the whole of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "engine/head.h"
#include "isotherm/blob_store.h"
#include "isotherm/context.h"
#include "isotherm/status.h"

namespace isotherm {

struct LoadedHead {
  Head head;
  std::string etag;
  uint64_t bytes = 0;
};

enum class SwapOutcome : uint8_t {
  kLanded,
  kLost,       // certainly not, and never will be: another write took its place
  kUncertain,  // not known yet
  kFenced,     // never to be known: the slot went to another writer. It landed long ago, or never will
};

struct SwapResult {
  SwapOutcome outcome = SwapOutcome::kUncertain;
  Status status;  // why, when it is uncertain
  // kLanded: as written; when others came behind it, with an etag that is out of date. kFenced: the newest. kLost: the
  // one in its place, or none (version 0) when the swap was not sent, or refused, for the reason in `status`.
  LoadedHead head;
};

// A writer's slot in the head, and the sequence numbers of its commits. One per writing handle; not thread-safe.
class CommitLog {
 public:
  // `branch_prefix`: see object_names.h.
  // `copies`: of each swap; see PutRequest.
  CommitLog(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> env, std::string_view branch_prefix = {},
            uint32_t copies = 1);

  const Nonce& writer() const { return writer_; }
  Result<LoadedHead> Load(const Context& context) const;

  // Makes `next`, derived from `base`, the head: sets its version, time, write nonce and this writer's slot, and swaps.
  // After kUncertain the only swap that may follow is Settle.
  SwapResult Swap(const LoadedHead& base, Head next, const Context& context);
  // Finds out what became of the last uncertain swap; tries it again where that is the only way to know.
  SwapResult Settle(const Context& context);

  // Writes the first head of a collection. kAlreadyExists when there is one; kUnknown when it can't be told whether the
  // one that is there, or will be, is this one.
  Result<LoadedHead> Create(Head head, const Context& context) const;

 private:
  // Puts this writer's next sequence number into its slot, or into one that nobody used for an hour, or a new one.
  Status Register(Head& next);
  const WriterSlot* OwnSlot(const Head& head) const;
  // One conditional put of next_.
  Result<LoadedHead> Attempt(const Context& context);
  // What the head that is there says about next_; nothing when the swap must be tried again to know.
  std::optional<SwapResult> Judge(LoadedHead found);
  SwapResult Landed(LoadedHead found);

  const std::shared_ptr<BlobStore> store_;
  const std::shared_ptr<Environment> env_;
  const std::string head_name_;
  const Nonce writer_;
  const uint32_t copies_;
  uint64_t sequence_ = 0;  // of the last commit that landed
  // The swap in hand, until it is known to have landed or to be lost.
  Head next_;
  std::string base_etag_;
};

// Asks the store whether it keeps preconditions; Unsupported, saying which one it breaks. Leaves nothing behind.
Status ProbeStore(BlobStore& store, Random& random, const Context& context);

}  // namespace isotherm
