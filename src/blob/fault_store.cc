#include "blob/fault_store.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/macros.h"
#include "blob/request_check.h"

namespace isotherm {

namespace {

constexpr uint64_t kNeverDue = std::numeric_limits<uint64_t>::max();

bool Damages(FaultKind kind) { return kind == FaultKind::kTruncate || kind == FaultKind::kFlipBit; }

// Whether there was something to damage.
bool Damage(const Fault& fault, std::string& bytes) {
  if (fault.kind == FaultKind::kTruncate) {
    if (fault.position >= bytes.size()) return false;
    bytes.resize(fault.position);
    return true;
  }
  if (bytes.empty()) return false;
  uint64_t bit = fault.position % (bytes.size() * 8);
  bytes[bit / 8] = static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) ^ (1u << (bit % 8)));
  return true;
}

void Fail(const Status& status, ReadResult& result) {
  result.status = status;
  result.data.clear();
  result.etag.clear();
}

}  // namespace

class FaultBlobStore::Writer : public BlobWriter {
 public:
  Writer(FaultBlobStore& store, const Context& context, std::string_view name)
      : store_(store), context_(context), name_(name) {}

  Status Append(std::string_view bytes) override {
    RETURN_IF_ERROR(CheckRequest(context_, *store_.environment_->clock, "append", name_));
    bytes_.append(bytes);
    return Status::Ok();
  }

  Result<std::string> Finish() override { return store_.Put(context_, name_, bytes_, PutCondition::Overwrite()); }

 private:
  FaultBlobStore& store_;
  const Context context_;
  const std::string name_;
  std::string bytes_;
};

FaultBlobStore::FaultBlobStore(std::shared_ptr<BlobStore> store, std::shared_ptr<Environment> environment,
                               FaultHook hook)
    : store_(std::move(store)), environment_(std::move(environment)), hook_(std::move(hook)) {}

FaultBlobStore::~FaultBlobStore() = default;

void FaultBlobStore::SetHook(FaultHook hook) {
  std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

// Executes the late requests whose time has come, and asks the hook.
Fault FaultBlobStore::NextFault(RequestKind kind, std::string_view name) {
  uint64_t index = next_index_++;
  std::vector<LateRequest> due;
  FaultHook hook;
  {
    std::lock_guard lock(mutex_);
    hook = hook_;
    auto not_due = std::stable_partition(late_.begin(), late_.end(),
                                         [&](const LateRequest& late) { return late.due_index > index; });
    std::move(not_due, late_.end(), std::back_inserter(due));
    late_.erase(not_due, late_.end());
  }
  // How they go is nobody's business any more.
  for (LateRequest& late : due) static_cast<void>(late.execute());
  return hook ? hook(index, kind, name) : Fault{};
}

void FaultBlobStore::Postpone(const Fault& fault, std::function<Status()> execute) {
  Hit(FaultKind::kLate);
  std::lock_guard lock(mutex_);
  uint64_t due = fault.after_requests == 0 ? kNeverDue : next_index_ - 1 + fault.after_requests;
  late_.push_back({due, std::move(execute)});
}

std::vector<Status> FaultBlobStore::DeliverLate() {
  std::vector<LateRequest> late;
  {
    std::lock_guard lock(mutex_);
    late.swap(late_);
  }
  std::vector<Status> outcomes;
  outcomes.reserve(late.size());
  for (LateRequest& request : late) outcomes.push_back(request.execute());
  return outcomes;
}

std::vector<ReadResult> FaultBlobStore::Read(const Context& context, std::span<const ReadRequest> requests) {
  std::vector<ReadResult> results(requests.size());
  std::vector<Fault> faults;
  std::vector<ReadRequest> sent;
  std::vector<size_t> sent_index;
  for (size_t i = 0; i < requests.size(); ++i) {
    faults.push_back(NextFault(RequestKind::kGet, requests[i].name));
    if (faults[i].kind == FaultKind::kFail) {
      results[i].start_ns = results[i].end_ns = environment_->clock->NowNs();
      Hit(FaultKind::kFail);
      results[i].status = faults[i].status;
      continue;
    }
    sent.push_back(requests[i]);
    sent_index.push_back(i);
  }
  std::vector<ReadResult> answers = store_->Read(context, sent);
  for (size_t j = 0; j < answers.size(); ++j) {
    size_t i = sent_index[j];
    results[i] = std::move(answers[j]);
    ApplyToRead(faults[i], requests[i], results[i]);
  }
  return results;
}

void FaultBlobStore::ApplyToRead(const Fault& fault, const ReadRequest& request, ReadResult& result) {
  if (fault.kind == FaultKind::kLoseAnswer || fault.kind == FaultKind::kLate) {
    Hit(FaultKind::kLoseAnswer);
    Fail(fault.status, result);
  } else if (fault.kind == FaultKind::kStaleRead) {
    ReadStale(request, result);
  } else if (Damages(fault.kind) && result.status.ok() && Damage(fault, result.data)) {
    Hit(fault.kind);
  }
}

void FaultBlobStore::ReadStale(const ReadRequest& request, ReadResult& result) {
  std::optional<Version> old;
  {
    std::lock_guard lock(mutex_);
    auto found = previous_.find(request.name);
    if (found == previous_.end()) return;
    old = found->second;
  }
  Hit(FaultKind::kStaleRead);
  if (!old.has_value()) return Fail(Status::NotFound(request.name + ": no such object (stale)"), result);
  if (!request.if_match.empty() && request.if_match != old->etag) {
    return Fail(EtagMismatch(request.name, request.if_match, old->etag), result);
  }
  result.status = Status::Ok();
  result.etag = old->etag;
  result.object_size = old->bytes.size();
  result.data = std::move(old->bytes);
  if (!request.range.has_value()) return;
  Result<ByteRange> range = ClipRange(*request.range, result.object_size, request.name);
  if (!range.ok()) return Fail(range.status(), result);
  result.data = result.data.substr(range->offset, range->length);
}

std::optional<FaultBlobStore::Version> FaultBlobStore::CurrentVersion(const std::string& name) {
  ReadRequest request{.name = name, .range = {}, .if_match = {}};
  std::vector<ReadResult> results = store_->Read({}, {&request, 1});
  if (!results[0].status.ok()) return std::nullopt;
  return Version{std::move(results[0].data), std::move(results[0].etag)};
}

Result<std::string> FaultBlobStore::ExecutePut(const Context& context, const std::string& name,
                                               const std::string& bytes, const PutCondition& condition) {
  std::optional<Version> before;
  if (condition.mode != PutMode::kIfAbsent) before = CurrentVersion(name);
  ASSIGN_OR_RETURN(std::string etag, store_->Put(context, name, bytes, condition));
  std::lock_guard lock(mutex_);
  previous_[name] = std::move(before);
  return etag;
}

Status FaultBlobStore::ExecuteDelete(const Context& context, const std::string& name) {
  std::optional<Version> before = CurrentVersion(name);
  RETURN_IF_ERROR(store_->Delete(context, name));
  std::lock_guard lock(mutex_);
  previous_[name] = std::move(before);
  return Status::Ok();
}

Result<std::string> FaultBlobStore::Put(const Context& context, std::string_view name, std::string_view bytes,
                                        const PutCondition& condition) {
  Fault fault = NextFault(RequestKind::kPut, name);
  std::string key(name);
  std::string content(bytes);
  if (fault.kind == FaultKind::kFail) {
    Hit(fault.kind);
    return fault.status;
  }
  if (fault.kind == FaultKind::kLate) {
    Postpone(fault, [this, key, content, condition] { return ExecutePut({}, key, content, condition).status(); });
    return fault.status;
  }
  if (Damages(fault.kind) && Damage(fault, content)) Hit(fault.kind);
  Result<std::string> etag = ExecutePut(context, key, content, condition);
  if (fault.kind != FaultKind::kLoseAnswer) return etag;
  Hit(fault.kind);
  return fault.status;
}

Result<std::unique_ptr<BlobWriter>> FaultBlobStore::CreateWriter(const Context& context, std::string_view name) {
  RETURN_IF_ERROR(CheckRequest(context, *environment_->clock, "put", name));
  return std::unique_ptr<BlobWriter>(std::make_unique<Writer>(*this, context, name));
}

Status FaultBlobStore::Delete(const Context& context, std::string_view name) {
  Fault fault = NextFault(RequestKind::kDelete, name);
  std::string key(name);
  if (fault.kind == FaultKind::kFail) {
    Hit(fault.kind);
    return fault.status;
  }
  if (fault.kind == FaultKind::kLate) {
    Postpone(fault, [this, key] { return ExecuteDelete({}, key); });
    return fault.status;
  }
  Status status = ExecuteDelete(context, key);
  if (fault.kind != FaultKind::kLoseAnswer) return status;
  Hit(fault.kind);
  return fault.status;
}

Result<ListPage> FaultBlobStore::List(const Context& context, std::string_view prefix, std::string_view start_after,
                                      size_t limit) {
  Fault fault = NextFault(RequestKind::kList, prefix);
  if (fault.kind == FaultKind::kFail) {
    Hit(fault.kind);
    return fault.status;
  }
  Result<ListPage> page = store_->List(context, prefix, start_after, limit);
  if (fault.kind != FaultKind::kLoseAnswer && fault.kind != FaultKind::kLate) return page;
  Hit(FaultKind::kLoseAnswer);
  return fault.status;
}

}  // namespace isotherm
