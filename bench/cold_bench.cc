// What a cold start costs on the WordNet set: every query opens the collection anew with empty caches and is answered
// once. Means over the queries: recall@10 against the exact answer, requests, bytes, dependent waves, codes evaluated.
//
//   cold_bench FOLDER [--rows N] [--queries N] [--probes N,N,…] [--rerank N] [--cells N] [--profile NAME] [--keep DIR]
//              [--fold PERCENT] [--memory MIB]
//
// FOLDER holds vectors.f16.npy and queries.f16.npy. Probes 0: the collection's own default. Fold: so many of the rows
// come after the compaction, and are folded into its cells. Memory: of compactions.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "isotherm/isotherm.h"
#include "tools/formats/npy.h"

using namespace isotherm;

namespace {

struct Arguments {
  std::string folder;
  size_t rows = 0, queries = 1000, rerank = 0;
  uint32_t cells = 0, fold = 0, memory = 256;
  std::vector<size_t> probes{0};
  std::string profile = "fixed20", keep;
};

template <typename T>
T Must(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "cold_bench: %s\n", result.status().ToString().c_str());
  std::exit(1);
}

void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "cold_bench: %s\n", status.ToString().c_str());
  std::exit(1);
}

void InsertRows(formats::NpyReader& vectors, size_t begin, size_t end, size_t stride, bool of_stride,
                Collection& collection) {
  constexpr size_t kBatch = 20000;
  for (size_t first = begin; first < end; first += kBatch) {
    size_t count = std::min(kBatch, end - first);
    std::vector<float> floats = Must(vectors.ReadFloats(first, count));
    std::vector<Row> rows;
    for (size_t i = 0; i < count; ++i) {
      if (stride != 0 && ((first + i) % stride == 0) != of_stride) continue;
      Row& row = rows.emplace_back();
      row.key = uint64_t{first + i};
      row.vector.assign(floats.begin() + static_cast<ptrdiff_t>(i * vectors.columns()),
                        floats.begin() + static_cast<ptrdiff_t>((i + 1) * vectors.columns()));
      row.metadata["group"] = static_cast<int64_t>((first + i) % 40);
    }
    Must(collection.InsertBatch(std::move(rows)));
    Must(collection.Commit());
  }
}

void CompactAndTell(Collection& collection, const CompactOptions& compact) {
  auto begin = std::chrono::steady_clock::now();
  Must(collection.Compact(compact));
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  CollectionStats stats = collection.Stats();
  std::printf("%llu rows, %llu cells, default probes %u, compacted in %.1f s, routing object %.0f kB\n",
              static_cast<unsigned long long>(stats.rows), static_cast<unsigned long long>(stats.cells),
              stats.default_probes, seconds, static_cast<double>(stats.routing_bytes) / 1e3);
}

void Build(const Arguments& arguments, const std::string& directory) {
  auto vectors = Must(formats::NpyReader::Open(arguments.folder + "/vectors.f16.npy"));
  size_t n = arguments.rows == 0 ? vectors.rows() : std::min(arguments.rows, vectors.rows());
  Options options;
  options.background_compaction = false;
  options.create =
      CreateOptions{static_cast<uint32_t>(vectors.columns()), Metric::kCosine, KeyType::kInteger, {"group"}};
  auto collection = Must(Open(directory, options));
  const size_t stride = arguments.fold == 0 ? 0 : 100 / arguments.fold;
  InsertRows(vectors, 0, n, stride, false, *collection);
  CompactOptions compact;
  compact.cells = arguments.cells;
  compact.memory_bytes = uint64_t{arguments.memory} << 20;
  CompactAndTell(*collection, compact);
  if (arguments.fold == 0) return;
  InsertRows(vectors, 0, n, stride, true, *collection);
  compact.keep_cells = true;
  CompactAndTell(*collection, compact);
}

struct Sums {
  double recall = 0, gets = 0, bytes = 0, waves = 0, codes = 0, ms = 0;
  uint64_t most_waves = 0, lists = 0;
};

void Measure(const Arguments& arguments, const std::string& directory, const std::vector<float>& queries,
             const std::vector<std::set<uint64_t>>& truth, size_t dimension, size_t probes) {
  Sums sums;
  Meter meter;
  std::shared_ptr<BlobStore> store = Must(SimulateLatency(Must(OpenBlobStore(directory)), arguments.profile));
  double rows = 1;
  for (size_t q = 0; q < truth.size(); ++q) {
    meter.Reset();
    Context context;
    context.meter = &meter;
    auto begin = std::chrono::steady_clock::now();
    Options options;
    options.read_only = true;
    auto collection = Must(Open(store, options, context));
    SearchOptions search;
    search.probes = probes;
    search.rerank = arguments.rerank;
    SearchResult result = Must(collection->Search({&queries[q * dimension], dimension}, search, context));
    sums.ms += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    MeterSummary summary = meter.Summary();
    for (const Hit& hit : result.hits) sums.recall += static_cast<double>(truth[q].count(hit.key.number()));
    sums.gets += static_cast<double>(summary.gets());
    sums.bytes += static_cast<double>(summary.bytes_read);
    sums.waves += static_cast<double>(summary.waves);
    sums.codes += static_cast<double>(result.explain.codes_evaluated);
    sums.most_waves = std::max(sums.most_waves, summary.waves);
    sums.lists += summary.lists();
    rows = static_cast<double>(collection->Stats().rows);
  }
  auto n = static_cast<double>(truth.size());
  std::printf("| %zu | %.4f | %.2f (most %llu) | %.1f | %.2f MB | %.2f %% | %llu | %.1f ms |\n", probes,
              sums.recall / n / 10, sums.waves / n, static_cast<unsigned long long>(sums.most_waves), sums.gets / n,
              sums.bytes / n / 1e6, 100 * sums.codes / n / rows, static_cast<unsigned long long>(sums.lists),
              sums.ms / n);
  std::fflush(stdout);
}

std::vector<std::set<uint64_t>> Truth(const std::string& directory, const std::vector<float>& queries) {
  auto collection = Must(Open(directory));
  SearchOptions exact;
  exact.exact = true;
  std::vector<std::set<uint64_t>> truth;
  for (const SearchResult& result : Must(collection->BatchSearch(queries, exact))) {
    truth.emplace_back();
    for (const Hit& hit : result.hits) truth.back().insert(hit.key.number());
  }
  return truth;
}

std::vector<size_t> Numbers(const std::string& list) {
  std::vector<size_t> numbers;
  for (size_t at = 0; at < list.size();) {
    numbers.push_back(std::strtoull(list.c_str() + at, nullptr, 10));
    size_t comma = list.find(',', at);
    at = comma == std::string::npos ? list.size() : comma + 1;
  }
  return numbers;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr,
                 "usage: cold_bench FOLDER [--rows N] [--queries N] [--probes N,N] [--rerank N] [--cells N] "
                 "[--profile NAME] [--keep DIR] [--fold PERCENT] [--memory MIB]\n");
    return 2;
  }
  Arguments arguments;
  arguments.folder = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    std::string flag = argv[i];
    std::string value = argv[i + 1];
    if (flag == "--rows") arguments.rows = Numbers(value)[0];
    if (flag == "--queries") arguments.queries = Numbers(value)[0];
    if (flag == "--probes") arguments.probes = Numbers(value);
    if (flag == "--rerank") arguments.rerank = Numbers(value)[0];
    if (flag == "--cells") arguments.cells = static_cast<uint32_t>(Numbers(value)[0]);
    if (flag == "--fold") arguments.fold = static_cast<uint32_t>(Numbers(value)[0]);
    if (flag == "--memory") arguments.memory = static_cast<uint32_t>(Numbers(value)[0]);
    if (flag == "--profile") arguments.profile = value;
    if (flag == "--keep") arguments.keep = value;
  }
  std::string directory = arguments.keep;
  if (directory.empty())
    directory = std::filesystem::temp_directory_path() / ("cold_bench." + std::to_string(getpid()));
  if (!std::filesystem::exists(directory)) Build(arguments, directory);
  auto file = Must(formats::NpyReader::Open(arguments.folder + "/queries.f16.npy"));
  std::vector<float> queries = Must(file.ReadFloats(0, std::min(arguments.queries, file.rows())));
  std::vector<std::set<uint64_t>> truth = Truth(directory, queries);
  std::printf("store times: %s\n", Must(DescribeLatency(arguments.profile)).c_str());
  std::printf(
      "| probes | recall@10 | waves | GETs | bytes | codes evaluated | LISTs | open + first query "
      "|\n|---|---|---|---|---|---|---|---|\n");
  for (size_t probes : arguments.probes) Measure(arguments, directory, queries, truth, file.columns(), probes);
  if (arguments.keep.empty()) std::filesystem::remove_all(directory);
  return 0;
}
