#include "measure.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <numeric>
#include <span>
#include <stdexcept>

#include "errors.h"
#include "isotherm/isotherm.h"
#include "node_process.h"

namespace cloud_tiered {

namespace {

constexpr size_t kThreads = 16;
constexpr size_t kNearest = 10;

Request Asking(const Excerpt& excerpt, size_t question) {
  std::span<const float> vector = excerpt.QuestionVector(question);
  Request request;
  request.vector.assign(vector.begin(), vector.end());
  return request;
}

// Open and first answer, with empty caches; returns the share of the true nearest rows that it found.
double AskCold(const NodeOptions& node, const Excerpt& excerpt, size_t question, Cost* cost) {
  isotherm::Meter meter;
  isotherm::Context context;
  context.meter = &meter;
  isotherm::Options options;
  options.read_only = true;
  auto collection = Take(isotherm::Open(OpenProfiledStore(node.store, node.profile), options, context));
  isotherm::SearchOptions search;
  search.k = kNearest;
  isotherm::SearchResult result = Take(collection->Search(excerpt.QuestionVector(question), search, context));
  *cost = CostOf(0, meter);
  std::span<const int64_t> nearest = excerpt.Nearest(question, kNearest);
  auto hits = std::count_if(result.hits.begin(), result.hits.end(), [&](const isotherm::Hit& hit) {
    return std::find(nearest.begin(), nearest.end(), static_cast<int64_t>(hit.key.number())) != nearest.end();
  });
  return static_cast<double>(hits) / kNearest;
}

}  // namespace

std::vector<size_t> Spread(size_t questions, size_t count) {
  std::vector<size_t> spread(std::min(count, questions));
  for (size_t i = 0; i < spread.size(); ++i) spread[i] = i * questions / spread.size();
  return spread;
}

std::vector<ColdStart> MeasureColdStarts(const NodeOptions& node, const Excerpt& excerpt,
                                         const std::vector<size_t>& questions, const std::string& scratch,
                                         const Done& done) {
  std::vector<ColdStart> starts;
  for (size_t question : questions) {
    NodeOptions fresh = node;
    fresh.cache_dir = scratch + "/cold-" + std::to_string(starts.size());
    Request request = Asking(excerpt, question);
    ColdStart start;
    NodeProcess process(fresh);
    process.Send(request);
    start.open = process.ReadOpened().cost;
    Answer answer = process.ReadAnswer();
    start.process_ns = process.ns_since_start();
    start.search = answer.search;
    start.total = answer.since_open;
    process.Finish();
    std::filesystem::remove_all(fresh.cache_dir);
    starts.push_back(start);
    done(starts.size());
  }
  return starts;
}

std::vector<WarmStart> MeasureWarmStarts(const NodeOptions& node, const Excerpt& excerpt,
                                         const std::vector<size_t>& questions, const Done& done) {
  std::vector<WarmStart> starts;
  for (size_t question : questions) {
    NodeProcess process(node);
    Cost open = process.ReadOpened().cost;
    Answer answer = process.Ask(Asking(excerpt, question));
    process.Finish();
    if (answer.extents_from_store > 0) {
      throw std::runtime_error("after a restart " + std::to_string(answer.extents_from_store) +
                               " extents came from the store; wanted all of them from disk");
    }
    starts.push_back({open, answer.search});
    done(starts.size());
  }
  return starts;
}

ColdQuestions AskAllCold(const NodeOptions& node, const Excerpt& excerpt, const std::vector<size_t>& questions,
                         const Done& done) {
  ColdQuestions asked;
  asked.costs.resize(questions.size());
  std::vector<double> recalls(questions.size());
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  size_t finished = 0;
  std::vector<std::future<void>> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.push_back(std::async(std::launch::async, [&] {
      for (size_t i = next++; i < questions.size(); i = next++) {
        recalls[i] = AskCold(node, excerpt, questions[i], &asked.costs[i]);
        std::lock_guard lock(mutex);
        done(++finished);
      }
    }));
  }
  for (std::future<void>& thread : threads) thread.get();
  asked.recall_at_10 = std::accumulate(recalls.begin(), recalls.end(), 0.0) / static_cast<double>(recalls.size());
  return asked;
}

}  // namespace cloud_tiered
