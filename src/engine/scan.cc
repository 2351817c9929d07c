// Going through all rows that a view has.
#include <algorithm>

#include "base/macros.h"
#include "engine/collection_impl.h"
#include "engine/exact_scan.h"

namespace isotherm {

namespace {

Row Pick(Row row, const ScanOptions& options) {
  if (!options.include_vector) row.vector.clear();
  if (!options.include_metadata) row.metadata.clear();
  if (!options.include_payload) row.payload.clear();
  return row;
}

// Whether a row of the snapshot, which has it as softly deleted or not, is among those of its kind that the view has.
bool IsWanted(const ReadView& view, const Row& row, bool soft, bool soft_wanted) {
  if (IsExpired(row.expires_at_ms, view.now_ms)) return false;
  if (soft_wanted && view.softened.contains(row.key)) return true;
  return soft == soft_wanted && !view.Hides(row.key);
}

// The rows in RAM: those that are not committed, and those of the head.
std::vector<Row> RowsAtHand(const ReadView& view, const ScanOptions& options) {
  std::vector<Row> rows;
  for (const auto& row : view.rows) rows.push_back(Pick(*row, options));
  for (const Row& row : view.snapshot->rows.rows()) {
    if (IsWanted(view, row, false, options.soft_deleted)) rows.push_back(Pick(row, options));
  }
  for (const Row& row : view.snapshot->soft_rows.rows()) {
    if (IsWanted(view, row, true, options.soft_deleted)) rows.push_back(Pick(row, options));
  }
  return rows;
}

}  // namespace

Status CollectionImpl::Scan(const std::function<Status(Row)>& visit, const ScanOptions& options,
                            const Context& context) {
  RETURN_IF_ERROR(CheckOpen());
  RETURN_IF_ERROR(BeFresh(options.consistency, context));
  ReadView view = View(options.soft_deleted ? BufferRows::kSoftDeleted : BufferRows::kLive);
  const Snapshot& at = *view.snapshot;
  ASSIGN_OR_RETURN(std::shared_ptr<const Liveness> liveness, at.Deletions(*path_, context));
  std::vector<Row> rows = RowsAtHand(view, options);
  ScanParts parts{options.include_vector, options.include_metadata || options.include_payload, path_->BytesAtOnce(),
                  true, options.missing};
  for (uint32_t s = 0; s < at.head.segments.size(); ++s) {
    auto found = liveness->now.find(at.head.segments[s].name);
    const SegmentDeletions* deletions = found == liveness->now.end() ? nullptr : &found->second;
    bool any_soft = !view.softened.empty() || (deletions != nullptr && !deletions->soft.empty());
    if (options.soft_deleted && !any_soft) continue;
    RETURN_IF_ERROR(ScanSegment(*path_, at, s, parts, context, [&](uint32_t ordinal, Row row) {
      bool soft = deletions != nullptr && deletions->soft.Contains(ordinal);
      bool hard = deletions != nullptr && deletions->hard.Contains(ordinal);
      if (hard || !IsWanted(view, row, soft, options.soft_deleted)) return Status::Ok();
      row = Pick(std::move(row), options);
      if (!options.in_key_order) return visit(std::move(row));
      rows.push_back(std::move(row));
      return Status::Ok();
    }));
  }
  if (options.in_key_order)
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.key < b.key; });
  for (Row& row : rows) RETURN_IF_ERROR(visit(std::move(row)));
  return Status::Ok();
}

}  // namespace isotherm
