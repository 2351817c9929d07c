// A writer or reader in a process of its own. It is told what to do by lines in a FIFO, its last argument, and answers
// on standard output, a line at a time; it ends with its input. STORE: see tests/engine/store_argument.h.
//
//   writer_process race STORE FIRST_KEY    says "ready"; "until VERSION" is answered by "round FIGURES"
//   writer_process lead STORE COUNT        commits COUNT times, a row each; after each "committed ROWS NANOSECONDS"
//   writer_process follow STORE HOW        says "ready"; "until ROWS" makes it read until it sees so many, saying
//                                          "saw ROWS NANOSECONDS" for each read, with the time when it began; then
//                                          "end". HOW: strong, refresh, or the greatest age in milliseconds
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/macros.h"
#include "isotherm/isotherm.h"
#include "tests/engine/store_argument.h"
#include "tests/writers/race_round.h"

namespace isotherm::testing_support {
namespace {

void Say(const std::string& line) {
  std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}

uint64_t Number(std::string_view text) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) std::abort();
  return number;
}

Status Race(std::shared_ptr<BlobStore> store, const std::vector<std::string>& arguments, std::istream& input) {
  ASSIGN_OR_RETURN(auto collection, Open(std::move(store), Racing()));
  RaceWriter writer(std::move(collection), Number(arguments[0]));
  Say("ready");
  std::string word;
  for (uint64_t goal = 0; input >> word >> goal;) {
    ASSIGN_OR_RETURN(RaceFigures figures, writer.RunUntil(goal));
    Say("round " + figures.ToString());
  }
  return Status::Ok();
}

std::string Now() { return std::to_string(Environment::Default()->clock->NowNs()); }

Status Lead(std::shared_ptr<BlobStore> store, const std::string& count) {
  ASSIGN_OR_RETURN(auto collection, Open(std::move(store), Racing()));
  for (uint64_t key = 0; key < Number(count); ++key) {
    RETURN_IF_ERROR(collection->Insert(NumberedRow(key)));
    RETURN_IF_ERROR(collection->Commit());
    Say("committed " + std::to_string(key + 1) + " " + Now());
    constexpr uint64_t kCompactEvery = 60;
    if (key % kCompactEvery == kCompactEvery - 1) RETURN_IF_ERROR(collection->Compact());
  }
  return collection->Close();
}

// How many rows the reader sees: it must be the first ones, each once.
Result<uint64_t> SeenRows(Collection& collection, const Consistency& consistency) {
  uint64_t rows = 0;
  ScanOptions options;
  options.consistency = consistency;
  RETURN_IF_ERROR(collection.Scan(
      [&](Row row) {
        if (row == NumberedRow(rows++)) return Status::Ok();
        return Status::Corruption("row " + std::to_string(rows - 1) + " of the snapshot is " + row.key.ToString());
      },
      options));
  return rows;
}

Status Follow(std::shared_ptr<BlobStore> store, const std::string& how, std::istream& input) {
  Options options;
  options.read_only = true;
  ASSIGN_OR_RETURN(auto collection, Open(std::move(store), options));
  Consistency consistency = Consistency::Strong();
  if (how == "refresh") consistency = Consistency::Pinned();
  if (how != "refresh" && how != "strong") consistency = Consistency::Bounded(static_cast<int64_t>(Number(how)));
  Say("ready");
  std::string word;
  uint64_t goal = 0;
  if (!(input >> word >> goal)) return Status::Ok();
  for (uint64_t rows = 0; rows < goal;) {
    std::string begin = Now();
    if (how == "refresh") RETURN_IF_ERROR(collection->Refresh());
    ASSIGN_OR_RETURN(rows, SeenRows(*collection, consistency));
    Say("saw " + std::to_string(rows) + " " + begin);
  }
  Say("end");
  return Status::Ok();
}

Status Main(const std::vector<std::string>& arguments) {
  if (arguments.size() < 4) return Status::InvalidArgument("too few arguments");
  std::ifstream input(arguments.back());
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenStoreOf(arguments[2]));
  std::vector<std::string> more(arguments.begin() + 3, arguments.end() - 1);
  if (arguments[1] == "race" && more.size() == 1) return Race(std::move(store), more, input);
  if (arguments[1] == "lead" && more.size() == 1) return Lead(std::move(store), more[0]);
  if (arguments[1] == "follow" && more.size() == 1) return Follow(std::move(store), more[0], input);
  return Status::InvalidArgument("no such task: " + arguments[1]);
}

}  // namespace
}  // namespace isotherm::testing_support

int main(int argc, char** argv) {
  isotherm::Status status = isotherm::testing_support::Main({argv, argv + argc});
  if (!status.ok()) isotherm::testing_support::Say(status.ToString());
  return status.ok() ? 0 : 1;
}
