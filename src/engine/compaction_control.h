// Whether a handle may compact in the background now, and what its compactions have come to.
#pragma once

#include <cstdint>
#include <memory>

#include "base/environment.h"
#include "base/sync.h"
#include "isotherm/context.h"
#include "isotherm/status.h"

namespace isotherm {

struct CompactionCounts {
  uint64_t published = 0;
  uint64_t lost = 0;  // against another writer's
  uint64_t failed = 0;
  uint64_t resumed = 0;  // begun by going on with another one
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;  // also by those that came to nothing
  uint64_t bytes_resumed = 0;  // that needed not be written again
  uint64_t commit_bytes = 0;   // written by commits, for comparison
  uint64_t row_bytes = 0;      // of their rows
};

// Thread-safe.
class CompactionControl {
 public:
  explicit CompactionControl(std::shared_ptr<Environment> env) : env_(std::move(env)) {}

  // The token of a compaction that may begin in the background; null when there is one already, while there is a Pause,
  // and for a time after a failure: a second, and twice as long after each further one, up to ten minutes.
  std::shared_ptr<const CancelToken> TryBegin();
  // To be called with the outcome of each that TryBegin let begin.
  void End(const Status& status);

  // While it lives, none runs in the background: one that does is cancelled and waited for.
  class Pause {
   public:
    explicit Pause(CompactionControl& control);
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    CompactionControl& control_;
  };

  void Count(const CompactionCounts& more);
  CompactionCounts counts() const;

 private:
  const std::shared_ptr<Environment> env_;
  mutable Mutex mutex_;
  CondVar ended_;
  std::shared_ptr<CancelToken> running_;  // null: none
  uint32_t pauses_ = 0;
  uint32_t failures_ = 0;  // one after the other
  int64_t not_before_ns_ = 0;
  CompactionCounts counts_;
};

}  // namespace isotherm
