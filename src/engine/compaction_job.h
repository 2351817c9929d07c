// Rewriting all rows of a snapshot's segments as one partition, or as one flat segment when they are few.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/head.h"
#include "engine/snapshot.h"
#include "index/partition.h"
#include "isotherm/collection.h"
#include "segment/routing_object.h"
#include "segment/segment_writer.h"

namespace isotherm {

// What a compaction wrote, to be put into a head.
struct Compacted {
  std::vector<SegmentInfo> segments;
  RoutingRef ref;
  std::string routing_bytes;
  std::shared_ptr<const Routing> routing;
  uint64_t rows = 0;
  uint64_t bytes_written = 0;

  // The deletions of `inputs`, the segments that were rewritten, as those of `segments`; also such that came after the
  // rows were read.
  DeletionMap Rebase(const DeletionMap& now, const std::vector<SegmentInfo>& inputs) const;
  // new_ordinals[s][ordinal - first ordinal]: of the rows of input s; kDropped: it was not taken over.
  static constexpr uint32_t kDropped = UINT32_MAX;
  std::vector<std::vector<uint32_t>> new_ordinals;
};

class CompactionJob {
 public:
  // `object_name` gives the names of new objects. All references must stay valid while it runs.
  CompactionJob(const ReadPath& path, const Snapshot& base, const CompactOptions& options,
                std::function<std::string(std::string_view kind)> object_name, const Progress& progress,
                const Context& context);

  // Rows that are deleted for good or expired are left out; softly deleted ones are taken along.
  Result<Compacted> Run();

  // What was written and nobody else can have written. Not the routing object: its name says its content, and another
  // compaction of the same rows may have put the same into the head.
  const std::vector<std::string>& objects() const { return objects_; }

 private:
  void Report(std::string_view stage, uint64_t done, uint64_t total) const;
  std::string NewName();
  Status ReadAll();
  Status WriteFlat();
  Status Cluster();
  std::vector<BlockPlan> PlanBlocks(std::vector<uint32_t>& row_of);
  std::vector<SegmentPlan> PlanSegments(std::vector<BlockPlan> blocks, std::span<const std::string> documents);
  Status WriteCells();
  Status WriteRouting();
  void MapRows(std::span<const uint32_t> ordinal_of);

  const ReadPath& path_;
  const Snapshot& base_;
  const SegmentSchema& schema_;
  const CompactOptions& options_;
  const std::function<std::string(std::string_view)> object_name_;
  const Progress& progress_;
  const Context& context_;
  std::vector<Row> rows_;
  struct Origin {
    uint32_t segment = 0;
    uint32_t ordinal = 0;
  };
  std::vector<Origin> origins_;  // of rows_
  std::vector<float> search_;
  Partition partition_;
  uint32_t probes_ = 0;
  Routing routing_;
  Compacted out_;
  std::vector<std::string> objects_;
};

}  // namespace isotherm
