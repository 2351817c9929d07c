// A client of a collection that other clients change too. Each of its operations is one line when it begins and one
// when it is told the outcome, so that the first is known also after it was killed; see history.h.
//
//   client_process STORE writer|reader|stale CLIENT OPERATIONS KEYS FAULTS
//
// STORE: see tests/engine/store_argument.h. FAULTS: 0, or a seed of what happens to its swaps. "stale" is a reader that
// takes what it saw first for the newest: the mistake that a checker must find.
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/environment.h"
#include "base/macros.h"
#include "base/splitmix.h"
#include "blob/fault_store.h"
#include "isotherm/isotherm.h"
#include "tests/engine/numbered_rows.h"
#include "tests/engine/seeded_faults.h"
#include "tests/engine/store_argument.h"

namespace isotherm::testing_support {
namespace {

constexpr uint64_t kValuesApart = 1'000'000;

void Say(const std::string& line) {
  std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}

struct Seen {
  uint64_t value = 0;  // 0: no row
  uint64_t version = 0;
};

class Client {
 public:
  Client(std::unique_ptr<Collection> collection, uint64_t number, uint64_t keys)
      : collection_(std::move(collection)), number_(number), keys_(keys), random_(number) {}

  Status Write(uint64_t operations) {
    for (uint64_t i = 0; i < operations; ++i) RETURN_IF_ERROR(OneChange());
    return Status::Ok();
  }

  Status Read(uint64_t operations, const Consistency& consistency) {
    for (uint64_t i = 0; i < operations; ++i) {
      RETURN_IF_ERROR(OneRead(random_.Below(keys_), consistency).status());
    }
    return Status::Ok();
  }

 private:
  void Begin(uint64_t key, const std::string& operation, uint64_t argument, uint64_t value) {
    Say("begin " + std::to_string(key) + " " + operation + " " + std::to_string(argument) + " " +
        std::to_string(value) + " " + std::to_string(clock_->NowNs()));
  }
  void End(const std::string& outcome, uint64_t found = 0) {
    Say("end " + std::to_string(clock_->NowNs()) + " " + outcome + " " + std::to_string(found));
  }

  Result<Seen> OneRead(uint64_t key, const Consistency& consistency) {
    Begin(key, "read", 0, 0);
    auto row = collection_->Get(key, consistency, {});
    if (!row.ok() && row.status().code() != StatusCode::kNotFound) return row.status();
    Seen seen;
    if (row.ok()) seen = {static_cast<uint64_t>(row->metadata.at("value").as_int()), row->version};
    End("ok", seen.value);
    return seen;
  }

  Row ValueRow(uint64_t key, uint64_t value) {
    Row row = NumberedRow(key);
    row.metadata["value"] = static_cast<int64_t>(value);
    return row;
  }

  Status OneChange() {
    const uint64_t key = random_.Below(keys_);
    const uint64_t value = number_ * kValuesApart + ++values_;
    WriteBatch batch;
    MetadataPatch patch;
    patch.set["value"] = static_cast<int64_t>(value);
    switch (random_.Below(6)) {
      case 0: return Change(key, "upsert", 0, value, batch.Upsert(ValueRow(key, value)));
      case 1: return Change(key, "insert", 0, value, batch.Insert(ValueRow(key, value)));
      case 2: return Change(key, "delete", 0, 0, batch.Delete(key));
      case 3: return Change(key, "patch", 0, value, batch.Patch(key, patch));
      default: break;
    }
    ASSIGN_OR_RETURN(Seen seen, OneRead(key, Consistency::Strong()));
    if (seen.value == 0) return Status::Ok();
    return Change(key, "swap", seen.value, value, batch.Upsert(ValueRow(key, value), seen.version));
  }

  // One operation: the change, committed. What a handle sees is what it checks a change against at first, so that is
  // made no older than the operation.
  Status Change(uint64_t key, const std::string& operation, uint64_t argument, uint64_t value, WriteBatch& batch) {
    Begin(key, operation, argument, value);
    RETURN_IF_ERROR(collection_->Refresh());
    Status status = collection_->Write(std::move(batch));
    if (status.ok()) status = collection_->Commit();
    while (status.code() == StatusCode::kUnknown || status.code() == StatusCode::kUnavailable) {
      status = collection_->Commit();
    }
    switch (status.code()) {
      case StatusCode::kOk: End("ok"); return status;
      case StatusCode::kAlreadyExists: End("exists"); break;
      case StatusCode::kNotFound: End("absent"); break;
      case StatusCode::kConflict: End("conflict"); break;
      default: return status;
    }
    return collection_->DiscardPending();
  }

  const std::unique_ptr<Collection> collection_;
  const uint64_t number_;
  const uint64_t keys_;
  SplitMix64 random_;
  const std::shared_ptr<Clock> clock_ = Environment::Default()->clock;
  uint64_t values_ = 0;
};

uint64_t Number(std::string_view text) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) std::abort();
  return number;
}

Status Main(const std::vector<std::string>& arguments) {
  if (arguments.size() != 7) return Status::InvalidArgument("STORE ROLE CLIENT OPERATIONS KEYS FAULTS");
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenStoreOf(arguments[1]));
  if (const uint64_t seed = Number(arguments[6]); seed != 0) {
    store = std::make_shared<FaultBlobStore>(std::move(store), Environment::Default(), SeededHeadFaults(seed));
  }
  const std::string& role = arguments[2];
  Options options = CreatingSmall();
  options.inline_bytes = 2048;
  options.background_compaction = true;
  options.read_only = role != "writer";
  if (options.read_only) options.create.reset();
  ASSIGN_OR_RETURN(auto collection, Open(std::move(store), options));
  Client client(std::move(collection), Number(arguments[3]), Number(arguments[5]));
  const uint64_t operations = Number(arguments[4]);
  if (role == "writer") return client.Write(operations);
  return client.Read(operations, role == "stale" ? Consistency::Pinned() : Consistency::Strong());
}

}  // namespace
}  // namespace isotherm::testing_support

int main(int argc, char** argv) {
  isotherm::Status status = isotherm::testing_support::Main({argv, argv + argc});
  if (!status.ok()) isotherm::testing_support::Say("failed " + status.ToString());
  return status.ok() ? 0 : 1;
}
