// What one writer of a race does, and how that is told.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>

#include "base/environment.h"
#include "base/macros.h"
#include "isotherm/isotherm.h"
#include "tests/engine/numbered_rows.h"

namespace isotherm::testing_support {

struct RaceFigures {
  uint64_t commits = 0;
  uint64_t conflicts = 0;
  uint64_t gets = 0;
  uint64_t puts = 0;
  int64_t longest_ns = 0;  // from asking for a commit to its acknowledgement

  void Add(const RaceFigures& other) {
    commits += other.commits;
    conflicts += other.conflicts;
    gets += other.gets;
    puts += other.puts;
    longest_ns = std::max(longest_ns, other.longest_ns);
  }
  std::string ToString() const {
    std::ostringstream text;
    text << commits << ' ' << conflicts << ' ' << gets << ' ' << puts << ' ' << longest_ns;
    return text.str();
  }
  static RaceFigures Parse(const std::string& text) {
    RaceFigures figures;
    std::istringstream(text) >> figures.commits >> figures.conflicts >> figures.gets >> figures.puts >>
        figures.longest_ns;
    return figures;
  }
};

inline Options Racing() {
  Options options = CreatingSmall();
  // So that commits of rows in the head, of segments and of deletions all take part.
  options.inline_bytes = 32 << 10;
  return options;
}

// Inserts rows from `next_key` on, a row a commit, until the collection has come to version `goal`.
class RaceWriter {
 public:
  RaceWriter(std::unique_ptr<Collection> collection, uint64_t first_key)
      : collection_(std::move(collection)), next_key_(first_key) {}

  Result<RaceFigures> RunUntil(uint64_t goal) {
    RaceFigures figures;
    Clock& clock = *Environment::Default()->clock;
    const uint64_t conflicts = collection_->Stats().conflicts;
    RETURN_IF_ERROR(collection_->Refresh());
    while (collection_->Stats().version < goal) {
      Meter meter;
      Context context;
      context.meter = &meter;
      RETURN_IF_ERROR(collection_->Insert(NumberedRow(next_key_), context));
      const int64_t start_ns = clock.NowNs();
      Status status = collection_->Commit(context);
      while (status.code() == StatusCode::kUnknown || status.code() == StatusCode::kFenced) {
        status = collection_->Commit(context);
      }
      // After kFenced: it had landed.
      if (status.code() == StatusCode::kAlreadyExists) status = collection_->DiscardPending(context);
      RETURN_IF_ERROR(status);
      figures.longest_ns = std::max(figures.longest_ns, clock.NowNs() - start_ns);
      MeterSummary summary = meter.Summary();
      figures.gets += summary.gets();
      figures.puts += summary.puts();
      ++figures.commits;
      ++next_key_;
    }
    figures.conflicts = collection_->Stats().conflicts - conflicts;
    return figures;
  }

  uint64_t next_key() const { return next_key_; }

 private:
  const std::unique_ptr<Collection> collection_;
  uint64_t next_key_;
};

}  // namespace isotherm::testing_support
