#include "cache/single_flight.h"

#include <chrono>

#include "base/context_check.h"

namespace isotherm {

FetchedExtent Flight::Wait(const Context& context, Clock& clock, bool* cached) {
  // Neither a token nor an injected clock can wake a waiter: it looks again after this long.
  constexpr std::chrono::milliseconds kSlice(5);
  std::unique_lock lock(mutex_);
  while (!done_) {
    if (Status own = CheckContext(context, clock, "waiting for another call's fetch"); !own.ok()) return {own, {}};
    landed_.wait_for(lock, kSlice);
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
  landed_.notify_all();
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
