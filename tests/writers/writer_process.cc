// A writer or reader in a process of its own. It is told what to do by lines in a FIFO, its last argument, and answers
// on standard output, a line at a time; it ends with its input. STORE: see tests/engine/store_argument.h.
//
//   writer_process race STORE FIRST_KEY    says "ready"; "until VERSION" is answered by "round FIGURES"
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

Status Main(const std::vector<std::string>& arguments) {
  if (arguments.size() < 4) return Status::InvalidArgument("too few arguments");
  std::ifstream input(arguments.back());
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenStoreOf(arguments[2]));
  std::vector<std::string> more(arguments.begin() + 3, arguments.end() - 1);
  if (arguments[1] == "race" && more.size() == 1) return Race(std::move(store), more, input);
  return Status::InvalidArgument("no such task: " + arguments[1]);
}

}  // namespace
}  // namespace isotherm::testing_support

int main(int argc, char** argv) {
  isotherm::Status status = isotherm::testing_support::Main({argv, argv + argc});
  if (!status.ok()) isotherm::testing_support::Say(status.ToString());
  return status.ok() ? 0 : 1;
}
