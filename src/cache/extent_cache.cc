#include "cache/extent_cache.h"

#include <mutex>
#include <shared_mutex>
#include <utility>

#include "base/context_check.h"
#include "base/crc32c.h"
#include "base/planted.h"
#include "base/sync.h"
#include "cache/request_plan.h"
#include "cache/single_flight.h"

namespace isotherm {

namespace {

std::string Describe(const Extent& extent) {
  return extent.object + ": extent of " + std::to_string(extent.length) + " bytes at offset " +
         std::to_string(extent.offset);
}

// The extent out of an answer that begins at `answer_offset` of the object; kCorruption when it is damaged or missing.
FetchedExtent Extract(const Extent& extent, uint64_t answer_offset, std::string_view answer) {
  uint64_t begin = extent.offset - answer_offset;
  if (begin + extent.length > answer.size()) {
    return {Status::Corruption(Describe(extent) + " is cut off: the object has only " +
                               std::to_string(answer_offset + answer.size()) + " bytes"),
            {}};
  }
  std::string_view bytes = answer.substr(begin, extent.length);
  uint32_t crc = Crc32c(bytes);
  if (crc != extent.crc32c && !Planted(Bug::kTrustedExtents)) {
    return {Status::Corruption(Describe(extent) + " has the checksum " + std::to_string(crc) + ", its directory says " +
                               std::to_string(extent.crc32c)),
            {}};
  }
  return {Status::Ok(), PinnedBlock::Copy(bytes)};
}

// What the store's own failure means for an extent. A valid range that a store refuses begins past the object's end.
Status FailureOf(const Extent& extent, const Status& status) {
  if (status.code() == StatusCode::kInvalidArgument) {
    return Status::Corruption(Describe(extent) + " is cut off: " + status.message());
  }
  return status.WithContext(Describe(extent));
}

Status Validate(const Extent& extent) {
  Status name = ValidateObjectName(extent.object);
  if (!name.ok()) return name;
  if (extent.offset + extent.length < extent.offset) {
    return Status::InvalidArgument(Describe(extent) + " ends past 2^64");
  }
  return Status::Ok();
}

}  // namespace

void FetchCounts::Add(const FetchCounts& other) {
  ram_hits += other.ram_hits;
  disk_hits += other.disk_hits;
  misses += other.misses;
  joined += other.joined;
  ram_bytes += other.ram_bytes;
  disk_bytes += other.disk_bytes;
  store_bytes += other.store_bytes;
  requests += other.requests;
}

void FetchCounts::AddTo(Metrics& metrics) const {
  constexpr auto kRam = static_cast<size_t>(CacheTier::kRam);
  constexpr auto kDisk = static_cast<size_t>(CacheTier::kDisk);
  constexpr auto kStore = static_cast<size_t>(CacheTier::kStore);
  metrics.Add(MetricId::kCacheHits, ram_hits, kRam);
  metrics.Add(MetricId::kCacheHits, disk_hits, kDisk);
  metrics.Add(MetricId::kCacheMisses, misses);
  metrics.Add(MetricId::kCacheJoined, joined);
  metrics.Add(MetricId::kCacheBytes, ram_bytes, kRam);
  metrics.Add(MetricId::kCacheBytes, disk_bytes, kDisk);
  metrics.Add(MetricId::kCacheBytes, store_bytes, kStore);
}

struct ExtentCache::State {
  std::shared_ptr<BlobStore> store;
  std::shared_ptr<BlockCache> ram;
  std::shared_ptr<DiskCache> disk;
  std::shared_ptr<Environment> env;
  std::string scope;
  std::shared_ptr<MemoryBudget> budget;  // may be null
  std::shared_ptr<Metrics> metrics;      // may be null
  SingleFlight flights;
  SharedMutex filling;  // held alone while the caches are cleared
  Mutex totals_mutex;
  FetchCounts totals;

  // Length and checksum are part of the key: of an object that was made anew under its old name, nothing old is found.
  BlockKey KeyOf(const Extent& extent) const {
    BlockKey key = BlockKey::Of(scope, extent.object, extent.offset);
    key.low ^= uint64_t{extent.length} << 32 | extent.crc32c;
    return key;
  }
};

// One call of Fetch.
class ExtentCache::Call {
 public:
  Call(State& state, const Context& context, std::span<const Extent> extents, const FetchOptions& options)
      : state_(state),
        context_(context),
        extents_(extents),
        options_(options),
        clears_(state.ram->clears()),
        keys_(extents.size()),
        flights_(extents.size()),
        results_(extents.size()) {}

  // A flight that an exception left in the air would keep its waiters forever.
  ~Call() {
    for (size_t i = 0; i < flights_.size(); ++i) {
      if (flights_[i] != nullptr) Finish(i, {Status::Internal(Describe(extents_[i]) + " was not fetched"), {}}, false);
    }
  }

  void Run() {
    std::vector<size_t> open = TakeFromRam();
    while (!open.empty()) {
      std::vector<size_t> mine;
      std::vector<std::pair<size_t, std::shared_ptr<Flight>>> others;
      for (size_t i : open) {
        SingleFlight::Ticket ticket = state_.flights.Join(keys_[i]);
        if (ticket.mine) {
          flights_[i] = std::move(ticket.flight);
          mine.push_back(i);
        } else {
          others.emplace_back(i, std::move(ticket.flight));
        }
      }
      FetchMine(std::move(mine));
      open = WaitFor(others);
    }
  }

  std::vector<FetchedExtent> TakeResults() { return std::move(results_); }
  const FetchCounts& counts() const { return counts_; }

 private:
  // What is left to fetch.
  std::vector<size_t> TakeFromRam() {
    std::vector<size_t> missing;
    for (size_t i = 0; i < extents_.size(); ++i) {
      const Extent& extent = extents_[i];
      if (Status valid = Validate(extent); !valid.ok()) {
        results_[i].status = valid;
      } else if (extent.length == 0) {
        results_[i] = Extract(extent, extent.offset, {});
      } else {
        keys_[i] = state_.KeyOf(extent);
        if (!FindInRam(i)) missing.push_back(i);
      }
    }
    return missing;
  }

  bool FindInRam(size_t i) {
    results_[i].block = state_.ram->Lookup(keys_[i]);
    if (!results_[i].block.valid()) return false;
    ++counts_.ram_hits;
    counts_.ram_bytes += extents_[i].length;
    return true;
  }

  void FetchMine(std::vector<size_t> mine) {
    // Another call may have landed between the look into RAM and the start of this flight.
    std::erase_if(mine, [&](size_t i) {
      if (!FindInRam(i)) return false;
      Land(i, /*cached=*/true);
      return true;
    });
    Status own = CheckContext(context_, *state_.env->clock, "reading extents");
    if (own.ok()) TakeFromDisk(mine);
    counts_.misses += mine.size();
    if (!own.ok()) {
      for (size_t i : mine) Finish(i, {own, {}}, false);
    } else if (!mine.empty()) {
      AskStore(PlanRequests(extents_, mine, options_), /*damaged_again=*/false);
    }
  }

  void TakeFromDisk(std::vector<size_t>& wanted) {
    constexpr size_t kWorthThreads = 4;
    if (state_.disk == nullptr) return;
    auto look_up = [&](size_t n) {
      const Extent& extent = extents_[wanted[n]];
      results_[wanted[n]].block = state_.disk->Lookup(keys_[wanted[n]], extent.length, extent.crc32c);
    };
    if (wanted.size() >= kWorthThreads) {
      state_.env->executor->ParallelFor(wanted.size(), look_up);
    } else {
      for (size_t n = 0; n < wanted.size(); ++n) look_up(n);
    }
    std::erase_if(wanted, [&](size_t i) {
      if (!results_[i].block.valid()) return false;
      ++counts_.disk_hits;
      counts_.disk_bytes += extents_[i].length;
      Finish(i, std::move(results_[i]), options_.fill_cache);
      return true;
    });
  }

  Result<MemoryReservation> Reserve(uint64_t bytes) {
    MemoryBudget* const budget = state_.budget.get();
    if (!options_.waits_for_memory) return ReserveMemory(budget, options_.memory_use, bytes);
    return ReserveMemoryPatiently(budget, options_.memory_use, bytes, context_, *state_.env->clock);
  }

  void AskStore(const std::vector<PlannedRequest>& plan, bool damaged_again) {
    std::vector<ReadRequest> requests;
    requests.reserve(plan.size());
    for (const PlannedRequest& planned : plan) {
      requests.push_back({extents_[planned.extents.front()].object, ByteRange{planned.offset, planned.length}, {}});
    }
    auto memory = Reserve(MemoryOf(plan));
    if (!memory.ok()) return Fail(plan, memory.status());
    counts_.requests += requests.size();
    std::vector<ReadResult> answers = state_.store->Read(context_, requests);
    while (answers.size() < requests.size()) {
      answers.emplace_back().status = Status::Internal(state_.store->Describe() + " gave too few answers");
    }
    std::vector<PlannedRequest> damaged;
    for (size_t r = 0; r < plan.size(); ++r) {
      counts_.store_bytes += answers[r].data.size();
      for (size_t i : plan[r].extents) {
        const Extent& extent = extents_[i];
        if (!answers[r].status.ok()) {
          Finish(i, {FailureOf(extent, answers[r].status), {}}, false);
          continue;
        }
        FetchedExtent fetched = Extract(extent, plan[r].offset, answers[r].data);
        fetched.block.Charge(memory->Split(PinnedBlock::MemoryOf(extent.length)));
        if (!fetched.status.ok() && !damaged_again) {
          damaged.push_back({extent.offset, extent.length, {i}});
        } else {
          Finish(i, std::move(fetched), options_.fill_cache);
        }
      }
      std::string().swap(answers[r].data);
      memory->TryResize(memory->bytes() - plan[r].length);
    }
    if (!damaged.empty()) AskStore(damaged, /*damaged_again=*/true);
  }

  // The answers, and the blocks that are made of them.
  uint64_t MemoryOf(const std::vector<PlannedRequest>& plan) const {
    uint64_t bytes = 0;
    for (const PlannedRequest& planned : plan) {
      bytes += planned.length;
      for (size_t i : planned.extents) bytes += PinnedBlock::MemoryOf(extents_[i].length);
    }
    return bytes;
  }

  void Fail(const std::vector<PlannedRequest>& plan, const Status& status) {
    for (const PlannedRequest& planned : plan) {
      for (size_t i : planned.extents) Finish(i, {status.WithContext(Describe(extents_[i])), {}}, false);
    }
  }

  // Into the caches, if it is to go there, before those who come next could miss it.
  void Finish(size_t i, FetchedExtent outcome, bool fill) {
    fill = fill && outcome.status.ok();
    if (fill) Fill(i, outcome.block);
    results_[i] = std::move(outcome);
    Land(i, fill);
  }

  void Land(size_t i, bool cached) {
    std::shared_ptr<Flight> flight = std::move(flights_[i]);
    state_.flights.Land(keys_[i], *flight, results_[i], cached);
  }

  // Unless the caches were cleared since this call began: what it reads may be what had to go.
  void Fill(size_t i, const PinnedBlock& block) {
    std::shared_lock filling(state_.filling);
    if (state_.ram->clears() != clears_) return;
    state_.ram->Insert(keys_[i], block);
    if (state_.disk != nullptr) state_.disk->Insert(keys_[i], block, extents_[i].crc32c);
  }

  // Those that are still to be fetched.
  std::vector<size_t> WaitFor(const std::vector<std::pair<size_t, std::shared_ptr<Flight>>>& others) {
    std::vector<size_t> open;
    for (const auto& [i, flight] : others) {
      bool cached = false;
      results_[i] = flight->Wait(context_, *state_.env->clock, &cached);
      const Status& status = results_[i].status;
      bool others_own = status.code() == StatusCode::kCancelled || status.code() == StatusCode::kDeadlineExceeded ||
                        status.code() == StatusCode::kResourceExhausted;
      if (others_own) {
        // This call's own context or memory may do; if not, then that is what it is told.
        Status own = CheckContext(context_, *state_.env->clock, "reading extents");
        if (own.ok()) open.push_back(i);
        results_[i] = {own, {}};
        continue;
      }
      ++counts_.joined;
      if (status.ok() && options_.fill_cache && !cached) Fill(i, results_[i].block);
    }
    return open;
  }

  State& state_;
  const Context& context_;
  const std::span<const Extent> extents_;
  const FetchOptions& options_;
  const uint64_t clears_;
  std::vector<BlockKey> keys_;
  std::vector<std::shared_ptr<Flight>> flights_;  // of this call, not landed yet
  std::vector<FetchedExtent> results_;
  FetchCounts counts_;
};

ExtentCache::ExtentCache(std::shared_ptr<BlobStore> store, std::shared_ptr<BlockCache> ram,
                         std::shared_ptr<DiskCache> disk, std::shared_ptr<Environment> env, std::string scope,
                         std::shared_ptr<MemoryBudget> budget, std::shared_ptr<Metrics> metrics)
    : state_(std::make_unique<State>()) {
  state_->store = std::move(store);
  state_->ram = std::move(ram);
  state_->disk = std::move(disk);
  state_->env = std::move(env);
  state_->scope = std::move(scope);
  state_->budget = std::move(budget);
  state_->metrics = std::move(metrics);
}

ExtentCache::~ExtentCache() = default;

std::vector<FetchedExtent> ExtentCache::Fetch(const Context& context, std::span<const Extent> extents,
                                              const FetchOptions& options, FetchCounts* counts) {
  Call call(*state_, context, extents, options);
  call.Run();
  if (counts != nullptr) counts->Add(call.counts());
  if (state_->metrics != nullptr) call.counts().AddTo(*state_->metrics);
  {
    std::lock_guard lock(state_->totals_mutex);
    state_->totals.Add(call.counts());
  }
  return call.TakeResults();
}

void ExtentCache::KeepOnDisk(const Extent& extent, const PinnedBlock& block) {
  if (state_->disk != nullptr) state_->disk->Insert(state_->KeyOf(extent), block, extent.crc32c);
}

Status ExtentCache::Clear() {
  {
    std::lock_guard alone(state_->filling);
    state_->ram->Clear();
  }
  return state_->disk != nullptr ? state_->disk->Clear() : Status::Ok();
}

void ExtentCache::KeepInRam(const Extent& extent, const PinnedBlock& block) {
  state_->ram->Insert(state_->KeyOf(extent), block);
}

void ExtentCache::ForgetInRam(const Extent& extent) { state_->ram->Erase(state_->KeyOf(extent)); }

FetchCounts ExtentCache::Totals() const {
  std::lock_guard lock(state_->totals_mutex);
  return state_->totals;
}

}  // namespace isotherm
