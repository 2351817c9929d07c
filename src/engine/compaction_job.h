// Rewriting some segments of a snapshot as a partition, or as one flat segment, within a limit of memory.
//
// Rows are read once. New cells: all rows go to a log, are trained on, and then to their cells (cell_rows.h). Cells
// that are kept: rows go to their cells at once, and those that were in the partition keep their cells and codes. Then
// the cells are written, object by object.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/build_record.h"
#include "engine/calibration.h"
#include "engine/cell_rows.h"
#include "engine/cell_training.h"
#include "engine/code_blocks.h"
#include "engine/exact_scan.h"
#include "engine/head.h"
#include "engine/row_log.h"
#include "engine/snapshot.h"
#include "engine/spill_files.h"
#include "isotherm/collection.h"
#include "segment/routing_object.h"

namespace isotherm {

struct CompactionPlan {
  std::vector<uint32_t> inputs;  // indexes into the base's segments, ascending; of cells all, or none
  bool to_cells = true;          // when there are rows enough; else one flat segment
  bool keep_cells = false;       // the partition's own, where they still fit
};

// Whose compaction it is, and what it goes on with.
struct CompactionBuild {
  Nonce id{};
  uint64_t gc_epoch = 0;
  std::shared_ptr<const BuildRecord> record;  // null: it is begun anew
};

struct CompactionResources {
  std::shared_ptr<Environment> env;  // its executor need not be that of queries
  uint64_t memory_bytes = 0;
  std::string spill_directory;
  CodeBlocks* blocks = nullptr;  // takes those that are written; null: they are not kept
};

// What a compaction wrote, to be put into a head.
struct Compacted {
  std::vector<SegmentInfo> inputs;
  std::vector<SegmentInfo> segments;
  // Whether the head's routing object is replaced by this one, by none where the generation is 0.
  bool replaces_routing = false;
  RoutingRef ref;
  std::string routing_bytes;
  std::shared_ptr<const Routing> routing;
  bool kept_cells = false;
  uint64_t rows = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t bytes_spilled = 0;
  uint64_t bytes_resumed = 0;  // of segments that were there already
  std::shared_ptr<const RowPlaces> places;

  // The deletions of the inputs as those of the new segments; also such that came after the rows were read.
  DeletionMap Rebase(const DeletionMap& now) const;
};

class CompactionJob {
 public:
  // `build` with a record: the plan and the options are those of the record. All references must stay valid while it
  // runs.
  CompactionJob(const ReadPath& path, const Snapshot& base, const CompactionPlan& plan, const CompactOptions& options,
                const CompactionResources& resources, const CompactionBuild& build, const Progress& progress,
                const Context& context);

  // Whether a compaction with so much memory can go on with one that left this record.
  static bool FitsMemory(const BuildRecord& record, uint64_t memory_bytes);

  // Rows that are deleted for good or expired are left out; softly deleted ones are taken along. To be called once.
  Result<Compacted> Run();

  // What was written, and what was found of those that it goes on with. Not the routing object: its name says its
  // content, and another compaction of the same rows may have put the same into the head.
  const std::vector<std::string>& objects() const { return objects_; }
  // Whether its record may be in the store: then others may have gone on with it.
  bool recorded() const { return recorded_; }
  // Of whole objects, whatever came of it.
  uint64_t bytes_read() const { return out_.bytes_read; }
  uint64_t bytes_written() const { return out_.bytes_written; }
  uint64_t bytes_resumed() const { return out_.bytes_resumed; }

 private:
  // An input, and what is known of its rows.
  struct Input {
    uint32_t segment = 0;  // index into the base's
    const SegmentInfo* info = nullptr;
    const OrdinalSet* dropped = nullptr;  // null: none; of the record, if there is one
    uint64_t first_origin = 0;
  };

  Status FindInputs();
  void Report(std::string_view stage, uint64_t done, uint64_t total) const;
  bool IsDropped(const Input& input, uint32_t ordinal, int64_t expires_at_ms) const;
  uint64_t LiveRows() const;
  CellTrainingOptions TrainingOptions() const;
  std::unique_ptr<CellRows> MakeCellRows(SegmentKind kind, uint32_t cells);
  Status ScanLive(const Input& input, const std::function<Status(uint64_t origin, Row)>& visit);

  // compaction_job.cc
  Status ReadIntoLog();
  Status BuildFlat();
  Status TrainCells();
  Status BuildCells();
  Status FillCells(const ProbeCalibration& calibration);
  Status WriteObjects(SegmentKind kind);
  Result<SegmentInfo> WriteRows(const CellRange& range, const std::string& name, const ByteSink& sink);
  Result<SegmentInfo> WriteObject(uint32_t place, const CellRange& range);
  Status WriteRouting();
  // compaction_resume.cc
  Status Record(bool cells_are_kept);
  Status GoOnWithCells();
  // By place in the partition: objects that are there already.
  Result<std::vector<std::vector<std::string>>> FindWritten(size_t places);
  Result<std::optional<SegmentInfo>> SameObject(const CellRange& range, const std::string& name);
  // compaction_assign.cc
  bool CellsMayBeKept() const;
  Result<bool> FoldIntoCells();
  Status AssignInput(const Input& input, const CellAssigner& assigner, ProbeCalibration* calibration);
  Status FoldPartition(const Input& input);
  Status FoldBlocks(const Input& input, std::span<const ScannedBlock> blocks);
  Status AddSeconds(const ScannedBlock& block);
  const Input& InputOfCellRow(uint32_t ordinal) const;
  Status AssignBatch(const RowBatch& batch, const CellAssigner& assigner, ProbeCalibration* calibration);
  Status AssignFlat(const RowBatch& batch, uint64_t first_row);
  bool IsBalanced() const;

  const ReadPath& path_;
  const Snapshot& base_;
  const SegmentSchema& schema_;
  const CompactionPlan& plan_;
  const CompactOptions& options_;
  const CompactionResources& resources_;
  const CompactionBuild& build_;
  const Progress& progress_;
  const Context& context_;
  const int64_t now_ms_;
  const uint64_t batch_bytes_;
  std::shared_ptr<const Liveness> liveness_;
  std::vector<Input> inputs_;
  uint64_t input_rows_ = 0;
  uint64_t scanned_rows_ = 0;

  std::unique_ptr<SpillFiles> files_;
  std::unique_ptr<RowLog> log_;
  std::unique_ptr<RowSample> sample_;   // for training
  std::unique_ptr<RowSample> queries_;  // for the calibration
  std::unique_ptr<CellRows> rows_;
  Cells cells_;                       // new ones
  std::span<const float> centroids_;  // of those, or of the base's
  Routing routing_;
  Compacted out_;
  std::vector<std::vector<std::string>> written_;  // by those that it goes on with
  std::vector<std::string> objects_;
  bool recorded_ = false;
};

}  // namespace isotherm
