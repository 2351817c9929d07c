#include "base/memory_budget.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/context_check.h"
#include "base/macros.h"
#include "isotherm/metrics.h"

namespace isotherm {

namespace {

constexpr uint64_t kUnlimited = std::numeric_limits<int64_t>::max();
// Nothing wakes a thread whose token is set: it looks again after this long.
constexpr int64_t kLookAtTokenNs = 5'000'000;

uint64_t LimitOf(uint64_t asked) { return asked == 0 ? kUnlimited : std::min(asked, kUnlimited); }

// Counts the caller among `counter` as long as it lives.
class Counted {
 public:
  explicit Counted(std::atomic<uint64_t>& counter) : counter_(counter) { ++counter_; }
  ~Counted() { --counter_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<uint64_t>& counter_;
};

}  // namespace

const char* MemoryUseName(MemoryUse use) {
  switch (use) {
    case MemoryUse::kMemtable: return "memtable";
    case MemoryUse::kBlockCache: return "block_cache";
    case MemoryUse::kBuild: return "build";
    case MemoryUse::kQuery: return "query";
    case MemoryUse::kOther: return "other";
  }
  return "?";
}

std::string MemoryUsage::ToString() const {
  std::string text = std::to_string(used_bytes);
  if (limit_bytes > 0) text += " of " + std::to_string(limit_bytes);
  text += " bytes are used (";
  for (int use = 0; use < kMemoryUses; ++use) {
    text += std::string(MemoryUseName(static_cast<MemoryUse>(use))) + " " + std::to_string(by_use[use]) + ", ";
  }
  return text + "set aside " + std::to_string(set_aside_bytes) + ")";
}

std::shared_ptr<MemoryBudget> MakeMemoryBudget(uint64_t limit_bytes) {
  return std::make_shared<MemoryBudget>(limit_bytes);
}

MemoryUsage UsageOf(const MemoryBudget& budget) { return budget.Usage(); }

void WriteMetrics(const MemoryUsage& usage, MetricsWriter& writer) {
  for (size_t use = 0; use < kMemoryUses; ++use) {
    writer.RaiseTo(MetricId::kMemoryUsedBytes, static_cast<double>(usage.by_use[use]), use);
  }
  writer.RaiseTo(MetricId::kMemoryUsedBytes, static_cast<double>(usage.set_aside_bytes), kMemoryUses);
  writer.RaiseTo(MetricId::kMemoryLimitBytes, static_cast<double>(usage.limit_bytes));
  writer.RaiseTo(MetricId::kMemoryPeakBytes, static_cast<double>(usage.peak_bytes));
  writer.RaiseTo(MetricId::kMemoryRefused, static_cast<double>(usage.refused));
}

Result<MemoryReservation> ReserveMemory(MemoryBudget* budget, MemoryUse use, uint64_t bytes) {
  if (budget != nullptr) return budget->Reserve(use, bytes);
  MemoryReservation uncounted;
  uncounted.TryResize(bytes);
  return uncounted;
}

Result<MemoryReservation> ReserveMemoryPatiently(MemoryBudget* budget, MemoryUse use, uint64_t bytes,
                                                 const Context& context, Clock& clock) {
  constexpr int64_t kPatienceNs = 3'000'000'000;
  auto reserved = ReserveMemory(budget, use, bytes);
  if (reserved.ok() || reserved.status().code() != StatusCode::kResourceExhausted) return reserved;
  Context patient = context;
  patient.deadline_ns = std::min(context.deadline_ns, clock.NowNs() + kPatienceNs);
  auto waited = budget->WaitReserve(use, bytes, patient, clock);
  // Whoever gave up, or ran out of its own time, is told that; the patience here is nobody's deadline.
  const bool lost_patience =
      waited.status().code() == StatusCode::kDeadlineExceeded && patient.deadline_ns < context.deadline_ns;
  return lost_patience ? std::move(reserved) : std::move(waited);
}

MemoryBudget::MemoryBudget(uint64_t limit_bytes) : limit_(LimitOf(limit_bytes)) {}

MemoryBudget::~MemoryBudget() = default;

uint64_t MemoryBudget::NeedOf(const Request& request) const {
  if (request.set_aside == nullptr) return request.bytes;
  uint64_t free = request.set_aside->bytes_ - request.set_aside->taken_;
  return request.bytes - std::min(request.bytes, free);
}

uint64_t MemoryBudget::Take(const Request& request) {
  uint64_t need = NeedOf(request);
  uint64_t from_set_aside = request.bytes - need;
  used_ += need;
  by_use_[static_cast<int>(request.use)] += request.bytes;
  if (from_set_aside > 0) {
    request.set_aside->taken_ += from_set_aside;
    set_aside_ -= from_set_aside;
  }
  peak_ = std::max(peak_, used_);
  return from_set_aside;
}

void MemoryBudget::GrantWaiters() {
  while (!waiters_.empty() && Fits(waiters_.front()->request)) {
    Waiter& waiter = *waiters_.front();
    waiters_.pop_front();
    waiter.from_set_aside = Take(waiter.request);
    waiter.granted = true;
    waiter.changed.NotifyOne();
  }
}

MemoryUsage MemoryBudget::UsageLocked() const {
  MemoryUsage usage;
  usage.limit_bytes = limit_ == kUnlimited ? 0 : limit_;
  usage.used_bytes = used_;
  std::copy(std::begin(by_use_), std::end(by_use_), usage.by_use);
  usage.set_aside_bytes = set_aside_;
  usage.peak_bytes = peak_;
  usage.refused = refused_;
  usage.waiting = waiters_.size();
  return usage;
}

MemoryUsage MemoryBudget::Usage() const {
  std::lock_guard lock(mutex_);
  return UsageLocked();
}

Status MemoryBudget::Refuse(const Request& request) {
  MemoryUsage usage;
  {
    std::lock_guard lock(mutex_);
    ++refused_;
    usage = UsageLocked();
  }
  bool ever = request.bytes <= limit_;
  return Status::ResourceExhausted(
      "over the memory budget: " + std::string(MemoryUseName(request.use)) + " asks for " +
      std::to_string(request.bytes) + " bytes more, and " + usage.ToString() +
      (ever ? "; ask for less, wait until others end, or raise the limit" : "; ask for less, or raise the limit"));
}

Status MemoryBudget::Acquire(const Request& request, uint64_t* from_set_aside) {
  for (bool may_reclaim = true;;) {
    uint64_t missing = 0;
    {
      std::lock_guard lock(mutex_);
      if (Fits(request)) {
        *from_set_aside = Take(request);
        return Status::Ok();
      }
      uint64_t need = NeedOf(request);
      missing = need - (limit_ - used_);
      if (need > limit_) may_reclaim = false;
    }
    if (!may_reclaim) return Refuse(request);
    Counted reclaiming(reclaiming_);
    // What it gave back may be somebody else's by now; that it gave nothing ends the matter.
    may_reclaim = Reclaim(missing) > 0;
  }
}

bool MemoryBudget::TryAcquire(const Request& request, uint64_t* from_set_aside) {
  if (contended() || reclaiming_.load(std::memory_order_relaxed) > 0) return false;
  std::lock_guard lock(mutex_);
  if (!Fits(request)) return false;
  *from_set_aside = Take(request);
  return true;
}

uint64_t MemoryBudget::Enqueue(Waiter& waiter) {
  auto place = waiters_.end();
  if (waiter.request.set_aside != nullptr) {
    place = std::find_if(waiters_.begin(), waiters_.end(),
                         [](const Waiter* other) { return other->request.set_aside == nullptr; });
  }
  waiters_.insert(place, &waiter);
  uint64_t needed = 0;
  for (const Waiter* each : waiters_) needed += NeedOf(each->request);
  uint64_t free = limit_ - used_;
  return needed > free ? needed - free : 0;
}

Status MemoryBudget::AcquireWaiting(const Request& request, const Context& context, Clock& clock,
                                    uint64_t* from_set_aside) {
  Waiter waiter(request);
  std::unique_lock lock(mutex_);
  bool first = waiters_.empty() || (request.set_aside != nullptr && waiters_.front()->request.set_aside == nullptr);
  uint64_t need = NeedOf(request);
  if (need == 0 || (first && Fits(request))) {
    *from_set_aside = Take(request);
    return Status::Ok();
  }
  if (need > limit_) {
    lock.unlock();
    return Refuse(request);
  }
  Counted waiting(waiting_);
  uint64_t missing = Enqueue(waiter);
  lock.unlock();
  Reclaim(missing);
  lock.lock();
  RETURN_IF_ERROR(WaitForGrant(waiter, context, clock, lock));
  *from_set_aside = waiter.from_set_aside;
  return Status::Ok();
}

Status MemoryBudget::WaitForGrant(Waiter& waiter, const Context& context, Clock& clock, std::unique_lock<Mutex>& lock) {
  while (!waiter.granted) {
    Status ended = CheckContext(context, clock, "waiting for memory");
    if (!ended.ok()) {
      waiters_.remove(&waiter);
      ++refused_;
      GrantWaiters();
      MemoryUsage usage = UsageLocked();
      return {ended.code(), ended.message() + ": " + MemoryUseName(waiter.request.use) + " asked for " +
                                std::to_string(waiter.request.bytes) + " bytes, and " + usage.ToString()};
    }
    int64_t until_ns = context.deadline_ns;
    if (context.cancel != nullptr) until_ns = std::min(until_ns, clock.NowNs() + kLookAtTokenNs);
    waiter.changed.WaitUntilNs(lock, clock, until_ns);
  }
  return Status::Ok();
}

MemoryReservation MemoryBudget::Make(const Request& request, uint64_t from_set_aside) {
  MemoryReservation reservation;
  reservation.budget_ = shared_from_this();
  if (request.set_aside != nullptr) reservation.set_aside_ = request.set_aside->shared_from_this();
  reservation.bytes_ = request.bytes;
  reservation.from_set_aside_ = from_set_aside;
  reservation.use_ = request.use;
  return reservation;
}

Result<MemoryReservation> MemoryBudget::Reserve(MemoryUse use, uint64_t bytes) {
  uint64_t from_set_aside = 0;
  Request request{use, bytes, nullptr};
  RETURN_IF_ERROR(Acquire(request, &from_set_aside));
  return Make(request, from_set_aside);
}

Result<MemoryReservation> MemoryBudget::WaitReserve(MemoryUse use, uint64_t bytes, const Context& context,
                                                    Clock& clock) {
  uint64_t from_set_aside = 0;
  Request request{use, bytes, nullptr};
  RETURN_IF_ERROR(AcquireWaiting(request, context, clock, &from_set_aside));
  return Make(request, from_set_aside);
}

std::optional<MemoryReservation> MemoryBudget::TryReserve(MemoryUse use, uint64_t bytes) {
  MemoryReservation reservation = Make({use, 0, nullptr}, 0);
  if (!reservation.TryResize(bytes)) return std::nullopt;
  return reservation;
}

Result<std::shared_ptr<MemorySetAside>> MemoryBudget::SetAside(uint64_t bytes) {
  auto set_aside = std::make_shared<MemorySetAside>(shared_from_this());
  RETURN_IF_ERROR(ResizeSetAside(*set_aside, bytes));
  return set_aside;
}

Status MemoryBudget::ResizeSetAside(MemorySetAside& set_aside, uint64_t bytes) {
  std::unique_lock lock(mutex_);
  uint64_t old_bytes = set_aside.bytes_;
  if (bytes > old_bytes) {
    lock.unlock();
    uint64_t none = 0;
    RETURN_IF_ERROR(Acquire({MemoryUse::kOther, bytes - old_bytes, nullptr}, &none));
    lock.lock();
    by_use_[static_cast<int>(MemoryUse::kOther)] -= bytes - old_bytes;
    set_aside_ += bytes - old_bytes;
    set_aside.bytes_ += bytes - old_bytes;
    return Status::Ok();
  }
  uint64_t less = old_bytes - std::max(bytes, set_aside.taken_);
  set_aside.bytes_ -= less;
  set_aside_ -= less;
  used_ -= less;
  GrantWaiters();
  return Status::Ok();
}

void MemoryBudget::GiveBack(MemoryReservation& reservation, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  uint64_t own = std::min(bytes, reservation.bytes_ - reservation.from_set_aside_);
  uint64_t to_set_aside = bytes - own;
  by_use_[static_cast<int>(reservation.use_)] -= bytes;
  used_ -= own;
  if (to_set_aside > 0) {
    reservation.set_aside_->taken_ -= to_set_aside;
    set_aside_ += to_set_aside;
    reservation.from_set_aside_ -= to_set_aside;
  }
  reservation.bytes_ -= bytes;
  GrantWaiters();
}

uint64_t MemoryBudget::Reclaim(uint64_t wanted) {
  std::lock_guard lock(reclaim_mutex_);
  uint64_t freed = 0;
  for (const RegisteredReclaimer& each : reclaimers_) {
    if (freed >= wanted) break;
    freed += each.reclaim(wanted - freed);
  }
  // So that not one cache alone makes room for all.
  if (reclaimers_.size() > 1) std::rotate(reclaimers_.begin(), reclaimers_.begin() + 1, reclaimers_.end());
  return freed;
}

MemoryBudget::ReclaimerRegistration MemoryBudget::AddReclaimer(Reclaimer reclaimer) {
  std::lock_guard lock(reclaim_mutex_);
  uint64_t id = next_reclaimer_id_++;
  reclaimers_.push_back({id, std::move(reclaimer)});
  return {shared_from_this(), id};
}

MemoryBudget::ReclaimerRegistration::ReclaimerRegistration(std::shared_ptr<MemoryBudget> budget, uint64_t id)
    : budget_(std::move(budget)), id_(id) {}

MemoryBudget::ReclaimerRegistration& MemoryBudget::ReclaimerRegistration::operator=(
    ReclaimerRegistration&& other) noexcept {
  if (this != &other) {
    Remove();
    budget_ = std::move(other.budget_);
    id_ = other.id_;
  }
  return *this;
}

void MemoryBudget::ReclaimerRegistration::Remove() {
  if (budget_ == nullptr) return;
  {
    std::lock_guard lock(budget_->reclaim_mutex_);
    std::erase_if(budget_->reclaimers_, [&](const RegisteredReclaimer& each) { return each.id == id_; });
  }
  budget_ = nullptr;
}

}  // namespace isotherm
