#include "cache/single_flight.h"

#include <algorithm>

#include "base/context_check.h"

namespace isotherm {

FetchedExtent Flight::Wait(const Context& context, Clock& clock, bool* cached) {
  constexpr int64_t kCancelCheckNs = 5'000'000;  // a token can't wake a waiter: it looks again after this long
  std::unique_lock lock(mutex_);
  while (!done_) {
    if (Status own = CheckContext(context, clock, "waiting for another call's fetch"); !own.ok()) return {own, {}};
    int64_t wake_ns = context.deadline_ns;
    if (context.cancel != nullptr) wake_ns = std::min(wake_ns, clock.NowNs() + kCancelCheckNs);
    landed_.WaitUntilNs(lock, clock, wake_ns);
  }
  *cached = cached_;
  return outcome_;
}

void Flight::Land(const FetchedExtent& outcome, bool cached) {
  {
    std::lock_guard lock(mutex_);
    outcome_ = outcome;
    cached_ = cached;
    done_ = true;
  }
  landed_.NotifyAll();
}

SingleFlight::Ticket SingleFlight::Join(const BlockKey& key) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Flight>& flight = flights_[key];
  bool mine = flight == nullptr;
  if (mine) flight = std::make_shared<Flight>();
  return {flight, mine};
}

void SingleFlight::Land(const BlockKey& key, Flight& flight, const FetchedExtent& outcome, bool cached) {
  {
    std::lock_guard lock(mutex_);
    flights_.erase(key);
  }
  flight.Land(outcome, cached);
}

}  // namespace isotherm
