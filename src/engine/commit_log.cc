#include "engine/commit_log.h"

#include <algorithm>

#include "base/context_check.h"
#include "base/macros.h"

namespace isotherm {

namespace {

constexpr int64_t kSlotLeaseMs = 60 * 60 * 1000;
constexpr size_t kMaxSlots = 65536;
constexpr int kAttempts = 10;

// Of these the contract of Put says that it may have happened.
bool MayHaveHappened(StatusCode code) {
  return code == StatusCode::kUnavailable || code == StatusCode::kDeadlineExceeded || code == StatusCode::kCancelled ||
         code == StatusCode::kUnknown;
}

}  // namespace

CommitLog::CommitLog(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> env)
    : store_(std::move(store)), env_(std::move(env)), writer_(MakeNonce(*env_->random)) {}

Result<LoadedHead> CommitLog::Load(const Context& context) const {
  ReadRequest request{kHeadObject, {}, {}};
  ReadResult read = std::move(store_->Read(context, {&request, 1})[0]);
  RETURN_IF_ERROR(read.status.WithContext(store_->Describe()));
  ASSIGN_OR_RETURN(Head head, DecodeHead(read.data));
  return LoadedHead{std::move(head), std::move(read.etag), read.data.size()};
}

const WriterSlot* CommitLog::OwnSlot(const Head& head) const {
  for (const WriterSlot& slot : head.slots) {
    if (slot.writer == writer_) return &slot;
  }
  return nullptr;
}

Status CommitLog::Register(Head& next) {
  auto slot = std::find_if(next.slots.begin(), next.slots.end(), [&](const WriterSlot& s) { return s.writer == writer_; });
  if (slot == next.slots.end()) {
    slot = std::find_if(next.slots.begin(), next.slots.end(),
                        [&](const WriterSlot& s) { return s.last_commit_ms + kSlotLeaseMs < next.commit_ms; });
    if (slot == next.slots.end()) {
      if (next.slots.size() >= kMaxSlots) {
        return Status::ResourceExhausted(std::to_string(kMaxSlots) + " writers committed within the last hour");
      }
      slot = next.slots.insert(next.slots.end(), WriterSlot{});
    }
    slot->writer = writer_;
    ++slot->epoch;
  }
  slot->last_sequence = sequence_ + 1;
  slot->last_commit_ms = next.commit_ms;
  return Status::Ok();
}

SwapResult CommitLog::Swap(const LoadedHead& base, Head next, const Context& context) {
  next.version = base.head.version + 1;
  next.commit_ms = std::max(base.head.commit_ms, env_->clock->WallMs());
  if (Status status = Register(next); !status.ok()) return {SwapOutcome::kLost, status, {}};
  next_ = std::move(next);
  base_etag_ = base.etag;
  auto attempt = Attempt(context);
  if (attempt.ok()) return Landed(std::move(attempt).value());
  StatusCode code = attempt.status().code();
  // A definite failure that no other write explains: access denied, disk full.
  if (code != StatusCode::kConflict && !MayHaveHappened(code)) return {SwapOutcome::kLost, attempt.status(), {}};
  return Settle(context);
}

Result<LoadedHead> CommitLog::Attempt(const Context& context) {
  next_.write = MakeNonce(*env_->random);
  std::string bytes = EncodeHead(next_);
  ASSIGN_OR_RETURN(std::string etag, store_->Put(context, kHeadObject, bytes, PutCondition::IfMatch(base_etag_)));
  return LoadedHead{next_, std::move(etag), bytes.size()};
}

SwapResult CommitLog::Landed(LoadedHead found) {
  ++sequence_;
  if (found.head.version == next_.version) return {SwapOutcome::kLanded, {}, std::move(found)};
  return {SwapOutcome::kLanded, {}, {std::move(next_), base_etag_, 0}};
}

SwapResult CommitLog::Settle(const Context& context) {
  Status last;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (Status status = CheckContext(context, *env_->clock, "settling a commit"); !status.ok()) {
      return {SwapOutcome::kUncertain, status, {}};
    }
    auto loaded = Load(context);
    if (!loaded.ok()) return {SwapOutcome::kUncertain, loaded.status(), {}};
    const WriterSlot* slot = OwnSlot(loaded->head);
    if (slot != nullptr && slot->last_sequence == sequence_ + 1) return Landed(std::move(loaded).value());
    if (sequence_ > 0 && slot == nullptr) {
      // Its slot went to another writer while the swap was open: whether it landed before can't be told any more.
      return {SwapOutcome::kUncertain, Status::Fenced("this writer was idle for an hour and its slot was taken over"), {}};
    }
    if (loaded->etag != base_etag_) return {SwapOutcome::kLost, {}, std::move(loaded).value()};
    auto again = Attempt(context);
    if (again.ok()) return Landed(std::move(again).value());
    last = again.status();
  }
  return {SwapOutcome::kUncertain, last, {}};
}

Result<LoadedHead> CommitLog::Create(Head head, const Context& context) const {
  head.collection = MakeNonce(*env_->random);
  head.write = MakeNonce(*env_->random);
  head.version = 1;
  head.commit_ms = env_->clock->WallMs();
  std::string bytes = EncodeHead(head);
  auto put = store_->Put(context, kHeadObject, bytes, PutCondition::IfAbsent());
  if (put.ok()) return LoadedHead{std::move(head), std::move(put).value(), bytes.size()};
  if (put.status().code() != StatusCode::kConflict && !MayHaveHappened(put.status().code())) return put.status();
  auto loaded = Load(context);
  if (loaded.ok() && loaded->head.collection == head.collection) return loaded;
  if (loaded.ok()) return Status::AlreadyExists("there is a collection at " + store_->Describe());
  return Status::Unknown("creating the collection at " + store_->Describe() + " may or may not have happened: " +
                         put.status().ToString());
}

Status ProbeStore(BlobStore& store, Random& random, const Context& context) {
  std::string name = "probe-" + NonceHex(MakeNonce(random));
  auto broken = [&](const std::string& what) {
    return Status::Unsupported(store.Describe() + " can't hold a collection: " + what);
  };
  auto missing = store.Put(context, name, "0", PutCondition::IfMatch("\"0123456789abcdef0123456789abcdef\""));
  if (missing.ok()) {
    RETURN_IF_ERROR(store.Delete(context, name));
    return broken("it accepts If-Match on an object that does not exist");
  }
  if (missing.status().code() != StatusCode::kConflict) return missing.status().WithContext("probing " + store.Describe());
  ASSIGN_OR_RETURN(std::string first, store.Put(context, name, "1", PutCondition::IfAbsent()));
  auto taken = store.Put(context, name, "2", PutCondition::IfAbsent());
  auto second = store.Put(context, name, "3", PutCondition::IfMatch(first));
  auto stale = store.Put(context, name, "4", PutCondition::IfMatch(first));
  RETURN_IF_ERROR(store.Delete(context, name));
  if (taken.ok()) return broken("it ignores If-None-Match");
  if (stale.ok()) return broken("it ignores If-Match");
  if (!second.ok()) return second.status().WithContext("probing " + store.Describe());
  for (const auto* refused : {&taken, &stale}) {
    if (refused->status().code() != StatusCode::kConflict) return refused->status().WithContext("probing " + store.Describe());
  }
  return Status::Ok();
}

}  // namespace isotherm
