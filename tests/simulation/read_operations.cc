#include <algorithm>
#include <set>
#include <tuple>

#include "tests/simulation/operations.h"

namespace isotherm::simulation {

namespace {

// By the definition of Metric; the vectors' numbers are small and whole, so that it is exact.
float DistanceOf(Metric metric, const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += metric == Metric::kL2 ? (a[i] - b[i]) * (a[i] - b[i]) : -a[i] * b[i];
  return sum;
}

// Whether the answer is the nearest rows of `state`.
bool IsTrueAnswer(const State& state, Metric metric, const std::vector<float>& query, size_t k,
                  const std::vector<Hit>& hits) {
  std::vector<std::pair<float, Key>> nearest;
  for (const auto& [key, row] : state) nearest.emplace_back(DistanceOf(metric, query, row->vector), key);
  std::sort(nearest.begin(), nearest.end());
  nearest.resize(std::min(k, nearest.size()));
  return std::equal(nearest.begin(), nearest.end(), hits.begin(), hits.end(), [](const auto& want, const Hit& hit) {
    return want.first == hit.distance && want.second == hit.key;
  });
}

// Whether everything that came with the hits is their rows'.
bool AreRowsOf(const State& state, const std::vector<Hit>& hits, const SearchOptions& options) {
  std::set<Key> seen;
  for (const Hit& hit : hits) {
    auto found = state.find(hit.key);
    if (found == state.end() || !seen.insert(hit.key).second) return false;
    const Row& row = *found->second;
    if (options.include_metadata && hit.metadata != row.metadata) return false;
    if (!options.include_metadata && hit.metadata != Metadata{{"n", row.metadata.at("n")}}) return false;
    if (options.include_payload && hit.payload != row.payload) return false;
    if (options.include_vector && hit.vector != row.vector) return false;
  }
  return true;
}

SearchOptions DrawOptions(SplitMix64& random) {
  SearchOptions options;
  options.k = 1 + random.Below(20);
  options.include_metadata = random.Below(3) == 0;
  options.include_payload = random.Below(3) == 0;
  options.include_vector = random.Below(3) == 0;
  return options;
}

std::string Describe(const std::vector<Hit>& hits) {
  std::string text;
  for (const Hit& hit : hits) text.append(" ").append(hit.key.ToString());
  return text;
}

// A search says which version it was of.
void CheckSearch(Session& session, const Moment& begin, const SearchResult& result, const std::string& what,
                 const std::function<bool(const State&)>& allows) {
  uint64_t version = result.explain.version;
  if (version < begin.version) {
    session.model().Fail(session.handle().name + ": " + what + " is of version " + std::to_string(version) +
                         ", but it was at " + std::to_string(begin.version) + " before");
  }
  session.model().CheckVersion(session.handle(), std::max(version, session.handle().version));
  Moment moment = begin;
  moment.version = version;
  session.model().CheckRead(session.handle(), moment, version, what, allows);
}

}  // namespace

void Get(Worker& worker) {
  Session& session = worker.session;
  Key key = AnyKey(worker);
  uint64_t version = session.Version();
  Moment begin = session.model().Begin(session.handle(), version);
  Call call(session, "get", worker.random);
  auto row = session.collection().Get(key, call.context());
  if (!call.Ended(row.status(), {StatusCode::kNotFound})) return;
  if (!row.ok() && row.status().code() != StatusCode::kNotFound) return;
  session.model().CheckRead(session.handle(), begin, session.Version(),
                            "get of " + key.ToString() + (row.ok() ? "" : ", which was not found,"),
                            [&](const State& state) {
                              auto found = state.find(key);
                              return row.ok() ? found != state.end() && *found->second == *row : found == state.end();
                            });
}

void Contains(Worker& worker) {
  Session& session = worker.session;
  std::vector<Key> keys;
  for (uint64_t left = 1 + worker.random.Below(6); left > 0; --left) keys.emplace_back(AnyKey(worker));
  uint64_t version = session.Version();
  Moment begin = session.model().Begin(session.handle(), version);
  Call call(session, "contains", worker.random);
  auto contained = session.collection().Contains(keys, call.context());
  if (!call.Ended(contained.status()) || !contained.ok()) return;
  session.model().CheckRead(session.handle(), begin, session.Version(), "contains", [&](const State& state) {
    for (size_t i = 0; i < keys.size(); ++i) {
      if ((*contained)[i] != state.contains(keys[i])) return false;
    }
    return contained->size() == keys.size();
  });
}

void Scan(Worker& worker) {
  Session& session = worker.session;
  ScanOptions options;
  options.in_key_order = worker.random.Below(2) == 0;
  options.include_vector = worker.random.Below(4) > 0;
  options.include_metadata = worker.random.Below(4) > 0;
  options.include_payload = worker.random.Below(4) > 0;
  uint64_t version = session.Version();
  Moment begin = session.model().Begin(session.handle(), version);
  State seen;
  std::string problem;
  Call call(session, "scan", worker.random);
  Status status = session.collection().Scan(
      [&](Row row) {
        if (options.in_key_order && !seen.empty() && !(seen.rbegin()->first < row.key)) problem = "out of order";
        Key key = row.key;
        if (!seen.emplace(key, std::make_shared<const Row>(std::move(row))).second) {
          problem = "key " + key.ToString() + " twice";
        }
        return Status::Ok();
      },
      options, call.context());
  if (!call.Ended(status) || !status.ok()) return;
  if (!problem.empty()) session.model().Fail(session.handle().name + ": scan: " + problem);
  version = session.Version();
  std::string difference;
  session.model().CheckRead(session.handle(), begin, version, "scan", [&](const State& state) {
    if (state.size() != seen.size()) return false;
    return std::equal(state.begin(), state.end(), seen.begin(), [&](const auto& want, const auto& got) {
      const Row& a = *want.second;
      const Row& b = *got.second;
      return a.key == b.key && b.vector == (options.include_vector ? a.vector : std::vector<float>{}) &&
             b.metadata == (options.include_metadata ? a.metadata : Metadata{}) &&
             b.payload == (options.include_payload ? a.payload : std::string());
    });
  });
}

void SearchExactly(Worker& worker) {
  Session& session = worker.session;
  const Metric metric = session.world().settings().create.metric;
  SearchOptions options = DrawOptions(worker.random);
  options.exact = true;
  std::vector<float> query = MakeRow(worker, 0).vector;
  Moment begin = session.model().Begin(session.handle(), session.Version());
  Call call(session, "exact search", worker.random);
  auto result = session.collection().Search(query, options, call.context());
  if (!call.Ended(result.status()) || !result.ok()) return;
  CheckSearch(session, begin, *result, "exact search for " + std::to_string(options.k) + ":" + Describe(result->hits),
              [&](const State& state) {
                return IsTrueAnswer(state, metric, query, options.k, result->hits) &&
                       AreRowsOf(state, result->hits, options);
              });
}

void SearchByCode(Worker& worker) {
  Session& session = worker.session;
  SearchOptions options = DrawOptions(worker.random);
  options.probes = worker.random.Below(4);
  if (worker.random.Below(2) == 0) options.rerank = options.k + worker.random.Below(10);
  std::vector<float> query = MakeRow(worker, 0).vector;
  Moment begin = session.model().Begin(session.handle(), session.Version());
  Call call(session, "search", worker.random);
  auto result = session.collection().Search(query, options, call.context());
  if (!call.Ended(result.status()) || !result.ok()) return;
  CheckSearch(session, begin, *result, "search:" + Describe(result->hits), [&](const State& state) {
    return result->hits.size() <= options.k && AreRowsOf(state, result->hits, options);
  });
}

void Refresh(Worker& worker) {
  Session& session = worker.session;
  uint64_t newest = session.model().newest();
  Call call(session, "refresh", worker.random);
  Status status = session.collection().Refresh(call.context());
  if (!call.Ended(status)) return;
  session.Version(status.ok() ? newest : 0);
}

void Verify(Worker& worker) {
  Session& session = worker.session;
  uint64_t damaged = session.store().damaged_reads();
  Call call(session, "verify", worker.random);
  auto report = session.collection().Verify({}, call.context());
  if (!call.Ended(report.status()) || !report.ok()) return;
  if (!report->problems.empty() && session.store().damaged_reads() == damaged) {
    session.model().Fail(session.handle().name + ": verify: " + report->problems.front());
  }
}

void CheckEnd(Session& session) {
  Model& model = session.model();
  if (model.newest() == 0 || !model.failure().empty()) return;
  if (Status opened = session.Open(); !opened.ok()) return model.Fail("the end: " + opened.ToString());
  Worker worker{session, SplitMix64(1)};
  Verify(worker);
  State seen;
  Status scanned = session.collection().Scan([&](Row row) {
    Key key = row.key;
    seen.emplace(key, std::make_shared<const Row>(std::move(row)));
    return Status::Ok();
  });
  if (!scanned.ok()) return model.Fail("the end: " + scanned.ToString());
  std::string difference = DifferenceOf(model.StateAt(model.newest()), seen);
  if (!difference.empty()) model.Fail("the end: " + difference);
  Finish(worker);
}

}  // namespace isotherm::simulation
