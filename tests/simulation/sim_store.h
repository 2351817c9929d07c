// The way of one open collection to the shared object store: requests take time and overtake each other, and are
// refused, lost, delayed, repeated and damaged as the run's faults will have it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "isotherm/blob_store.h"
#include "isotherm/metering.h"
#include "tests/simulation/cloud.h"
#include "tests/simulation/process.h"

namespace isotherm::simulation {

struct SimStoreOptions {
  uint64_t client = 0;  // known to the cloud's hook
  // Of conditional puts kUnavailable is kept for those that were not executed, and a lost answer is kUnknown, as over
  // S3. Else a lost answer may be either.
  bool unavailable_is_definite = true;
};

// Requests of a process that has died are not sent; those that it sent before arrive all the same.
class SimStore : public BlobStore {
 public:
  SimStore(Process& process, Cloud& cloud, SimStoreOptions options);

  std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) override;
  Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                          const PutCondition& condition = {}) override;
  std::vector<PutResult> PutAll(const Context& context, std::span<const PutRequest> requests) override;
  Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) override;
  Status Delete(const Context& context, std::string_view name) override;
  Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after = {},
                        size_t limit = 1000) override;
  std::string Describe() const override { return "sim://bucket"; }

  // What its user was told: requests that failed, and answers that were damaged.
  uint64_t failures() const { return failures_; }
  uint64_t damaged_reads() const { return damaged_reads_; }
  uint64_t requests() const { return requests_; }

 private:
  class Writer;
  // What the cloud says, whichever kind of request it was.
  struct Answer {
    Status status;
    std::string etag;
    ReadResult read;
    ListPage page;
  };
  struct Flight {
    std::string what;  // "put head"
    bool conditional = false;
    bool answered = false;
    bool damaged = false;
    Answer answer;
    // Woken with the answer: who waits for it, perhaps for others too. As long as one of them is under way nothing
    // else has this address.
    std::shared_ptr<const char> waiter = std::make_shared<const char>();
  };
  using FlightPtr = std::shared_ptr<Flight>;
  using Execute = std::function<Answer()>;

  // Sends a request; `execute` is what the cloud does when it arrives, perhaps twice or never.
  FlightPtr Send(RequestKind kind, std::string what, Execute execute, bool conditional = false);
  void Deliver(const FlightPtr& flight, int64_t arrival_ns, int64_t answer_ns, Execute execute, bool damaged);
  void Lose(const FlightPtr& flight, int64_t when_ns);
  FlightPtr SendPut(std::string_view name, std::shared_ptr<const std::string> bytes, const PutCondition& condition);
  // Until one of them is answered well, or all are.
  Answer AwaitOne(const Context& context, std::span<const FlightPtr> copies);
  // Until the answer is there, or what the context or the process' end has to say instead.
  Answer Await(const Context& context, const FlightPtr& flight);
  void Damage(std::string& data);
  void Note(const Flight& flight, std::string_view outcome);

  Process& process_;
  Cloud& cloud_;
  const SimStoreOptions options_;
  uint64_t failures_ = 0;
  uint64_t damaged_reads_ = 0;
  uint64_t requests_ = 0;
};

}  // namespace isotherm::simulation
