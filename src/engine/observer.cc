#include "engine/observer.h"

#include "engine/history.h"

namespace isotherm {

namespace {

EventKind KindOf(Operation operation) {
  switch (operation) {
    case Operation::kCreate: return EventKind::kOpen;
    case Operation::kCommit: return EventKind::kCommit;
    case Operation::kCompact:
    case Operation::kBuild: return EventKind::kCompaction;
    case Operation::kVacuum: return EventKind::kVacuum;
    case Operation::kRollback:
    case Operation::kBranch: return EventKind::kBranch;
    case Operation::kRecover: return EventKind::kRecover;
    case Operation::kErase: return EventKind::kErasure;
  }
  return EventKind::kError;
}

int64_t Signed(uint64_t number) { return static_cast<int64_t>(number); }

}  // namespace

void Observer::Record(EventKind kind, uint64_t version, std::string cause, Metadata details) const {
  if (events_ == nullptr) return;
  Event event;
  event.wall_ms = env_->clock->WallMs();
  event.kind = kind;
  event.version = version;
  event.cause = std::move(cause);
  event.details = std::move(details);
  events_->Add(std::move(event));
}

void Observer::Landed(const Head& head) const {
  const OperationRecord& made = head.operation;
  if (metrics_ != nullptr) {
    if (made.operation == Operation::kCommit) metrics_->Add(MetricId::kCommits);
    if (made.operation == Operation::kCommit && made.bytes_written > 0) metrics_->Add(MetricId::kFlushes);
    if (made.operation == Operation::kCommit) metrics_->Add(MetricId::kRowsInserted, made.rows_written);
    if (made.operation == Operation::kCommit) metrics_->Add(MetricId::kRowsDeleted, made.rows_deleted);
    if (made.operation == Operation::kCompact) metrics_->Add(MetricId::kCompactions);
  }
  Metadata details{{"operation", OperationName(made.operation)}};
  if (made.rows_written > 0) details["rows_written"] = Signed(made.rows_written);
  if (made.rows_deleted > 0) details["rows_deleted"] = Signed(made.rows_deleted);
  if (made.bytes_written > 0) details["bytes_written"] = Signed(made.bytes_written);
  Record(KindOf(made.operation), head.version, made.cause, std::move(details));
}

void Observer::Conflicted(uint64_t newest_version) const {
  if (metrics_ != nullptr) metrics_->Add(MetricId::kConflicts);
  Record(EventKind::kConflict, newest_version, "another writer was faster", {});
}

void Observer::Fenced(uint64_t newest_version) const {
  Record(EventKind::kFence, newest_version, "another writer took over this one's place in the head", {});
}

void Observer::Vacuumed(uint64_t objects, uint64_t bytes) const {
  if (metrics_ == nullptr) return;
  metrics_->Add(MetricId::kVacuumObjectsDeleted, objects);
  metrics_->Add(MetricId::kVacuumBytesDeleted, bytes);
}

void Observer::Erased(bool complete) const {
  if (metrics_ == nullptr) return;
  metrics_->Add(MetricId::kErasures);
  if (!complete) metrics_->Add(MetricId::kErasuresIncomplete);
}

void Observer::Compacted(int64_t begin_ns, uint64_t bytes_read, uint64_t bytes_written) const {
  Took(MetricId::kCompactionSeconds, begin_ns);
  if (metrics_ != nullptr) metrics_->Add(MetricId::kCompactionBytesRead, bytes_read);
  CompactionWrote(bytes_written);
}

void Observer::CompactionWrote(uint64_t bytes) const {
  if (metrics_ != nullptr) metrics_->Add(MetricId::kCompactionBytesWritten, bytes);
}

void Observer::CompactionResumed(uint64_t bytes) const {
  if (metrics_ == nullptr) return;
  metrics_->Add(MetricId::kCompactionsResumed);
  metrics_->Add(MetricId::kCompactionBytesResumed, bytes);
}

void Observer::CommitWrote(uint64_t bytes, uint64_t row_bytes) const {
  if (metrics_ == nullptr) return;
  metrics_->Add(MetricId::kCommitBytesWritten, bytes);
  metrics_->Add(MetricId::kRowBytesWritten, row_bytes);
}

void Observer::CompactionFailed(const Status& status) const {
  Status counted = Ended(status);
  Record(EventKind::kError, 0, "compaction in the background: " + counted.ToString(), {});
}

void Observer::Refreshed(uint64_t version) const { Record(EventKind::kRefresh, version, "refresh", {}); }

}  // namespace isotherm
