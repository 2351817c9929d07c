// What a partition gives on the WordNet set: recall@10, rows and reads for numbers of probes, with exact distances and
// with 8-bit residual codes. The command behind the partition table in docs/benchmarks.md.
//
//   partition_bench FOLDER [--rows N] [--cells N,N,…] [--lambda X] [--gap ROWS]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/environment.h"
#include "index/partition.h"
#include "quant/residual8.h"
#include "simd/kernels.h"
#include "tools/formats/npy.h"

using namespace isotherm;

namespace {

constexpr uint32_t kK = 10;

struct Data {
  uint32_t dimension;
  std::vector<float> rows, queries;
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
  size_t n = limit == 0 ? rows->rows() : std::min(limit, rows->rows());
  data.rows = rows->ReadFloats(0, n).value();
  data.queries = queries->ReadFloats(0, queries->rows()).value();
  Normalise(data.rows, data.dimension);
  Normalise(data.queries, data.dimension);
  std::vector<float> distances(n);
  for (size_t q = 0; q < queries->rows(); ++q) {
    simd::Active().dot_f32_rows(&data.queries[q * data.dimension], data.rows.data(), n, data.dimension,
                                distances.data());
    std::vector<uint32_t> order(n);
    for (uint32_t i = 0; i < n; ++i) order[i] = i;
    std::partial_sort(order.begin(), order.begin() + kK, order.end(),
                      [&](uint32_t a, uint32_t b) { return distances[a] > distances[b]; });
    order.resize(kK);
    data.truth.push_back(order);
  }
  return data;
}

// Reads of the probed cells in storage order, gaps of up to `gap` rows read through: (reads, rows fetched).
std::pair<size_t, size_t> Reads(std::vector<uint32_t> probes, const std::vector<std::vector<uint32_t>>& members,
                                size_t gap) {
  std::sort(probes.begin(), probes.end());
  size_t reads = 0, fetched = 0;
  for (size_t i = 0; i < probes.size(); ++i) {
    size_t between = 0;
    if (i > 0) {
      for (uint32_t c = probes[i - 1] + 1; c < probes[i]; ++c) between += members[c].size();
    }
    bool joined = i > 0 && between <= gap;
    if (!joined) ++reads;
    fetched += members[probes[i]].size() + (joined ? between : 0);
  }
  return {reads, fetched};
}

struct CellCodes {
  std::vector<int8_t> codes;
  std::vector<float> scales, norms2;
};

void Evaluate(const Data& data, const Partition& partition, size_t gap) {
  uint32_t d = partition.dimension;
  size_t n = partition.primary.size();
  std::vector<std::vector<uint32_t>> members(partition.cells());
  for (uint32_t i = 0; i < n; ++i) {
    members[partition.primary[i]].push_back(i);
    if (partition.second[i] != kNoCell) members[partition.second[i]].push_back(i);
  }
  std::vector<CellCodes> codes(members.size());
  for (uint32_t cell = 0; cell < members.size(); ++cell) {
    CellCodes& out = codes[cell];
    out.codes.resize(members[cell].size() * d);
    for (size_t i = 0; i < members[cell].size(); ++i) {
      std::span<const float> row(&data.rows[size_t{members[cell][i]} * d], d);
      ResidualFactors factors = EncodeResidual8(row, partition.centroid(cell), &out.codes[i * d]);
      out.scales.push_back(factors.scale);
      out.norms2.push_back(factors.norm2);
    }
  }
  size_t largest = 0;
  for (auto& m : members) largest = std::max(largest, m.size());
  std::printf(
      "largest cell %.2f x the mean\n| probes | recall, exact | recall, 8-bit codes | rows %% | reads | fetched %% "
      "|\n|---|---|---|---|---|---|\n",
      static_cast<double>(largest) * partition.cells() / (2.0 * static_cast<double>(n)));
  for (size_t probes : {8, 12, 16, 20, 22, 24, 28, 32, 40, 48, 64}) {
    size_t hits = 0, code_hits = 0, rows = 0, reads = 0, fetched = 0;
    for (size_t q = 0; q < data.truth.size(); ++q) {
      std::span<const float> query(&data.queries[q * d], d);
      std::vector<uint32_t> cells = RankCells(query, partition.centroids, Metric::kCosine, probes);
      ResidualQuery residual(Metric::kCosine, query);
      std::map<uint32_t, float> best;
      std::set<uint32_t> truth(data.truth[q].begin(), data.truth[q].end());
      for (uint32_t cell : cells) {
        residual.Reset(partition.centroid(cell));
        const CellCodes& coded = codes[cell];
        std::vector<float> distances(members[cell].size());
        residual.Distances(coded.codes.data(), coded.scales.data(), coded.norms2.data(), distances.size(),
                           distances.data());
        for (size_t i = 0; i < distances.size(); ++i) {
          uint32_t row = members[cell][i];
          auto [at, fresh] = best.try_emplace(row, distances[i]);
          if (!fresh)
            at->second = std::min(at->second, distances[i]);
          else if (truth.count(row) != 0)
            ++hits;
        }
        rows += members[cell].size();
      }
      std::vector<std::pair<float, uint32_t>> order;
      for (auto& [row, distance] : best) order.emplace_back(distance, row);
      size_t k = std::min<size_t>(kK, order.size());
      std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(k), order.end());
      for (size_t i = 0; i < k; ++i) code_hits += truth.count(order[i].second);
      auto [r, f] = Reads(cells, members, gap);
      reads += r, fetched += f;
    }
    auto queries = static_cast<double>(data.truth.size());
    std::printf("| %zu | %.4f | %.4f | %.2f | %.1f | %.2f |\n", probes, static_cast<double>(hits) / queries / kK,
                static_cast<double>(code_hits) / queries / kK,
                100.0 * static_cast<double>(rows) / queries / static_cast<double>(n),
                static_cast<double>(reads) / queries,
                100.0 * static_cast<double>(fetched) / queries / static_cast<double>(n));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr,
                 "usage: partition_bench FOLDER [--rows N] [--cells N,N] [--lambda X] [--gap ROWS] [--candidates N] "
                 "[--rounds N] [--factor X]\n");
    return 2;
  }
  std::map<std::string, std::string> flags;
  for (int i = 2; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  auto flag = [&](const char* name, const char* fallback) {
    return flags.count(name) != 0 ? flags[name] : std::string(fallback);
  };
  Data data = Load(argv[1], std::strtoull(flag("--rows", "0").c_str(), nullptr, 10));
  auto env = Environment::Default();
  std::string cells = flag("--cells", "0") + ",";
  for (size_t at = 0; at < cells.size(); at = cells.find(',', at) + 1) {
    PartitionOptions options;
    options.cells = static_cast<uint32_t>(std::strtoul(cells.c_str() + at, nullptr, 10));
    options.soar_lambda = std::strtof(flag("--lambda", "1").c_str(), nullptr);
    options.second_candidates = static_cast<uint32_t>(std::strtoul(flag("--candidates", "8").c_str(), nullptr, 10));
    options.refine_rounds = static_cast<uint32_t>(std::strtoul(flag("--rounds", "12").c_str(), nullptr, 10));
    options.max_cell_factor = std::strtof(flag("--factor", "3").c_str(), nullptr);
    auto begin = std::chrono::steady_clock::now();
    auto partition = BuildPartition(data.rows, data.dimension, Metric::kCosine, options, *env, {}, {});
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("\n%zu rows, %u cells, lambda %.2f, built in %.1f s; ", data.rows.size() / data.dimension,
                partition->cells(), options.soar_lambda, seconds);
    Evaluate(data, *partition, std::strtoull(flag("--gap", "400").c_str(), nullptr, 10));
  }
  return 0;
}
