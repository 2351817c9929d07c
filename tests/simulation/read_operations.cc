#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "tests/simulation/operations.h"

namespace isotherm::simulation {

namespace {

constexpr int64_t kMs = 1'000'000;

// By the definition of Metric; the vectors' numbers are small and whole, so that it is exact.
float DistanceOf(Metric metric, const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += metric == Metric::kL2 ? (a[i] - b[i]) * (a[i] - b[i]) : -a[i] * b[i];
  return sum;
}

// Whether the answer is the nearest rows.
bool IsTrueAnswer(const Seen& seen, Metric metric, const std::vector<float>& query, size_t k,
                  const std::vector<Hit>& hits) {
  std::vector<std::pair<float, Key>> nearest;
  for (const auto& [key, entry] : seen.state) {
    if (LiveAt(entry, seen.now_ms)) nearest.emplace_back(DistanceOf(metric, query, entry.row->vector), key);
  }
  std::sort(nearest.begin(), nearest.end());
  nearest.resize(std::min(k, nearest.size()));
  return std::equal(nearest.begin(), nearest.end(), hits.begin(), hits.end(), [](const auto& want, const Hit& hit) {
    return want.first == hit.distance && want.second == hit.key;
  });
}

// Whether everything that came with the hits is their rows'.
bool AreRowsOf(const Seen& seen, const std::vector<Hit>& hits, const SearchOptions& options) {
  std::set<Key> keys;
  for (const Hit& hit : hits) {
    auto found = seen.state.find(hit.key);
    if (found == seen.state.end() || !LiveAt(found->second, seen.now_ms) || !keys.insert(hit.key).second) return false;
    const Row& row = *found->second.row;
    if (options.include_metadata && hit.metadata != row.metadata) return false;
    const Metadata filtered{{"m", row.metadata.at("m")}, {"n", row.metadata.at("n")}};
    if (!options.include_metadata && hit.metadata != filtered) return false;
    if (options.include_payload && hit.payload != row.payload) return false;
    if (options.include_vector && hit.vector != row.vector) return false;
  }
  return true;
}

// How fresh a read is to be; `least` is the version that it must see then.
Consistency DrawConsistency(Worker& worker, uint64_t* least) {
  const Line& line = worker.session.line();
  const int64_t now_ns = worker.session.world().scheduler().now_ns();
  Consistency consistency;
  *least = 0;
  switch (worker.random.Below(12)) {
    case 0: *least = line.newest(); return Consistency::Strong();
    case 1:
      consistency = Consistency::Bounded(static_cast<int64_t>(worker.random.Below(5000)));
      *least = line.NewestAt(now_ns - consistency.max_age_ms * kMs);
      return consistency;
    case 2: *least = line.newest() + (worker.random.Below(8) == 0 ? 1 : 0); return Consistency::AtLeast(*least);
    default: return consistency;
  }
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

// A version that a read asked for, and that is not there yet, is the only thing that it can't find.
bool NotThereYet(Session& session, const Moment& begin, const Status& status, const Consistency& consistency) {
  if (status.code() != StatusCode::kNotFound || consistency.at_least_version == 0) return false;
  const bool pinned = session.options().as_of_version != 0 || session.options().as_of_ms != 0;
  const bool other = session.line().gone || session.line().unchecked;
  if (!pinned && !other && consistency.at_least_version <= begin.version) {
    session.model().Fail(session.handle().name + ": " + status.ToString() + ", but it was there");
  }
  return true;
}

// `least`: the version that it was to see.
Moment BeginRead(Session& session, uint64_t least) {
  Moment begin = session.model().Begin(session.handle(), session.Version());
  const bool pinned = session.options().as_of_version != 0 || session.options().as_of_ms != 0;
  if (!pinned) begin.version = std::max(begin.version, std::min(least, session.line().newest()));
  return begin;
}

// A search says which version it was of.
void CheckSearch(Session& session, const Moment& begin, const SearchResult& result, const std::string& what,
                 const Allows& allows) {
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
  uint64_t least = 0;
  const Consistency consistency = DrawConsistency(worker, &least);
  Moment begin = BeginRead(session, least);
  Call call(session, "get", worker.random);
  auto row = session.collection().Get(key, consistency, call.context());
  if (!call.Ended(row.status(), {StatusCode::kNotFound})) return;
  if (!row.ok() && row.status().code() != StatusCode::kNotFound) return;
  const uint64_t version = session.Version();
  const bool fresh = version >= consistency.at_least_version;
  if (!row.ok() && (session.line().gone || (!fresh && NotThereYet(session, begin, row.status(), consistency)))) return;
  session.model().CheckRead(session.handle(), begin, version,
                            "get of " + key.ToString() + (row.ok() ? "" : ", which was not found,"),
                            [&](const Seen& seen) {
                              auto found = seen.state.find(key);
                              const bool there = found != seen.state.end() && LiveAt(found->second, seen.now_ms);
                              if (!row.ok() || !there) return !row.ok() && !there;
                              return *found->second.row == *row && found->second.row->version == row->version;
                            });
}

void Contains(Worker& worker) {
  Session& session = worker.session;
  std::vector<Key> keys;
  for (uint64_t left = 1 + worker.random.Below(6); left > 0; --left) keys.emplace_back(AnyKey(worker));
  Moment begin = BeginRead(session, 0);
  Call call(session, "contains", worker.random);
  auto contained = session.collection().Contains(keys, call.context());
  if (!call.Ended(contained.status()) || !contained.ok()) return;
  const WallRange wall = session.process().WallSince(begin.begin_ns);
  session.model().CheckRead(session.handle(), begin, session.Version(), "contains", [&](const Seen& seen) {
    for (size_t i = 0; i < keys.size(); ++i) {
      auto found = seen.state.find(keys[i]);
      const bool there = found != seen.state.end() && LiveAt(found->second, seen.now_ms);
      // It looks at the clock more than once.
      const bool expires = found != seen.state.end() && ExpiredAt(*found->second.row, wall.latest_ms);
      if ((*contained)[i] != there && !expires) return false;
    }
    return contained->size() == keys.size();
  });
}

namespace {

bool IsRowOf(const Row& want, const Row& got, const ScanOptions& options) {
  return want.key == got.key && want.version == got.version && want.expires_at_ms == got.expires_at_ms &&
         got.vector == (options.include_vector ? want.vector : std::vector<float>{}) &&
         got.metadata == (options.include_metadata ? want.metadata : Metadata{}) &&
         got.payload == (options.include_payload ? want.payload : std::string());
}

void ScanWith(Worker& worker, const ScanOptions& options, uint64_t least) {
  Session& session = worker.session;
  Moment begin = BeginRead(session, least);
  std::map<Key, Row> rows;
  std::string problem;
  Call call(session, options.soft_deleted ? "scan of softly deleted rows" : "scan", worker.random);
  Status status = session.collection().Scan(
      [&](Row row) {
        if (options.in_key_order && !rows.empty() && !(rows.rbegin()->first < row.key)) problem = "out of order";
        Key key = row.key;
        if (!rows.emplace(key, std::move(row)).second) problem = "key " + key.ToString() + " twice";
        return Status::Ok();
      },
      options, call.context());
  if (!call.Ended(status, {StatusCode::kNotFound})) return;
  if (!status.ok()) {
    if (status.code() == StatusCode::kNotFound && !NotThereYet(session, begin, status, options.consistency) &&
        !session.line().gone) {
      session.model().Fail(session.handle().name + ": scan: " + status.ToString());
    }
    return;
  }
  if (session.world().trace().has_text()) {
    std::string text = "rows:";
    for (const auto& [key, row] : rows) text += " " + key.ToString() + "@" + std::to_string(row.version);
    session.Note(text);
  }
  if (!problem.empty()) session.model().Fail(session.handle().name + ": scan: " + problem);
  session.model().CheckRead(session.handle(), begin, session.Version(), "scan", [&](const Seen& seen) {
    auto got = rows.begin();
    for (const auto& [key, entry] : seen.state) {
      const bool wanted = entry.soft == options.soft_deleted && !ExpiredAt(*entry.row, seen.now_ms);
      if (!wanted) continue;
      if (got == rows.end() || !IsRowOf(*entry.row, got->second, options)) return false;
      ++got;
    }
    return got == rows.end();
  });
}

}  // namespace

void Scan(Worker& worker) {
  ScanOptions options;
  options.in_key_order = worker.random.Below(2) == 0;
  options.include_vector = worker.random.Below(4) > 0;
  options.include_metadata = worker.random.Below(4) > 0;
  options.include_payload = worker.random.Below(4) > 0;
  uint64_t least = 0;
  options.consistency = DrawConsistency(worker, &least);
  ScanWith(worker, options, least);
}

void ScanSoftlyDeleted(Worker& worker) {
  ScanOptions options;
  options.soft_deleted = true;
  ScanWith(worker, options, 0);
}

namespace {

// Nothing when there is no answer to be judged.
std::optional<SearchResult> TrySearch(Worker& worker, const char* name, const std::vector<float>& query,
                                      SearchOptions& options, Moment* begin) {
  Session& session = worker.session;
  uint64_t least = 0;
  options.consistency = DrawConsistency(worker, &least);
  *begin = BeginRead(session, least);
  Call call(session, name, worker.random);
  auto result = session.collection().Search(query, options, call.context());
  if (!call.Ended(result.status(), {StatusCode::kNotFound})) return std::nullopt;
  if (result.ok()) return std::move(result).value();
  if (result.status().code() == StatusCode::kNotFound && !session.line().gone &&
      !NotThereYet(session, *begin, result.status(), options.consistency)) {
    session.model().Fail(session.handle().name + ": search: " + result.status().ToString());
  }
  return std::nullopt;
}

}  // namespace

void SearchExactly(Worker& worker) {
  Session& session = worker.session;
  const Metric metric = session.world().settings().create.metric;
  SearchOptions options = DrawOptions(worker.random);
  options.exact = true;
  std::vector<float> query = MakeRow(worker, 0).vector;
  Moment begin;
  auto result = TrySearch(worker, "exact search", query, options, &begin);
  if (!result) return;
  CheckSearch(session, begin, *result, "exact search for " + std::to_string(options.k) + ":" + Describe(result->hits),
              [&](const Seen& seen) {
                return IsTrueAnswer(seen, metric, query, options.k, result->hits) &&
                       AreRowsOf(seen, result->hits, options);
              });
}

void SearchByCode(Worker& worker) {
  Session& session = worker.session;
  SearchOptions options = DrawOptions(worker.random);
  options.probes = worker.random.Below(4);
  if (worker.random.Below(2) == 0) options.rerank = options.k + worker.random.Below(10);
  std::vector<float> query = MakeRow(worker, 0).vector;
  Moment begin;
  auto result = TrySearch(worker, "search", query, options, &begin);
  if (!result) return;
  CheckSearch(session, begin, *result, "search:" + Describe(result->hits), [&](const Seen& seen) {
    return result->hits.size() <= options.k && AreRowsOf(seen, result->hits, options);
  });
}

void Refresh(Worker& worker) {
  Session& session = worker.session;
  const bool pinned = session.options().as_of_version != 0 || session.options().as_of_ms != 0;
  uint64_t newest = pinned ? 0 : session.line().newest();
  Call call(session, "refresh", worker.random);
  Status status = session.collection().Refresh(call.context());
  if (!call.Ended(status)) return;
  session.Version(status.ok() ? newest : 0);
}

void Verify(Worker& worker) {
  Session& session = worker.session;
  uint64_t damaged = session.store().damaged_reads();
  const uint64_t version = session.handle().version;
  Call call(session, "verify", worker.random);
  auto report = session.collection().Verify({}, call.context());
  if (!call.Ended(report.status()) || !report.ok()) return;
  const bool removed = session.model().MayBeRemoved(session.handle(), version);
  if (!report->problems.empty() && session.store().damaged_reads() == damaged && !removed) {
    session.model().Fail(session.handle().name + ": verify: " + report->problems.front());
  }
}

void CheckEnd(Session& session) {
  Model& model = session.model();
  if (session.line().newest() == 0 || !model.failure().empty()) return;
  if (Status opened = session.Open(); !opened.ok()) return model.Fail("the end: " + opened.ToString());
  Worker worker{session, SplitMix64(1)};
  Verify(worker);
  ScanWith(worker, ScanOptions(), session.line().newest());
  ScanOptions softly_deleted;
  softly_deleted.soft_deleted = true;
  ScanWith(worker, softly_deleted, session.line().newest());
  Finish(worker);
}

}  // namespace isotherm::simulation
