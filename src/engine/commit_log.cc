#include "engine/commit_log.h"

#include <algorithm>

#include "base/context_check.h"
#include "base/macros.h"
#include "base/planted.h"
#include "blob/request_check.h"
#include "engine/object_writer.h"

namespace isotherm {

namespace {

constexpr int64_t kSlotLeaseMs = 60 * 60 * 1000;
constexpr int kAttempts = 10;

}  // namespace

CommitLog::CommitLog(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> env, std::string_view branch_prefix,
                     uint32_t copies)
    : store_(std::move(store)),
      env_(std::move(env)),
      head_name_(std::string(branch_prefix) + kHeadObject),
      writer_(MakeNonce(*env_->random)),
      copies_(copies) {}

Result<LoadedHead> CommitLog::Load(const Context& context) const {
  ReadRequest request{head_name_, {}, {}};
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
  auto slot =
      std::find_if(next.slots.begin(), next.slots.end(), [&](const WriterSlot& s) { return s.writer == writer_; });
  if (slot == next.slots.end()) {
    slot = std::find_if(next.slots.begin(), next.slots.end(),
                        [&](const WriterSlot& s) { return s.last_commit_ms + kSlotLeaseMs < next.commit_ms; });
    if (slot == next.slots.end()) {
      if (next.slots.size() >= kMaxWriters) {
        return Status::ResourceExhausted(std::to_string(kMaxWriters) + " writers committed within the last hour");
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
  next.commit_ms = std::max(Planted(Bug::kWallClockOrder) ? 0 : base.head.commit_ms, env_->clock->WallMs());
  if (Status status = Register(next); !status.ok()) return {SwapOutcome::kLost, status, {}};
  // Here it is certain yet that nothing was sent.
  if (Status status = CheckContext(context, *env_->clock, "commit"); !status.ok()) {
    return {SwapOutcome::kLost, status, {}};
  }
  next_ = std::move(next);
  base_etag_ = base.etag;
  auto attempt = Attempt(context);
  if (attempt.ok()) return Landed(std::move(attempt).value());
  StatusCode code = attempt.status().code();
  if (code == StatusCode::kConflict && Planted(Bug::kConflictIsLanded)) return Landed({next_, base_etag_, 0});
  // A definite failure that no other write explains: access denied, disk full.
  if (code != StatusCode::kConflict && !MayHaveHappened(code)) return {SwapOutcome::kLost, attempt.status(), {}};
  return Settle(context);
}

Result<LoadedHead> CommitLog::Attempt(const Context& context) {
  next_.write = MakeNonce(*env_->random);
  std::string bytes = EncodeHead(next_);
  const PutRequest request{head_name_, bytes, copies_, PutCondition::IfMatch(base_etag_)};
  PutResult put = std::move(store_->PutAll(context, {&request, 1})[0]);
  RETURN_IF_ERROR(put.status);
  return LoadedHead{next_, std::move(put.etag), bytes.size()};
}

SwapResult CommitLog::Landed(LoadedHead found) {
  ++sequence_;
  if (found.head.version == next_.version) return {SwapOutcome::kLanded, {}, std::move(found)};
  return {SwapOutcome::kLanded, {}, {std::move(next_), base_etag_, 0}};
}

std::optional<SwapResult> CommitLog::Judge(LoadedHead found) {
  if (found.head.collection != next_.collection) {
    return SwapResult{SwapOutcome::kUncertain,
                      Status::Corruption(store_->Describe() + ": the head belongs to another collection by now"),
                      {}};
  }
  const WriterSlot* slot = OwnSlot(found.head);
  bool landed = slot != nullptr && (slot->last_sequence == sequence_ + 1 || Planted(Bug::kOldCommitIsThis));
  if (landed && !Planted(Bug::kOwnCommitIsLost)) return Landed(std::move(found));
  if (found.etag == base_etag_) return std::nullopt;
  // Every head that follows the base is newer. An older one would be lost to for ever.
  if (found.head.version < next_.version) {
    return SwapResult{SwapOutcome::kUncertain,
                      Status::Corruption(store_->Describe() + ": " + head_name_ + " is of version " +
                                         std::to_string(found.head.version) + " by now, and was of version " +
                                         std::to_string(next_.version - 1) +
                                         ": somebody put another one in its place; open the collection again"),
                      {}};
  }
  // A slot that would have this swap's time can't have been taken over before that is an hour old.
  if (slot == nullptr && found.head.commit_ms > next_.commit_ms + kSlotLeaseMs) {
    if (Planted(Bug::kFencedIsLanded)) return Landed(std::move(found));
    return SwapResult{SwapOutcome::kFenced, {}, std::move(found)};
  }
  return SwapResult{SwapOutcome::kLost, {}, std::move(found)};
}

SwapResult CommitLog::Settle(const Context& context) {
  Status last;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (Status status = CheckContext(context, *env_->clock, "settling a commit"); !status.ok()) {
      return {SwapOutcome::kUncertain, status, {}};
    }
    auto loaded = Load(context);
    if (!loaded.ok()) return {SwapOutcome::kUncertain, loaded.status(), {}};
    if (auto judged = Judge(std::move(loaded).value())) return std::move(*judged);
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
  // Every attempt has the same bytes: whichever lands, it is this collection.
  const std::string bytes = EncodeHead(head);
  RETURN_IF_ERROR(CheckContext(context, *env_->clock, "creating a collection"));
  Status last;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto put = store_->Put(context, head_name_, bytes, PutCondition::IfAbsent());
    if (put.ok()) return LoadedHead{std::move(head), std::move(put).value(), bytes.size()};
    last = put.status();
    bool definite = last.code() != StatusCode::kConflict && !MayHaveHappened(last.code());
    if (definite && attempt == 0) return last;
    auto loaded = Load(context);
    if (loaded.ok() && loaded->head.collection == head.collection) return loaded;
    if (loaded.ok()) return Status::AlreadyExists("there is a collection at " + store_->Describe());
    if (loaded.status().code() != StatusCode::kNotFound) break;
  }
  return Status::Unknown("creating the collection at " + store_->Describe() +
                         " may or may not have happened: " + last.ToString());
}

namespace {

Status Broken(const BlobStore& store, const std::string& what) {
  return Status::Unsupported(store.Describe() + " can't hold a collection: " + what);
}

Status TryPreconditions(BlobStore& store, const std::string& name, const Context& context) {
  auto missing = store.Put(context, name, "0", PutCondition::IfMatch("\"0123456789abcdef0123456789abcdef\""));
  if (missing.ok()) return Broken(store, "it accepts If-Match on an object that does not exist");
  if (missing.status().code() != StatusCode::kConflict) return missing.status();
  ASSIGN_OR_RETURN(std::string first, store.Put(context, name, "1", PutCondition::IfAbsent()));
  ReadRequest request{name, {}, {}};
  ReadResult read = std::move(store.Read(context, {&request, 1})[0]);
  RETURN_IF_ERROR(read.status);
  if (read.data != "1" || read.etag != first) {
    return Broken(store, "reading an object right after it was put gives other bytes or another etag");
  }
  auto taken = store.Put(context, name, "2", PutCondition::IfAbsent());
  if (taken.ok()) return Broken(store, "it ignores If-None-Match");
  if (taken.status().code() != StatusCode::kConflict) return taken.status();
  RETURN_IF_ERROR(store.Put(context, name, "3", PutCondition::IfMatch(first)).status());
  auto stale = store.Put(context, name, "4", PutCondition::IfMatch(first));
  if (stale.ok()) return Broken(store, "it ignores If-Match");
  return stale.status().code() == StatusCode::kConflict ? Status::Ok() : stale.status();
}

}  // namespace

Status ProbeStore(BlobStore& store, Random& random, const Context& context) {
  std::string name = "probe-" + NonceHex(MakeNonce(random));
  Status tried = TryPreconditions(store, name, context);
  Status removed = store.Delete(context, name);
  if (tried.ok()) tried = removed;
  if (tried.ok() || tried.code() == StatusCode::kUnsupported) return tried;
  return WithoutOutcome(tried).WithContext("probing " + store.Describe());
}

}  // namespace isotherm
