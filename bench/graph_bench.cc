// The memtable's graph beside hnswlib's on the same rows, on one thread: rate of inserts, and recall@10 and rate of
// searches. The command behind the table in docs/benchmarks.md.
//
//   graph_bench FOLDER [--rows N] [--m N] [--ef-construction N] [--only isotherm|hnswlib]
//
// FOLDER holds vectors.f16.npy and queries.f16.npy; all are brought to length one. Both graphs grow and answer in
// turns, a slice each, so that what else the machine does meets both. Without -DISOTHERM_HNSWLIB_DIR=… at configuration
// only our own is measured.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/hnswlib_graph.h"
#include "index/memtable_graph.h"
#include "simd/kernels.h"
#include "tools/formats/npy.h"

using namespace isotherm;

namespace {

constexpr size_t kK = 10;
constexpr size_t kInsertSlice = 500;
constexpr size_t kSearchSlice = 50;
constexpr size_t kRescored = 30;  // rows whose exact distances the caller computes

struct Data {
  uint32_t dimension;
  size_t rows, queries;
  std::vector<float> row, query;
  std::vector<std::vector<uint32_t>> truth;
};

void Normalise(std::vector<float>& m, uint32_t d) {
  for (size_t i = 0; i < m.size(); i += d) {
    float norm = std::sqrt(simd::Active().dot_f32(&m[i], &m[i], d));
    for (size_t j = 0; j < d; ++j) m[i + j] /= norm;
  }
}

Data Load(const std::string& folder, size_t limit) {
  auto rows = formats::NpyReader::Open(folder + "/vectors.f16.npy");
  auto queries = formats::NpyReader::Open(folder + "/queries.f16.npy");
  if (!rows.ok() || !queries.ok()) {
    std::fprintf(stderr, "%s\n", (rows.ok() ? queries.status() : rows.status()).ToString().c_str());
    std::exit(1);
  }
  Data data;
  data.dimension = static_cast<uint32_t>(rows->columns());
  data.rows = limit == 0 ? rows->rows() : std::min(limit, rows->rows());
  data.queries = queries->rows();
  data.row = rows->ReadFloats(0, data.rows).value();
  data.query = queries->ReadFloats(0, data.queries).value();
  Normalise(data.row, data.dimension);
  Normalise(data.query, data.dimension);
  std::vector<float> dots(data.rows);
  std::vector<uint32_t> order(data.rows);
  for (size_t q = 0; q < data.queries; ++q) {
    simd::Active().dot_f32_rows(&data.query[q * data.dimension], data.row.data(), data.rows, data.dimension,
                                dots.data());
    for (uint32_t i = 0; i < data.rows; ++i) order[i] = i;
    std::partial_sort(order.begin(), order.begin() + kK, order.end(),
                      [&](uint32_t a, uint32_t b) { return dots[a] > dots[b]; });
    data.truth.emplace_back(order.begin(), order.begin() + kK);
  }
  return data;
}

// Of the processor, so that waiting for it while others have it does not count.
double CpuSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double Seconds(const std::function<void()>& work) {
  const double begin = CpuSeconds();
  work();
  return CpuSeconds() - begin;
}

struct Contestant {
  std::string name;
  std::function<void(uint32_t)> insert;
  std::function<std::vector<uint32_t>(size_t query, size_t ef)> search;
  double insert_seconds = 0;
};

Contestant Own(const Data& data, std::shared_ptr<MemtableGraph> graph, bool rescore) {
  const uint32_t d = data.dimension;
  auto insert = [&data, graph, d](uint32_t i) {
    if (Status inserted = graph->Insert(i, {&data.row[size_t{i} * d], d}); !inserted.ok()) {
      std::fprintf(stderr, "%s\n", inserted.ToString().c_str());
      std::exit(1);
    }
  };
  auto found = std::make_shared<std::vector<Neighbour>>();
  auto search = [&data, graph, d, found, rescore](size_t q, size_t ef) {
    const float* query = &data.query[q * d];
    graph->Search({query, d}, rescore ? kRescored : kK, ef, nullptr, found.get());
    if (rescore) {
      for (Neighbour& n : *found) n.distance = -simd::Active().dot_f32(query, &data.row[size_t{n.slot} * d], d);
      std::partial_sort(found->begin(), found->begin() + std::min(kK, found->size()), found->end(), Nearer);
    }
    std::vector<uint32_t> slots;
    for (size_t i = 0; i < std::min(kK, found->size()); ++i) slots.push_back((*found)[i].slot);
    return slots;
  };
  return {rescore ? "isotherm, " + std::to_string(kRescored) + " rescored" : "isotherm", insert, search};
}

Contestant Other(const Data& data, std::shared_ptr<bench::HnswlibGraph> graph) {
  const uint32_t d = data.dimension;
  return {"hnswlib", [&data, graph, d](uint32_t i) { graph->Insert(i, &data.row[size_t{i} * d]); },
          [&data, graph, d](size_t q, size_t ef) { return graph->Search(&data.query[q * d], kK, ef); }};
}

void Grow(const Data& data, std::vector<Contestant>& contestants) {
  for (size_t begin = 0; begin < data.rows; begin += kInsertSlice) {
    const size_t end = std::min(begin + kInsertSlice, data.rows);
    for (Contestant& c : contestants) {
      c.insert_seconds += Seconds([&] {
        for (size_t i = begin; i < end; ++i) c.insert(static_cast<uint32_t>(i));
      });
    }
  }
  std::printf("| | rows | inserts a second |\n|---|---|---|\n");
  for (const Contestant& c : contestants) {
    std::printf("| %s | %zu | %.0f |\n", c.name.c_str(), data.rows, static_cast<double>(data.rows) / c.insert_seconds);
  }
  std::fflush(stdout);
}

void Answer(const Data& data, std::vector<Contestant>& contestants, size_t ef) {
  std::vector<double> seconds(contestants.size(), 0.0);
  std::vector<size_t> hits(contestants.size(), 0);
  for (size_t begin = 0; begin < data.queries; begin += kSearchSlice) {
    const size_t end = std::min(begin + kSearchSlice, data.queries);
    for (size_t c = 0; c < contestants.size(); ++c) {
      std::vector<std::vector<uint32_t>> found(end - begin);
      seconds[c] += Seconds([&] {
        for (size_t q = begin; q < end; ++q) found[q - begin] = contestants[c].search(q, ef);
      });
      for (size_t q = begin; q < end; ++q) {
        for (uint32_t slot : found[q - begin]) hits[c] += std::count(data.truth[q].begin(), data.truth[q].end(), slot);
      }
    }
  }
  const auto queries = static_cast<double>(data.queries);
  for (size_t c = 0; c < contestants.size(); ++c) {
    std::printf("| %s | %zu | %.4f | %.0f |\n", contestants[c].name.c_str(), ef,
                static_cast<double>(hits[c]) / (queries * kK), queries / seconds[c]);
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: graph_bench FOLDER [--rows N] [--m N] [--ef-construction N] [--only NAME]\n");
    return 2;
  }
  std::map<std::string, std::string> flags;
  for (int i = 2; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  auto number = [&](const char* name, size_t fallback) {
    return flags.count(name) != 0 ? std::strtoull(flags[name].c_str(), nullptr, 10) : fallback;
  };
  const Data data = Load(argv[1], number("--rows", 0));
  const size_t m = number("--m", 32), ef_construction = number("--ef-construction", 300);
  std::vector<Contestant> contestants;
  std::shared_ptr<MemtableGraph> own;
  if (flags["--only"] != "hnswlib") {
    MemtableGraphOptions options;
    options.dimension = data.dimension;
    options.metric = Metric::kCosine;
    options.m = static_cast<uint32_t>(m);
    options.ef_construction = static_cast<uint32_t>(ef_construction);
    own = std::make_shared<MemtableGraph>(options, nullptr);
    contestants.push_back(Own(data, own, false));
  }
  std::shared_ptr<bench::HnswlibGraph> other = bench::MakeHnswlibGraph(data.dimension, data.rows, m, ef_construction);
  if (other != nullptr && flags["--only"] != "isotherm") contestants.push_back(Other(data, other));
  Grow(data, contestants);
  if (own != nullptr) contestants.push_back(Own(data, own, true));
  std::printf("\n| | ef | recall@%zu | searches a second |\n|---|---|---|---|\n", kK);
  for (size_t ef : {50, 100, 200, 400}) Answer(data, contestants, ef);
  return 0;
}
