// The one accountant of memory. Nothing is allocated here: who needs memory reserves first, allocates then, and gives
// the reservation back when the memory is free.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "base/environment.h"
#include "base/sync.h"
#include "isotherm/context.h"
#include "isotherm/memory.h"
#include "isotherm/status.h"

namespace isotherm {

class MemorySetAside;
class MetricsWriter;

// Bytes of a budget, until released. Movable. Used by one thread at a time; keeps its budget alive.
class MemoryReservation {
 public:
  // Of no budget: any size is granted, nothing is counted.
  MemoryReservation() = default;
  MemoryReservation(MemoryReservation&& other) noexcept;
  MemoryReservation& operator=(MemoryReservation&& other) noexcept;
  ~MemoryReservation() { Release(); }

  uint64_t bytes() const { return bytes_; }
  MemoryUse use() const { return use_; }
  bool counted() const { return budget_ != nullptr; }

  // Grows as Reserve of where it came from does, or shrinks, which never fails. On failure nothing has changed.
  Status Resize(uint64_t bytes);
  // Grows as MemoryBudget::TryReserve does, or shrinks.
  bool TryResize(uint64_t bytes);
  // Takes a part of at most bytes() out, as a reservation of its own.
  MemoryReservation Split(uint64_t bytes);
  void SetUse(MemoryUse use);
  void Release();  // what is left has no bytes and no budget

 private:
  friend class MemoryBudget;
  std::shared_ptr<MemoryBudget> budget_;
  std::shared_ptr<MemorySetAside> set_aside_;  // null: all is from the budget
  uint64_t bytes_ = 0;
  uint64_t from_set_aside_ = 0;  // of bytes_
  MemoryUse use_ = MemoryUse::kOther;
};

// Where memory comes from: the budget, or what was set aside of it.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  // kResourceExhausted, with who uses what, when it does not fit now, even after all caches have made room. Goes before
  // those that wait. Of this and the next: the caller must hold no lock that a reclaimer takes.
  virtual Result<MemoryReservation> Reserve(MemoryUse use, uint64_t bytes) = 0;
  // Waits for others to give back until the context ends; first come, first served. At once kResourceExhausted when
  // `bytes` are more than the limit.
  virtual Result<MemoryReservation> WaitReserve(MemoryUse use, uint64_t bytes, const Context& context,
                                                Clock& clock) = 0;
};

// Thread-safe. Lives in a shared_ptr. The sum of all reservations and of what is set aside is never over the limit.
class MemoryBudget : public MemorySource, public std::enable_shared_from_this<MemoryBudget> {
 public:
  // 0: unlimited.
  explicit MemoryBudget(uint64_t limit_bytes);
  ~MemoryBudget() override;

  Result<MemoryReservation> Reserve(MemoryUse use, uint64_t bytes) override;
  Result<MemoryReservation> WaitReserve(MemoryUse use, uint64_t bytes, const Context& context, Clock& clock) override;
  // For what can be done without, as a cache's growth: only what is free, and nothing while somebody waits or caches
  // make room. Calls no reclaimer, so it may be called with any lock held.
  std::optional<MemoryReservation> TryReserve(MemoryUse use, uint64_t bytes);
  // Somebody waits: no time to keep what can be done without.
  bool contended() const { return waiting_.load(std::memory_order_relaxed) > 0; }

  // Reserves beforehand what a flush or a commit will need.
  Result<std::shared_ptr<MemorySetAside>> SetAside(uint64_t bytes);

  // Gives back up to `wanted` bytes and returns how many it did; 0: no more. Called by whoever reserves, one at a time,
  // and never while the budget's own lock is held; must not reserve but by TryReserve.
  using Reclaimer = std::function<uint64_t(uint64_t wanted)>;
  // Ends with its life, after a call that is under way.
  class ReclaimerRegistration {
   public:
    ReclaimerRegistration() = default;
    ReclaimerRegistration(std::shared_ptr<MemoryBudget> budget, uint64_t id);
    ReclaimerRegistration(ReclaimerRegistration&& other) noexcept = default;
    ReclaimerRegistration& operator=(ReclaimerRegistration&& other) noexcept;
    ~ReclaimerRegistration() { Remove(); }

   private:
    void Remove();
    std::shared_ptr<MemoryBudget> budget_;
    uint64_t id_ = 0;
  };
  [[nodiscard]] ReclaimerRegistration AddReclaimer(Reclaimer reclaimer);

  MemoryUsage Usage() const;

 private:
  friend class MemoryReservation;
  friend class MemorySetAside;

  struct Request {
    MemoryUse use = MemoryUse::kOther;
    uint64_t bytes = 0;
    MemorySetAside* set_aside = nullptr;  // may be null
  };
  struct Waiter {
    explicit Waiter(const Request& r) : request(r) {}
    const Request request;
    bool granted = false;
    uint64_t from_set_aside = 0;
    CondVar changed;
  };

  // These with mutex_ held. Take returns what came from the part set aside.
  uint64_t NeedOf(const Request& request) const;  // beyond what was set aside for it
  bool Fits(const Request& request) const { return NeedOf(request) <= limit_ - used_; }
  uint64_t Take(const Request& request);
  void GrantWaiters();
  uint64_t Enqueue(Waiter& waiter);  // returns how much is missing for all that wait
  MemoryUsage UsageLocked() const;

  Status Refuse(const Request& request);
  Status Acquire(const Request& request, uint64_t* from_set_aside);
  bool TryAcquire(const Request& request, uint64_t* from_set_aside);
  Status AcquireWaiting(const Request& request, const Context& context, Clock& clock, uint64_t* from_set_aside);
  Status WaitForGrant(Waiter& waiter, const Context& context, Clock& clock, std::unique_lock<Mutex>& lock);
  MemoryReservation Make(const Request& request, uint64_t from_set_aside);
  uint64_t Reclaim(uint64_t wanted);
  void GiveBack(MemoryReservation& reservation, uint64_t bytes);
  Status ResizeSetAside(MemorySetAside& set_aside, uint64_t bytes);

  const uint64_t limit_;  // 2^63 - 1: unlimited
  mutable Mutex mutex_;   // guards all below, and every MemorySetAside; nothing else is locked while it is held
  uint64_t used_ = 0;     // never over limit_
  uint64_t by_use_[kMemoryUses] = {};
  uint64_t set_aside_ = 0;  // free of all MemorySetAside
  uint64_t peak_ = 0;
  uint64_t refused_ = 0;
  std::list<Waiter*> waiters_;  // those with something set aside first, else in the order of their coming
  std::atomic<uint64_t> waiting_{0};
  std::atomic<uint64_t> reclaiming_{0};

  struct RegisteredReclaimer {
    uint64_t id;
    Reclaimer reclaim;
  };
  Mutex reclaim_mutex_;                          // guards the rest; held while reclaimers run, locked before any other
  std::vector<RegisteredReclaimer> reclaimers_;  // the next one to ask first
  uint64_t next_reclaimer_id_ = 1;
};

// A part of a budget that only its owner may use: a flush's requests are met from it, whatever others hold, and from
// the budget where they go beyond it. Thread-safe. Ends when its last owner and the last reservation from it are gone.
class MemorySetAside : public MemorySource, public std::enable_shared_from_this<MemorySetAside> {
 public:
  explicit MemorySetAside(std::shared_ptr<MemoryBudget> budget);  // of 0 bytes
  ~MemorySetAside() override;

  Result<MemoryReservation> Reserve(MemoryUse use, uint64_t bytes) override;
  // Goes before those that have nothing set aside: what waits for a flush must not stand in its way.
  Result<MemoryReservation> WaitReserve(MemoryUse use, uint64_t bytes, const Context& context, Clock& clock) override;

  // Growing may fail as MemoryBudget::Reserve does. Shrinks no further than to what is in use. One thread at a time.
  Status Resize(uint64_t bytes);
  uint64_t bytes() const;
  uint64_t free_bytes() const;  // not in use

 private:
  friend class MemoryBudget;
  const std::shared_ptr<MemoryBudget> budget_;
  uint64_t bytes_ = 0;  // guarded by the budget's mutex_, as the next
  uint64_t taken_ = 0;  // of bytes_, by reservations
};

// For a collector: the memory metrics.
void WriteMetrics(const MemoryUsage& usage, MetricsWriter& writer);

// Null budget: a reservation that counts nothing.
Result<MemoryReservation> ReserveMemory(MemoryBudget* budget, MemoryUse use, uint64_t bytes);
// The same, which waits up to 3 s where there is no room: what was committed is on its way out of RAM, but whoever is
// at work on it on a slow machine has yet to see that.
Result<MemoryReservation> ReserveMemoryPatiently(MemoryBudget* budget, MemoryUse use, uint64_t bytes,
                                                 const Context& context, Clock& clock);

}  // namespace isotherm
