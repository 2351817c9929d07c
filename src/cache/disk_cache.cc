#include "cache/disk_cache.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "base/macros.h"
#include "base/sync.h"
#include "cache/block_hash.h"
#include "cache/hint_table.h"
#include "cache/slab_set.h"

namespace isotherm {

namespace {

constexpr uint64_t kMaxHintBytes = 256 << 10;
// What an extent takes of memory: its nodes in the index and among the pending ones, its entry in the slab.
constexpr uint64_t kIndexEntryBytes = 160;
constexpr uint64_t kIndexStepBytes = 64 << 10;
constexpr const char* kHintsFile = "/hints";
constexpr const char* kNewHintsFile = "/hints.new";

uint64_t HintBytesFor(uint64_t capacity) { return std::min(kMaxHintBytes, capacity / 64); }

}  // namespace

struct DiskCache::State : std::enable_shared_from_this<DiskCache::State> {
  // While hints are replaced, the old and the new file are both there.
  State(const DiskCacheOptions& o, Environment* e)
      : options(o),
        env(e),
        slabs(o.directory, o.capacity_bytes - 2 * HintBytesFor(o.capacity_bytes), env),
        hints(HintBytesFor(o.capacity_bytes)) {}

  struct Pending {
    PinnedBlock block;
    uint32_t crc32c = 0;
    bool writing = false;
  };

  // One thing to do: to write an extent of `pending` or the file of hints, or to remove all slabs.
  enum class Work : uint8_t { kExtent, kHints, kClear };
  struct Task {
    Work work = Work::kExtent;
    BlockKey key;
  };

  Status Load();
  void LoadIndex();
  void LoadHints();
  bool ReserveForInsert(const PinnedBlock& block);
  uint64_t DropPending(uint64_t wanted);
  PinnedBlock Lookup(const BlockKey& key, uint32_t length, uint32_t crc32c);
  bool FindOnDisk(const BlockKey& key, uint32_t length, uint32_t crc32c, SlabLocation* location);
  void Insert(const BlockKey& key, const PinnedBlock& block, uint32_t crc32c);
  void PutHint(std::string_view name, std::string_view value);
  Status Clear();
  void Enqueue(Task task);
  void Flush();
  void Close();
  void RunTasks(std::unique_lock<Mutex>& lock);
  Status WriteExtent(const BlockKey& key, std::unique_lock<Mutex>& lock);
  Status WriteHints(std::unique_lock<Mutex>& lock);
  Status RemoveSlabs(std::unique_lock<Mutex>& lock);
  Status ReplaceHintsFile(const std::string& bytes);
  void StopWriting();

  const DiskCacheOptions options;
  // Not owned: the state may end on a thread of the environment's own executor, which could not end there.
  Environment* const env;
  SlabSet slabs;  // changed only by the thread that set tasks_running

  Mutex index_memory_mutex;        // guards the next; locked before any other
  MemoryReservation index_memory;  // of index and pending

  mutable Mutex mutex;  // guards all below
  CondVar task_done;
  std::unique_ptr<FileLock> directory_lock;  // null: closed
  std::unordered_map<BlockKey, SlabLocation, BlockKeyHash> index;
  std::unordered_map<BlockKey, Pending, BlockKeyHash> pending;
  uint64_t pending_bytes = 0;
  HintTable hints;
  bool hints_queued = false;
  Status cleared;  // how the last Clear went
  uint64_t hint_file_bytes = 0;
  std::deque<Task> tasks;
  bool run_scheduled = false;
  bool tasks_running = false;
  uint64_t tasks_queued = 0;  // ever
  uint64_t tasks_done = 0;
  DiskCacheStats stats;
};

Status DiskCache::State::Load() {
  FileSystem& files = *env->file_system;
  auto locked = files.TryLock(options.directory + "/lock");
  if (locked.status().code() == StatusCode::kNotFound) {
    // Only now: creating waits for the disk, also for what is there already.
    RETURN_IF_ERROR(files.CreateDirectories(options.directory));
    locked = files.TryLock(options.directory + "/lock");
  }
  if (!locked.ok()) return locked.status().WithContext("opening the disk cache " + options.directory);
  directory_lock = std::move(*locked);
  Status removed = files.Remove(options.directory + kNewHintsFile);
  RETURN_IF_ERROR(slabs.Load());
  // A disk that refuses even this is only read from.
  if ((!removed.ok() && removed.code() != StatusCode::kNotFound) || !slabs.Trim().ok()) stats.writing = false;
  LoadIndex();
  LoadHints();
  return Status::Ok();
}

// Of the newest extents where there is not memory for all: the others are not found until their slabs are evicted.
void DiskCache::State::LoadIndex() {
  std::vector<SlabSet::PlacedEntry> entries = slabs.Entries();
  size_t known = entries.size();
  if (options.budget != nullptr) {
    auto reserved = options.budget->Reserve(MemoryUse::kOther, known * kIndexEntryBytes);
    for (; !reserved.ok(); reserved = options.budget->Reserve(MemoryUse::kOther, known * kIndexEntryBytes)) known /= 2;
    index_memory = std::move(*reserved);
  }
  for (size_t i = entries.size() - known; i < entries.size(); ++i) {
    index.insert_or_assign(entries[i].key, std::move(entries[i].location));
  }
}

// Before the lock is taken: making room may take long. False when there is no memory to spare for one extent more.
bool DiskCache::State::ReserveForInsert(const PinnedBlock& block) {
  if (options.budget == nullptr) return true;
  if (options.budget->contended()) return false;
  {
    std::lock_guard growing(index_memory_mutex);
    uint64_t used = 0;
    {
      std::lock_guard lock(mutex);
      used = (index.size() + pending.size()) * kIndexEntryBytes;
    }
    // The other half is for those that look at the same moment.
    bool enough = used + kIndexStepBytes / 2 <= index_memory.bytes();
    if (!enough && !index_memory.Resize(used + kIndexStepBytes).ok()) return false;
  }
  if (block.charged()) return true;
  auto reserved = options.budget->Reserve(MemoryUse::kOther, PinnedBlock::MemoryOf(block.bytes().size()));
  if (reserved.ok()) block.Charge(std::move(*reserved));
  return reserved.ok();
}

// Anything but what was written gives an empty table.
void DiskCache::State::LoadHints() {
  auto file = env->file_system->Open(options.directory + kHintsFile, OpenMode::kRead);
  if (!file.ok()) return;
  auto size = (*file)->Size();
  if (!size.ok()) return;
  hint_file_bytes = *size;
  std::string bytes(std::min(*size, kMaxHintBytes), '\0');
  auto got = (*file)->Read(0, bytes);
  if (!got.ok() || *got != *size || !hints.Decode(bytes).ok()) hints = HintTable(HintBytesFor(options.capacity_bytes));
}

// Forgets what waits to be written, and returns what that takes of memory where nobody else holds it.
uint64_t DiskCache::State::DropPending(uint64_t wanted) {
  std::vector<PinnedBlock> dropped;  // freed without the lock
  std::lock_guard lock(mutex);
  uint64_t freed = 0;
  for (auto each = pending.begin(); each != pending.end() && freed < wanted;) {
    if (each->second.writing) {
      ++each;
      continue;
    }
    uint64_t size = each->second.block.bytes().size();
    freed += PinnedBlock::MemoryOf(size);
    pending_bytes -= size;
    ++stats.dropped;
    dropped.push_back(std::move(each->second.block));
    each = pending.erase(each);
  }
  return freed;
}

PinnedBlock DiskCache::State::Lookup(const BlockKey& key, uint32_t length, uint32_t crc32c) {
  SlabLocation location;
  {
    std::lock_guard lock(mutex);
    if (auto waiting = pending.find(key); waiting != pending.end()) {
      const Pending& here = waiting->second;
      bool matches = here.crc32c == crc32c && here.block.bytes().size() == length;
      ++(matches ? stats.hits : stats.misses);
      return matches ? here.block : PinnedBlock();
    }
    if (!FindOnDisk(key, length, crc32c, &location)) {
      ++stats.misses;
      return {};
    }
  }
  auto memory = ReserveMemory(options.budget.get(), MemoryUse::kQuery, PinnedBlock::MemoryOf(length));
  if (!memory.ok()) {
    std::lock_guard lock(mutex);
    ++stats.misses;
    return {};
  }
  std::span<char> bytes;
  PinnedBlock block = PinnedBlock::ForFilling(length, &bytes);
  block.Charge(std::move(*memory));
  Status read = slabs.Read(location, bytes);
  std::lock_guard lock(mutex);
  ++(read.ok() ? stats.hits : stats.misses);
  if (read.ok()) return block;
  if (read.code() != StatusCode::kNotFound) ++stats.corrupt;  // else its slab was evicted meanwhile
  auto found = index.find(key);
  if (found != index.end() && found->second.slab == location.slab && found->second.offset == location.offset) {
    index.erase(found);
  }
  return {};
}

bool DiskCache::State::FindOnDisk(const BlockKey& key, uint32_t length, uint32_t crc32c, SlabLocation* location) {
  auto found = index.find(key);
  if (found == index.end()) return false;
  if (found->second.length != length || found->second.crc32c != crc32c) {
    index.erase(found);
    return false;
  }
  *location = found->second;
  return true;
}

void DiskCache::State::Insert(const BlockKey& key, const PinnedBlock& block, uint32_t crc32c) {
  uint64_t size = block.bytes().size();
  bool reserved = ReserveForInsert(block);
  std::lock_guard lock(mutex);
  auto found = index.find(key);
  if (found != index.end() && found->second.length == size && found->second.crc32c == crc32c) return;
  if (pending.contains(key)) return;
  bool fits = size <= std::numeric_limits<uint32_t>::max() && slabs.Fits(size) &&
              pending_bytes + size <= options.max_pending_bytes;
  if (!stats.writing || !fits || !reserved) {
    ++stats.dropped;
    return;
  }
  pending.emplace(key, Pending{block, crc32c});
  pending_bytes += size;
  ++stats.inserts;
  Enqueue({.work = Work::kExtent, .key = key});
}

void DiskCache::State::PutHint(std::string_view name, std::string_view value) {
  std::lock_guard lock(mutex);
  if (!hints.Put(name, value) || hints_queued || !stats.writing) return;
  hints_queued = true;
  Enqueue({.work = Work::kHints, .key = {}});
}

// What is inserted from here on comes after the slabs have gone. A write that fails before takes all tasks along, and
// is the last one: then once more.
Status DiskCache::State::Clear() {
  DropPending(std::numeric_limits<uint64_t>::max());
  Status outcome;
  for (int attempt = 0; attempt < 2; ++attempt) {
    {
      std::lock_guard lock(mutex);
      if (directory_lock == nullptr) return Status::Closed("the disk cache " + options.directory + " was closed");
      index.clear();
      cleared = Status::IoError("the disk cache " + options.directory + " was not emptied");
      Enqueue({.work = Work::kClear, .key = {}});
    }
    Flush();
    std::lock_guard lock(mutex);
    outcome = cleared;
    if (outcome.ok()) break;
  }
  return outcome;
}

void DiskCache::State::Enqueue(Task task) {
  tasks.push_back(task);
  ++tasks_queued;
  if (run_scheduled) return;
  run_scheduled = true;
  env->executor->Schedule([state = shared_from_this()] {
    std::unique_lock lock(state->mutex);
    state->run_scheduled = false;
    if (!state->tasks_running) state->RunTasks(lock);
  });
}

// Does the writing itself where no other thread is at it, so that it waits for no free thread of the executor.
void DiskCache::State::Flush() {
  std::unique_lock lock(mutex);
  uint64_t target = tasks_queued;
  while (tasks_done < target) {
    if (tasks_running) {
      task_done.Wait(lock);
    } else {
      RunTasks(lock);
    }
  }
}

// What is inserted meanwhile is not written.
void DiskCache::State::Close() {
  Flush();
  std::unique_lock lock(mutex);
  stats.writing = false;
  while (tasks_running) task_done.Wait(lock);
  StopWriting();
  directory_lock = nullptr;
}

// All there are. The lock is held, but not while the disk works.
void DiskCache::State::RunTasks(std::unique_lock<Mutex>& lock) {
  tasks_running = true;
  while (!tasks.empty()) {
    Task task = tasks.front();
    tasks.pop_front();
    Status status = task.work == Work::kClear   ? RemoveSlabs(lock)
                    : task.work == Work::kHints ? WriteHints(lock)
                                                : WriteExtent(task.key, lock);
    ++tasks_done;
    if (!status.ok()) StopWriting();
    task_done.NotifyAll();
  }
  tasks_running = false;
  task_done.NotifyAll();
}

Status DiskCache::State::WriteExtent(const BlockKey& key, std::unique_lock<Mutex>& lock) {
  auto found = pending.find(key);
  if (found == pending.end()) return Status::Ok();  // it made room for something else
  found->second.writing = true;
  Pending extent = found->second;
  std::string_view bytes = extent.block.bytes();
  std::vector<std::shared_ptr<Slab>> evicted;
  lock.unlock();
  auto location = slabs.Append({key, static_cast<uint32_t>(bytes.size()), extent.crc32c}, bytes, &evicted);
  lock.lock();
  pending.erase(key);
  pending_bytes -= bytes.size();
  for (const auto& slab : evicted) {
    for (const SlabEntry& entry : slab->entries) {
      auto old = index.find(entry.key);
      if (old != index.end() && old->second.slab == slab) index.erase(old);
    }
  }
  if (!location.ok()) {
    ++stats.dropped;
    return location.status();
  }
  index.insert_or_assign(key, std::move(*location));
  return Status::Ok();
}

Status DiskCache::State::WriteHints(std::unique_lock<Mutex>& lock) {
  hints_queued = false;
  std::string bytes = hints.Encode();
  lock.unlock();
  Status replaced = ReplaceHintsFile(bytes);
  lock.lock();
  if (replaced.ok()) hint_file_bytes = bytes.size();
  return replaced;
}

Status DiskCache::State::RemoveSlabs(std::unique_lock<Mutex>& lock) {
  index.clear();
  lock.unlock();
  Status removed = slabs.Clear();
  lock.lock();
  cleared = removed;
  return removed;
}

Status DiskCache::State::ReplaceHintsFile(const std::string& bytes) {
  FileSystem& files = *env->file_system;
  std::string path = options.directory + kNewHintsFile;
  {
    ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.Open(path, OpenMode::kCreateNew));
    RETURN_IF_ERROR(file->Write(0, bytes));
  }
  return files.Rename(path, options.directory + kHintsFile);
}

void DiskCache::State::StopWriting() {
  stats.writing = false;
  stats.dropped += pending.size();
  pending.clear();
  pending_bytes = 0;
  hints_queued = false;
  tasks_done += tasks.size();
  tasks.clear();
}

Result<std::unique_ptr<DiskCache>> DiskCache::Open(const DiskCacheOptions& options, std::shared_ptr<Environment> env) {
  auto state = std::make_shared<State>(options, env.get());
  RETURN_IF_ERROR(state->Load());
  return std::unique_ptr<DiskCache>(new DiskCache(std::move(state), std::move(env)));
}

DiskCache::DiskCache(std::shared_ptr<State> state, std::shared_ptr<Environment> env)
    : env_(std::move(env)), state_(std::move(state)) {
  const std::shared_ptr<MemoryBudget>& budget = state_->options.budget;
  if (budget == nullptr) return;
  reclaimer_ = budget->AddReclaimer([s = state_.get()](uint64_t wanted) { return s->DropPending(wanted); });
}

// The directory and the memory are free for others as soon as this returns, also while a scheduled task still holds the
// state.
DiskCache::~DiskCache() {
  state_->Close();
  state_->index.clear();
  state_->index_memory.Release();
}

PinnedBlock DiskCache::Lookup(const BlockKey& key, uint32_t length, uint32_t crc32c) {
  return state_->Lookup(key, length, crc32c);
}

void DiskCache::Insert(const BlockKey& key, const PinnedBlock& block, uint32_t crc32c) {
  if (block.valid()) state_->Insert(key, block, crc32c);
}

void DiskCache::PutHint(std::string_view name, std::string_view value) { state_->PutHint(name, value); }

std::string DiskCache::GetHint(std::string_view name) {
  std::lock_guard lock(state_->mutex);
  return state_->hints.Get(name);
}

void DiskCache::Flush() { state_->Flush(); }

void DiskCache::Close() { state_->Close(); }

Status DiskCache::Clear() { return state_->Clear(); }

DiskCacheStats DiskCache::Stats() const {
  std::lock_guard lock(state_->mutex);
  DiskCacheStats stats = state_->stats;
  stats.used_bytes = state_->slabs.used_bytes() + state_->hint_file_bytes;
  stats.evicted_slabs = state_->slabs.evicted_slabs();
  return stats;
}

}  // namespace isotherm
