// One fetch of an extent, however many ask for it at once.
#pragma once

#include <memory>
#include <unordered_map>

#include "base/environment.h"
#include "base/sync.h"
#include "cache/block_hash.h"
#include "cache/extent_cache.h"

namespace isotherm {

// A fetch under way, shared by the call that does it and those that wait.
class Flight {
 public:
  // The outcome, or the Status of the waiter's own context when that ends first; `*cached` tells whether the outcome
  // was put into the caches.
  FetchedExtent Wait(const Context& context, Clock& clock, bool* cached);
  void Land(const FetchedExtent& outcome, bool cached);

 private:
  Mutex mutex_;
  CondVar landed_;
  bool done_ = false;
  bool cached_ = false;
  FetchedExtent outcome_;
};

// Thread-safe.
class SingleFlight {
 public:
  struct Ticket {
    std::shared_ptr<Flight> flight;
    bool mine = false;  // the caller must fetch and then call Land
  };
  Ticket Join(const BlockKey& key);
  // Whoever comes after this starts a flight of its own: what is to be found by it must be in the caches before.
  void Land(const BlockKey& key, Flight& flight, const FetchedExtent& outcome, bool cached);

 private:
  Mutex mutex_;
  std::unordered_map<BlockKey, std::shared_ptr<Flight>, BlockKeyHash> flights_;
};

}  // namespace isotherm
