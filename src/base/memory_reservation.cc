#include <algorithm>
#include <utility>

#include "base/macros.h"
#include "base/memory_budget.h"

namespace isotherm {

MemoryReservation::MemoryReservation(MemoryReservation&& other) noexcept
    : budget_(std::move(other.budget_)),
      set_aside_(std::move(other.set_aside_)),
      bytes_(std::exchange(other.bytes_, 0)),
      from_set_aside_(std::exchange(other.from_set_aside_, 0)),
      use_(other.use_) {}

MemoryReservation& MemoryReservation::operator=(MemoryReservation&& other) noexcept {
  if (this != &other) {
    Release();
    budget_ = std::move(other.budget_);
    set_aside_ = std::move(other.set_aside_);
    bytes_ = std::exchange(other.bytes_, 0);
    from_set_aside_ = std::exchange(other.from_set_aside_, 0);
    use_ = other.use_;
  }
  return *this;
}

Status MemoryReservation::Resize(uint64_t bytes) {
  if (budget_ != nullptr && bytes > bytes_) {
    uint64_t from_set_aside = 0;
    RETURN_IF_ERROR(budget_->Acquire({use_, bytes - bytes_, set_aside_.get()}, &from_set_aside));
    from_set_aside_ += from_set_aside;
  } else if (budget_ != nullptr) {
    budget_->GiveBack(*this, bytes_ - bytes);
  }
  bytes_ = bytes;
  return Status::Ok();
}

bool MemoryReservation::TryResize(uint64_t bytes) {
  if (budget_ != nullptr && bytes > bytes_) {
    uint64_t from_set_aside = 0;
    if (!budget_->TryAcquire({use_, bytes - bytes_, set_aside_.get()}, &from_set_aside)) return false;
    from_set_aside_ += from_set_aside;
  } else if (budget_ != nullptr) {
    budget_->GiveBack(*this, bytes_ - bytes);
  }
  bytes_ = bytes;
  return true;
}

MemoryReservation MemoryReservation::Split(uint64_t bytes) {
  bytes = std::min(bytes, bytes_);
  MemoryReservation part;
  part.budget_ = budget_;
  part.set_aside_ = set_aside_;
  part.bytes_ = bytes;
  part.from_set_aside_ = bytes - std::min(bytes, bytes_ - from_set_aside_);
  part.use_ = use_;
  bytes_ -= bytes;
  from_set_aside_ -= part.from_set_aside_;
  return part;
}

void MemoryReservation::SetUse(MemoryUse use) {
  if (budget_ != nullptr && use != use_) {
    std::lock_guard lock(budget_->mutex_);
    budget_->by_use_[static_cast<int>(use_)] -= bytes_;
    budget_->by_use_[static_cast<int>(use)] += bytes_;
  }
  use_ = use;
}

void MemoryReservation::Release() {
  if (budget_ != nullptr && bytes_ > 0) budget_->GiveBack(*this, bytes_);
  bytes_ = 0;
  set_aside_ = nullptr;
  budget_ = nullptr;
}

MemorySetAside::MemorySetAside(std::shared_ptr<MemoryBudget> budget) : budget_(std::move(budget)) {}

// Every reservation from it has ended: they own it too.
MemorySetAside::~MemorySetAside() {
  std::lock_guard lock(budget_->mutex_);
  budget_->set_aside_ -= bytes_;
  budget_->used_ -= bytes_;
  budget_->GrantWaiters();
}

Result<MemoryReservation> MemorySetAside::Reserve(MemoryUse use, uint64_t bytes) {
  uint64_t from_set_aside = 0;
  MemoryBudget::Request request{use, bytes, this};
  RETURN_IF_ERROR(budget_->Acquire(request, &from_set_aside));
  return budget_->Make(request, from_set_aside);
}

Result<MemoryReservation> MemorySetAside::WaitReserve(MemoryUse use, uint64_t bytes, const Context& context,
                                                      Clock& clock) {
  uint64_t from_set_aside = 0;
  MemoryBudget::Request request{use, bytes, this};
  RETURN_IF_ERROR(budget_->AcquireWaiting(request, context, clock, &from_set_aside));
  return budget_->Make(request, from_set_aside);
}

Status MemorySetAside::Resize(uint64_t bytes) { return budget_->ResizeSetAside(*this, bytes); }

uint64_t MemorySetAside::bytes() const {
  std::lock_guard lock(budget_->mutex_);
  return bytes_;
}

uint64_t MemorySetAside::free_bytes() const {
  std::lock_guard lock(budget_->mutex_);
  return bytes_ - taken_;
}

}  // namespace isotherm
