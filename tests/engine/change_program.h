// A program of changes of every kind, with what each step makes of the rows, for tests that let it fail, die or lose
// its power at any point.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "isotherm/isotherm.h"
#include "tests/engine/commits.h"
#include "tests/engine/mutation_model.h"
#include "tests/engine/numbered_rows.h"

namespace isotherm::testing_support {

class ChangeProgram {
 public:
  // Called with what a step that failed said. True: it is done again.
  using Again = std::function<bool(const Status&)>;

  ChangeProgram() {
    states_.emplace_back();
    AddSteps();
  }

  static Options WithSmallHead() {
    Options options = CreatingSmall();
    options.inline_bytes = 4096;
    return options;
  }

  // True: all steps were acknowledged.
  bool Run(Collection& collection, const Again& again) {
    while (acknowledged_ < steps_.size()) {
      asked_ = acknowledged_ + 1;
      const Step& step = steps_[acknowledged_];
      bool repeated = false;
      for (Status status = step(collection, repeated); !status.ok(); status = step(collection, repeated)) {
        if (!again(status)) return false;
        repeated = true;
      }
      ++acknowledged_;
    }
    return true;
  }

  // All rows are those after the acknowledged steps, or after the one that was begun.
  void ExpectState(Collection& collection) const {
    std::map<Key, Row> live = Rows(collection, false);
    std::map<Key, Row> soft = Rows(collection, true);
    bool is = false;
    for (size_t step : {acknowledged_, asked_}) is = is || (live == Shown(step, false) && soft == Shown(step, true));
    EXPECT_TRUE(is) << live.size() << " rows and " << soft.size() << " softly deleted ones; after " << acknowledged_
                    << " steps there should be " << Shown(acknowledged_, false).size() << " and "
                    << Shown(acknowledged_, true).size();
  }

 private:
  // `repeated`: it failed before, and may have happened all the same.
  using Step = std::function<Status(Collection&, bool repeated)>;

  static std::map<Key, Row> Rows(Collection& collection, bool soft) {
    std::map<Key, Row> rows;
    ScanOptions options;
    options.soft_deleted = soft;
    Status status = collection.Scan(
        [&](Row row) {
          Key key = row.key;
          EXPECT_TRUE(rows.emplace(key, std::move(row)).second) << "twice: " << key.ToString();
          return Status::Ok();
        },
        options);
    EXPECT_TRUE(status.ok()) << status;
    return rows;
  }

  std::map<Key, Row> Shown(size_t step, bool soft) const {
    ModelHandle handle;
    handle.Show(states_[step]);
    return soft ? handle.Soft(0) : handle.Live(0);
  }

  void Commit(const WriteBatch& batch) {
    ModelHandle handle;
    handle.Show(states_.back());
    EXPECT_EQ(handle.Write(batch.mutations(), 0), StatusCode::kOk);
    states_.push_back(Replay(states_.back(), 0, 0).Run(handle.WholeLog()).state);
    steps_.push_back([batch](Collection& collection, bool) {
      // What a commit failed to commit is still pending.
      if (collection.Stats().pending_rows == 0) {
        Status written = collection.Write(batch);
        if (!written.ok()) return written;
      }
      return collection.Commit();
    });
  }

  void Do(Step step) {
    states_.push_back(states_.back());
    steps_.push_back(std::move(step));
  }

  void Compact(CompactScope scope) {
    CompactOptions options;
    options.scope = scope;
    options.min_rows_for_cells = 1;
    options.cells = 3;
    options.max_object_bytes = 8 << 10;
    Do([options](Collection& collection, bool) { return collection.Compact(options); });
  }

  void Vacuum(uint64_t versions) {
    VacuumOptions options;
    options.keep_versions = versions;
    options.keep_soft_deleted = true;
    Do([options](Collection& collection, bool) { return collection.Vacuum(options).status(); });
  }

  static Row Changed(uint64_t key, const std::string& payload) {
    Row row = NumberedRow(key);
    row.payload = payload;
    return row;
  }

  static WriteBatch Inserts(uint64_t first, uint64_t count) {
    WriteBatch batch;
    for (Row& row : NumberedRows(first, count)) batch.Insert(std::move(row));
    return batch;
  }

  void AddSteps() {
    MetadataPatch patch;
    patch.set["patched"] = true;
    // In the head; in a segment; changes of both.
    Commit(Inserts(0, 3));
    Commit(Inserts(3, 35));
    Commit(WriteBatch().Upsert(Changed(1, "new")).Upsert(Changed(5, "new")).Delete(uint64_t{0}).Delete(uint64_t{7}));
    Commit(
        WriteBatch().Patch(uint64_t{8}, patch).SoftDelete(uint64_t{9}).SoftDelete(uint64_t{10}).Insert(NumberedRow(7)));
    Commit(Inserts(40, 30));
    Compact(CompactScope::kAll);
    // Changes of what lies in cells.
    WriteBatch many;
    for (uint64_t key = 20; key < 35; ++key) many.Delete(key);
    for (uint64_t key = 40; key < 60; ++key) many.Upsert(Changed(key, "new"));
    Commit(many);
    Do([](Collection& collection, bool repeated) {
      Status status = collection.CreateBranch("branch");
      return repeated && status.code() == StatusCode::kAlreadyExists ? Status::Ok() : status;
    });
    Commit(WriteBatch().Restore(uint64_t{9}).SoftDelete(uint64_t{41}).Patch(uint64_t{42}, patch));
    Vacuum(2);
    Compact(CompactScope::kPolicy);
    Commit(WriteBatch().Delete(uint64_t{10}).Delete(uint64_t{42}).Insert(NumberedRow(80)));
    Do([](Collection& collection, bool repeated) {
      Status status = collection.DeleteBranch("branch");
      return repeated && status.code() == StatusCode::kNotFound ? Status::Ok() : status;
    });
    Compact(CompactScope::kAll);
    Vacuum(1);
    Commit(WriteBatch().Upsert(Changed(2, "last")).Restore(uint64_t{41}));
  }

  std::vector<Step> steps_;
  std::vector<ModelState> states_;  // [i]: after i steps
  size_t asked_ = 0;                // steps that were begun
  size_t acknowledged_ = 0;
};

}  // namespace isotherm::testing_support
