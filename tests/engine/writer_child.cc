// A writer in a process of its own, for tests that race several or kill it.
//
//   writer_child crash STORE CALL before|after    runs a program of commits and dies at that store call
//   writer_child reopen STORE                     commits, closes, opens again, commits, and dies
//   writer_child race STORE FIRST_KEY COMMITS SEED GATE   begins when the FIFO GATE was opened and closed
//
// STORE: see store_argument.h. What it asks for and what it was told goes to standard output, a line at a time, so that
// it is known also after it was killed:
//   asked ROWS, acknowledged ROWS, conflicts COUNT, done
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "base/macros.h"
#include "blob/fault_store.h"
#include "isotherm/isotherm.h"
#include "tests/engine/forwarding_store.h"
#include "tests/engine/numbered_rows.h"
#include "tests/engine/seeded_faults.h"
#include "tests/engine/store_argument.h"

namespace isotherm::testing_support {
namespace {

void Say(const std::string& line) {
  std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}

// Kills this process before or after the call of a given number.
class Gate {
 public:
  Gate(int64_t call, bool before) : call_(call), before_(before) {}

  template <typename Call>
  auto Pass(Call call) {
    bool now = next_++ == call_;
    if (now && before_) ::raise(SIGKILL);
    auto result = call();
    if (now) ::raise(SIGKILL);
    return result;
  }

 private:
  const int64_t call_;
  const bool before_;
  std::atomic<int64_t> next_{0};
};

class KillingWriter : public BlobWriter {
 public:
  KillingWriter(std::unique_ptr<BlobWriter> writer, std::shared_ptr<Gate> gate)
      : writer_(std::move(writer)), gate_(std::move(gate)) {}
  Status Append(std::string_view bytes) override {
    return gate_->Pass([&] { return writer_->Append(bytes); });
  }
  Result<std::string> Finish() override {
    return gate_->Pass([&] { return writer_->Finish(); });
  }

 private:
  const std::unique_ptr<BlobWriter> writer_;
  const std::shared_ptr<Gate> gate_;
};

class KillingStore : public ForwardingStore {
 public:
  KillingStore(std::shared_ptr<BlobStore> store, int64_t call, bool before)
      : ForwardingStore(std::move(store)), gate_(std::make_shared<Gate>(call, before)) {}

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override {
    return gate_->Pass([&] { return store_->Read(context, requests); });
  }
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition) override {
    return gate_->Pass([&] { return store_->Put(context, name, bytes, condition); });
  }
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override {
    auto writer = gate_->Pass([&] { return store_->CreateWriter(context, name); });
    if (!writer.ok()) return writer;
    return std::unique_ptr<BlobWriter>(std::make_unique<KillingWriter>(std::move(writer).value(), gate_));
  }
  Status Delete(const Context& context, std::string_view name) override {
    return gate_->Pass([&] { return store_->Delete(context, name); });
  }

 private:
  const std::shared_ptr<Gate> gate_;
};

class Program {
 public:
  explicit Program(std::unique_ptr<Collection> collection) : collection_(std::move(collection)) {}

  Status Commit(uint64_t count) {
    Say("asked " + std::to_string(rows_ + count));
    RETURN_IF_ERROR(collection_->InsertBatch(NumberedRows(rows_, count)));
    RETURN_IF_ERROR(collection_->Commit());
    rows_ += count;
    Say("acknowledged " + std::to_string(rows_));
    return Status::Ok();
  }

  Status Compact() {
    CompactOptions cells;
    cells.min_rows_for_cells = 1;
    cells.cells = 3;
    cells.max_object_bytes = 8 << 10;
    return collection_->Compact(cells);
  }

 private:
  const std::unique_ptr<Collection> collection_;
  uint64_t rows_ = 0;
};

// In the head; beyond its room; beside a segment; a partition; beside that; another partition.
Status Crash(std::shared_ptr<BlobStore> store, int64_t call, bool before) {
  Options options = CreatingSmall();
  options.inline_bytes = 4096;
  ASSIGN_OR_RETURN(auto collection, Open(std::make_shared<KillingStore>(std::move(store), call, before), options));
  Program program(std::move(collection));
  RETURN_IF_ERROR(program.Commit(3));
  RETURN_IF_ERROR(program.Commit(35));
  RETURN_IF_ERROR(program.Commit(1));
  RETURN_IF_ERROR(program.Compact());
  RETURN_IF_ERROR(program.Commit(2));
  RETURN_IF_ERROR(program.Compact());
  return program.Commit(1);
}

Status Reopen(const std::shared_ptr<BlobStore>& store) {
  for (uint64_t first : {uint64_t{0}, uint64_t{25}}) {
    Options options = CreatingSmall();
    options.inline_bytes = 2048;
    ASSIGN_OR_RETURN(auto collection, Open(store, options));
    const uint64_t rows = first == 0 ? 25 : 15;
    RETURN_IF_ERROR(collection->InsertBatch(NumberedRows(first, rows)));
    RETURN_IF_ERROR(collection->Commit());
    Say("acknowledged " + std::to_string(first + rows));
    if (first != 0) ::raise(SIGKILL);
    RETURN_IF_ERROR(collection->Close());
  }
  return Status::Ok();
}

void AwaitOpening(const std::string& fifo) {
  std::ifstream gate(fifo);
  while (gate.get() != std::ifstream::traits_type::eof()) {
  }
}

Status Race(std::shared_ptr<BlobStore> store, uint64_t first_key, uint64_t commits, uint64_t seed,
            const std::string& gate) {
  if (seed != 0) {
    store = std::make_shared<FaultBlobStore>(std::move(store), Environment::Default(), SeededHeadFaults(seed));
  }
  Options options = CreatingSmall();
  options.inline_bytes = 32 << 10;
  ASSIGN_OR_RETURN(auto collection, Open(std::move(store), options));
  AwaitOpening(gate);
  for (uint64_t i = 0; i < commits; ++i) {
    RETURN_IF_ERROR(collection->Insert(NumberedRow(first_key + i)));
    Status status = collection->Commit();
    while (status.code() == StatusCode::kUnknown) status = collection->Commit();
    RETURN_IF_ERROR(status);
    Say("acknowledged " + std::to_string(i + 1));
  }
  Say("conflicts " + std::to_string(collection->Stats().conflicts));
  return collection->Close();
}

uint64_t Number(std::string_view text) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) std::abort();
  return number;
}

Status Main(const std::vector<std::string>& arguments) {
  if (arguments.size() < 3) return Status::InvalidArgument("too few arguments");
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenStoreOf(arguments[2]));
  if (arguments[1] == "crash" && arguments.size() == 5) {
    return Crash(std::move(store), static_cast<int64_t>(Number(arguments[3])), arguments[4] == "before");
  }
  if (arguments[1] == "reopen") return Reopen(store);
  if (arguments[1] == "race" && arguments.size() == 7) {
    return Race(std::move(store), Number(arguments[3]), Number(arguments[4]), Number(arguments[5]), arguments[6]);
  }
  return Status::InvalidArgument("crash STORE CALL before|after, or race STORE FIRST_KEY COMMITS SEED GATE");
}

}  // namespace
}  // namespace isotherm::testing_support

int main(int argc, char** argv) {
  isotherm::Status status = isotherm::testing_support::Main({argv, argv + argc});
  isotherm::testing_support::Say(status.ok() ? "done" : status.ToString());
  return status.ok() ? 0 : 1;
}
