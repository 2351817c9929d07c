#include "tests/simulation/sim_store.h"

#include <algorithm>
#include <utility>

#include "base/context_check.h"
#include "base/macros.h"
#include "blob/request_check.h"

namespace isotherm::simulation {

namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kCancelCheckNs = 5 * kMs;

bool IsWrite(RequestKind kind) { return kind == RequestKind::kPut || kind == RequestKind::kDelete; }

Status Dead() { return Status::Unavailable("the process is dead"); }

uint64_t HashOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

class SimStore::Writer : public BlobWriter {
 public:
  Writer(SimStore& store, const Context& context, std::string_view name)
      : store_(store), context_(context), name_(name) {}

  Status Append(std::string_view bytes) override {
    Process& process = store_.process_;
    process.scheduler().MayYield(this);
    RETURN_IF_ERROR(CheckRequest(context_, *process.environment()->clock, "append", name_));
    if (!process.alive()) return Dead();
    if (process.faults().Strikes(Fault::kWriterFailed)) {
      process.faults().Hit(Fault::kWriterFailed);
      ++store_.failures_;
      return Status::Unavailable("append to " + name_ + ": refused");
    }
    bytes_.append(bytes);
    return Status::Ok();
  }

  Result<std::string> Finish() override { return store_.Put(context_, name_, bytes_); }

 private:
  SimStore& store_;
  const Context context_;
  const std::string name_;
  std::string bytes_;
};

SimStore::SimStore(Process& process, Cloud& cloud, SimStoreOptions options)
    : process_(process), cloud_(cloud), options_(options) {}

SimStore::FlightPtr SimStore::Send(RequestKind kind, std::string what, Execute execute, bool conditional) {
  auto flight = std::make_shared<Flight>();
  flight->conditional = conditional;
  flight->what = std::move(what);
  Scheduler& scheduler = process_.scheduler();
  if (!process_.alive()) {
    flight->answered = true;
    flight->answer.status = Dead();
    return flight;
  }
  ++requests_;
  Faults& faults = process_.faults();
  auto ms = [&](uint64_t from, uint64_t to) {
    return static_cast<int64_t>((from * 1000 + faults.random().Below((to - from) * 1000)) * kMs / 1000);
  };
  int64_t arrival_ns = scheduler.now_ns() + ms(1, 60);
  if (faults.Strikes(Fault::kSlow)) {
    faults.Hit(Fault::kSlow);
    arrival_ns += ms(1'000, 30'000);
  }
  int64_t answer_ns = arrival_ns + ms(1, 60);
  if (faults.Strikes(Fault::kRefused)) {
    faults.Hit(Fault::kRefused);
    scheduler.At(answer_ns, [this, flight] {
      flight->answer.status = Status::Unavailable(flight->what + ": slow down");
      flight->answered = true;
      Note(*flight, "refused");
      process_.scheduler().WakeAll(flight->waiter.get());
    });
  } else if (faults.Strikes(Fault::kLostAnswer)) {
    faults.Hit(Fault::kLostAnswer);
    scheduler.At(arrival_ns, [this, flight, execute] { Note(*flight, execute().status.ToString() + ", answer lost"); });
    Lose(flight, answer_ns + ms(500, 20'000));
  } else if (IsWrite(kind) && faults.Strikes(Fault::kLate)) {
    faults.Hit(Fault::kLate);
    scheduler.At(arrival_ns + ms(100, 180'000),
                 [this, flight, execute] { Note(*flight, "late: " + execute().status.ToString()); });
    Lose(flight, answer_ns + ms(500, 20'000));
  } else {
    if (IsWrite(kind) && faults.Strikes(Fault::kDuplicate)) {
      faults.Hit(Fault::kDuplicate);
      scheduler.At(arrival_ns + ms(1, 60'000),
                   [this, flight, execute] { Note(*flight, "again: " + execute().status.ToString()); });
    }
    bool damaged = kind == RequestKind::kGet && faults.Strikes(Fault::kDamagedRead);
    Deliver(flight, arrival_ns, answer_ns, std::move(execute), damaged);
  }
  return flight;
}

void SimStore::Deliver(const FlightPtr& flight, int64_t arrival_ns, int64_t answer_ns, Execute execute, bool damaged) {
  process_.scheduler().At(arrival_ns, [this, flight, answer_ns, damaged, execute = std::move(execute)] {
    flight->answer = execute();
    Note(*flight, flight->answer.status.ToString());
    if (damaged && !flight->answer.read.data.empty()) {
      Damage(flight->answer.read.data);
      flight->damaged = true;
    }
    process_.scheduler().At(answer_ns, [this, flight] {
      flight->answered = true;
      process_.scheduler().WakeAll(flight->waiter.get());
    });
  });
}

void SimStore::Lose(const FlightPtr& flight, int64_t when_ns) {
  bool say_unknown =
      flight->conditional && (options_.unavailable_is_definite || process_.faults().random().Below(2) == 0);
  process_.scheduler().At(when_ns, [this, flight, say_unknown] {
    flight->answered = true;
    std::string message = flight->what + ": the connection broke";
    flight->answer.status = say_unknown ? Status::Unknown(message) : Status::Unavailable(message);
    process_.scheduler().WakeAll(flight->waiter.get());
  });
}

void SimStore::Damage(std::string& data) {
  SplitMix64& random = process_.faults().random();
  process_.faults().Hit(Fault::kDamagedRead);
  if (random.Below(4) == 0) {
    data.resize(random.Below(data.size()));
    return;
  }
  uint64_t bit = random.Below(data.size() * 8);
  data[bit / 8] = static_cast<char>(static_cast<unsigned char>(data[bit / 8]) ^ (1U << bit % 8));
}

void SimStore::Note(const Flight& flight, std::string_view outcome) {
  Trace& trace = process_.scheduler().trace();
  trace.Add("store", {options_.client, HashOf(flight.what), HashOf(outcome),
                      static_cast<uint64_t>(process_.scheduler().now_ns())});
  if (trace.has_text()) {
    trace.Note(process_.scheduler().now_ns(), process_.name(), flight.what + " -> " + std::string(outcome));
  }
}

SimStore::Answer SimStore::Await(const Context& context, const FlightPtr& flight) {
  return AwaitOne(context, {&flight, 1});
}

SimStore::Answer SimStore::AwaitOne(const Context& context, std::span<const FlightPtr> copies) {
  Clock& clock = *process_.environment()->clock;
  Flight& first = *copies.front();
  for (const FlightPtr& flight : copies) flight->waiter = first.waiter;
  auto answered_well = [](const FlightPtr& flight) { return flight->answered && flight->answer.status.ok(); };
  auto answered = [](const FlightPtr& flight) { return flight->answered; };
  while (process_.alive() && !std::ranges::any_of(copies, answered_well) && !std::ranges::all_of(copies, answered)) {
    if (Status ended = CheckContext(context, clock, first.what); !ended.ok()) return {ended, {}, {}, {}};
    int64_t until_ns = context.deadline_ns;
    if (context.cancel != nullptr) until_ns = std::min(until_ns, clock.NowNs() + kCancelCheckNs);
    process_.scheduler().Wait(first.waiter.get(), until_ns);
  }
  if (!process_.alive()) return {Dead(), {}, {}, {}};
  // Without a good answer, what leaves open whether it happened.
  auto best = std::ranges::find_if(copies, answered_well);
  if (best == copies.end()) {
    best = std::ranges::find_if(copies, [](const auto& each) { return MayHaveHappened(each->answer.status.code()); });
  }
  Flight& flight = best == copies.end() ? first : **best;
  if (flight.damaged) ++damaged_reads_;
  StatusCode code = flight.answer.status.code();
  if (code == StatusCode::kUnavailable || code == StatusCode::kUnknown) ++failures_;
  return std::move(flight.answer);
}

std::vector<ReadResult> SimStore::Read(const Context& context, std::span<const ReadRequest> requests) {
  Clock& clock = *process_.environment()->clock;
  std::vector<ReadResult> results(requests.size());
  std::vector<FlightPtr> flights;
  for (size_t i = 0; i < requests.size(); ++i) {
    results[i].status = CheckRequest(context, clock, "read", requests[i].name);
    results[i].start_ns = results[i].end_ns = clock.NowNs();
    if (!results[i].status.ok()) {
      flights.push_back(nullptr);
      continue;
    }
    flights.push_back(Send(RequestKind::kGet, "get " + requests[i].name, [this, request = requests[i]] {
      Answer answer;
      ReadFrom(cloud_.objects(), request, answer.read);
      answer.status = answer.read.status;
      return answer;
    }));
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    if (flights[i] == nullptr) continue;
    Answer answer = Await(context, flights[i]);
    int64_t start_ns = results[i].start_ns;
    results[i] =
        answer.status.ok() ? std::move(answer.read) : ReadResult{.status = answer.status, .data = {}, .etag = {}};
    results[i].start_ns = start_ns;
    results[i].end_ns = clock.NowNs();
  }
  return results;
}

SimStore::FlightPtr SimStore::SendPut(std::string_view name, std::shared_ptr<const std::string> bytes,
                                      const PutCondition& condition) {
  return Send(
      RequestKind::kPut, "put " + std::string(name),
      [this, object = std::string(name), bytes = std::move(bytes), condition] {
        Answer answer;
        auto etag = cloud_.Put(options_.client, object, bytes, condition);
        answer.status = etag.status();
        if (etag.ok()) answer.etag = *etag;
        return answer;
      },
      condition.mode != PutMode::kOverwrite);
}

Result<std::string> SimStore::Put(const Context& context, std::string_view name, std::string_view bytes,
                                  const PutCondition& condition) {
  RETURN_IF_ERROR(CheckRequest(context, *process_.environment()->clock, "put", name));
  FlightPtr flight = SendPut(name, std::make_shared<const std::string>(bytes), condition);
  Answer answer = Await(context, flight);
  RETURN_IF_ERROR(answer.status);
  return std::move(answer.etag);
}

std::vector<PutResult> SimStore::PutAll(const Context& context, std::span<const PutRequest> requests) {
  Clock& clock = *process_.environment()->clock;
  std::vector<PutResult> results(requests.size());
  std::vector<std::vector<FlightPtr>> copies(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    const PutRequest& request = requests[i];
    results[i].status = CheckRequest(context, clock, "put", request.name);
    results[i].start_ns = results[i].end_ns = clock.NowNs();
    if (!results[i].status.ok()) continue;
    results[i].requests = request.copies;
    auto bytes = std::make_shared<const std::string>(request.bytes);
    while (copies[i].size() < request.copies) copies[i].push_back(SendPut(request.name, bytes, request.condition));
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    if (copies[i].empty()) continue;
    Answer answer = AwaitOne(context, copies[i]);
    results[i].status = answer.status;
    results[i].etag = std::move(answer.etag);
    results[i].end_ns = clock.NowNs();
  }
  return results;
}

Result<std::unique_ptr<BlobWriter>> SimStore::CreateWriter(const Context& context, std::string_view name) {
  RETURN_IF_ERROR(CheckRequest(context, *process_.environment()->clock, "put", name));
  return std::unique_ptr<BlobWriter>(std::make_unique<Writer>(*this, context, name));
}

Status SimStore::Delete(const Context& context, std::string_view name) {
  RETURN_IF_ERROR(CheckRequest(context, *process_.environment()->clock, "delete", name));
  FlightPtr flight = Send(RequestKind::kDelete, "delete " + std::string(name), [this, object = std::string(name)] {
    cloud_.Delete(options_.client, object);
    return Answer{};
  });
  return Await(context, flight).status;
}

Result<ListPage> SimStore::List(const Context& context, std::string_view prefix, std::string_view start_after,
                                size_t limit) {
  RETURN_IF_ERROR(CheckList(context, *process_.environment()->clock, prefix, limit));
  FlightPtr flight = Send(RequestKind::kList, "list " + std::string(prefix),
                          [this, from = std::string(prefix), after = std::string(start_after), limit] {
                            Answer answer;
                            answer.page = ListOf(cloud_.objects(), from, after, limit);
                            return answer;
                          });
  Answer answer = Await(context, flight);
  RETURN_IF_ERROR(answer.status);
  return std::move(answer.page);
}

}  // namespace isotherm::simulation
