// A process that changes a collection without a pause, until it is killed.
//
//   loaded_process STORE CACHE_DIR SEED BEGIN_MS FIRST_STEP
//
// STORE: see tests/engine/store_argument.h. It says what it begins and what it was told, a line at a time, so that it
// is known also after it was killed:
//   open, asked STEP, acknowledged STEP, refused STEP, compacted, vacuumed; anything else is a failure
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/macros.h"
#include "tests/engine/store_argument.h"
#include "tests/kills/load.h"

namespace isotherm::testing_support {
namespace {

void Say(const std::string& line) {
  std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}

Status DoChore(Collection& collection, Chore chore) {
  CompactOptions options = UnderLoad("").compaction;
  VacuumOptions vacuum;
  vacuum.keep_versions = 3;
  vacuum.keep_soft_deleted = true;
  switch (chore) {
    case Chore::kNone: return Status::Ok();
    case Chore::kCompact: RETURN_IF_ERROR(collection.Compact(options)); break;
    case Chore::kMerge:
      options.scope = CompactScope::kPolicy;
      RETURN_IF_ERROR(collection.Compact(options));
      break;
    case Chore::kVacuum:
      RETURN_IF_ERROR(collection.Vacuum(vacuum).status());
      Say("vacuumed");
      return Status::Ok();
  }
  Say("compacted");
  return Status::Ok();
}

Status Run(Collection& collection, uint64_t seed, int64_t begin_ms, uint64_t first_step) {
  for (uint64_t number = first_step;; ++number) {
    LoadStep step(seed, number);
    const std::string name = std::to_string(number);
    Say("asked " + name);
    Status status = collection.Write(step.Batch(begin_ms));
    if (status.code() == StatusCode::kNotFound || status.code() == StatusCode::kAlreadyExists) {
      Say("refused " + name);
      continue;
    }
    RETURN_IF_ERROR(status);
    RETURN_IF_ERROR(collection.Commit());
    Say("acknowledged " + name);
    RETURN_IF_ERROR(DoChore(collection, step.After()));
  }
}

int64_t Number(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) std::abort();
  return number;
}

Status Main(const std::vector<std::string>& arguments) {
  if (arguments.size() != 6) return Status::InvalidArgument("STORE CACHE_DIR SEED BEGIN_MS FIRST_STEP");
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenStoreOf(arguments[1]));
  Options options = UnderLoad(arguments[2]);
  // Two segments are enough to merge, so that there is always something going on in the background.
  options.compaction_policy = SizeTieredCompaction({.threshold = 2});
  ASSIGN_OR_RETURN(auto collection, Open(std::move(store), options));
  Say("open");
  return Run(*collection, static_cast<uint64_t>(Number(arguments[3])), Number(arguments[4]),
             static_cast<uint64_t>(Number(arguments[5])));
}

}  // namespace
}  // namespace isotherm::testing_support

int main(int argc, char** argv) {
  isotherm::Status status = isotherm::testing_support::Main({argv, argv + argc});
  isotherm::testing_support::Say(status.ToString());
  return 1;
}
