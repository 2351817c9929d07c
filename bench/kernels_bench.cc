// Every kernel at every level that the processor has, for operands in the cache; then the rows kernels over a matrix
// that no cache holds, beside a plain read of as many bytes. A name is kernel/level/n.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "simd/kernels.h"

namespace isotherm::simd {
namespace {

constexpr size_t kMatrixBytes = size_t{64} << 20;
constexpr size_t kRowsInCache = 16;

template <typename T>
std::vector<T> Random(size_t n) {
  std::mt19937 engine(1);
  std::vector<T> values(n);
  for (T& value : values) {
    if constexpr (std::is_same_v<T, float>) {
      value = std::uniform_real_distribution<float>(-1, 1)(engine);
    } else if constexpr (std::is_same_v<T, float16_t>) {
      value = static_cast<float16_t>((engine() & 0x83ff) | 0x3800);  // ±[0.5, 1)
    } else {
      value = static_cast<T>(engine());
    }
  }
  return values;
}

// Per iteration. A row is an item.
void SetThroughput(benchmark::State& state, size_t bytes, size_t rows) {
  state.SetBytesProcessed(static_cast<int64_t>(bytes) * static_cast<int64_t>(state.iterations()));
  state.SetItemsProcessed(static_cast<int64_t>(rows) * static_cast<int64_t>(state.iterations()));
}

// Two operands of n elements.
template <typename R, typename A, typename B>
void RegisterPair(const std::string& name, R (*kernel)(const A*, const B*, size_t), size_t n) {
  benchmark::RegisterBenchmark((name + "/" + std::to_string(n)).c_str(), [=](benchmark::State& state) {
    const std::vector<A> a = Random<A>(n);
    const std::vector<B> b = Random<B>(n);
    for (auto _ : state) benchmark::DoNotOptimize(kernel(a.data(), b.data(), n));
    SetThroughput(state, n * sizeof(B), 1);
  });
}

template <typename B>
void RegisterRows(const std::string& name, void (*kernel)(const float*, const B*, size_t, size_t, float*), size_t n) {
  benchmark::RegisterBenchmark((name + "/" + std::to_string(n)).c_str(), [=](benchmark::State& state) {
    const std::vector<float> a = Random<float>(n);
    const std::vector<B> rows = Random<B>(kRowsInCache * n);
    std::vector<float> out(kRowsInCache);
    for (auto _ : state) {
      kernel(a.data(), rows.data(), kRowsInCache, n, out.data());
      benchmark::DoNotOptimize(out.data());
      benchmark::ClobberMemory();
    }
    SetThroughput(state, rows.size() * sizeof(B), kRowsInCache);
  });
}

template <typename In, typename Out>
void RegisterConversion(const std::string& name, void (*kernel)(const In*, Out*, size_t), size_t n) {
  benchmark::RegisterBenchmark((name + "/" + std::to_string(n)).c_str(), [=](benchmark::State& state) {
    const std::vector<In> in = Random<In>(n);
    std::vector<Out> out(n);
    for (auto _ : state) {
      kernel(in.data(), out.data(), n);
      benchmark::DoNotOptimize(out.data());
      benchmark::ClobberMemory();
    }
    SetThroughput(state, n * sizeof(In), 1);
  });
}

void RegisterInCache(const Kernels& k, size_t n) {
  const std::string level = std::string("/") + k.name;
  RegisterPair("dot_f32" + level, k.dot_f32, n);
  RegisterPair("l2_f32" + level, k.l2_f32, n);
  RegisterPair("cosine_f32" + level, k.cosine_f32, n);
  RegisterPair("dot_f32_f16" + level, k.dot_f32_f16, n);
  RegisterPair("l2_f32_f16" + level, k.l2_f32_f16, n);
  RegisterPair("cosine_f32_f16" + level, k.cosine_f32_f16, n);
  RegisterPair("dot_i8" + level, k.dot_i8, n);
  RegisterPair("l2_i8" + level, k.l2_i8, n);
  RegisterPair("dot_f32_i8" + level, k.dot_f32_i8, n);
  RegisterRows("dot_f32_i8_rows" + level, k.dot_f32_i8_rows, n);
  RegisterRows("l2_f32_rows" + level, k.l2_f32_rows, n);
  RegisterRows("dot_f32_rows" + level, k.dot_f32_rows, n);
  RegisterConversion("f16_to_f32" + level, k.f16_to_f32, n);
  RegisterConversion("f32_to_f16" + level, k.f32_to_f16, n);
}

template <typename B>
void RegisterMatrix(const std::string& name, void (*kernel)(const float*, const B*, size_t, size_t, float*), size_t n,
                    const std::vector<uint8_t>& matrix) {
  benchmark::RegisterBenchmark((name + "/" + std::to_string(n)).c_str(), [=, &matrix](benchmark::State& state) {
    const std::vector<float> a = Random<float>(n);
    const size_t rows = matrix.size() / (n * sizeof(B));
    std::vector<float> out(rows);
    for (auto _ : state) {
      kernel(a.data(), reinterpret_cast<const B*>(matrix.data()), rows, n, out.data());
      benchmark::DoNotOptimize(out.data());
      benchmark::ClobberMemory();
    }
    SetThroughput(state, rows * n * sizeof(B), rows);
  })->Unit(benchmark::kMillisecond);
}

// The bandwidth that the rows kernels are held against: 64-bit words added up, four sums at a time.
void ReadMatrix(benchmark::State& state, const std::vector<uint8_t>& matrix) {
  for (auto _ : state) {
    uint64_t sums[4] = {};
    for (size_t i = 0; i + sizeof(sums) <= matrix.size(); i += sizeof(sums)) {
      uint64_t words[4];
      std::memcpy(words, matrix.data() + i, sizeof(words));
      for (size_t j = 0; j < 4; ++j) sums[j] += words[j];
    }
    benchmark::DoNotOptimize(sums);
  }
  state.SetBytesProcessed(static_cast<int64_t>(matrix.size()) * static_cast<int64_t>(state.iterations()));
}

void RegisterAll(const std::vector<uint8_t>& matrix) {
  for (const Level& level : Levels()) {
    if (level.kernels == nullptr) continue;
    for (size_t n : {384, 768, 1536}) RegisterInCache(*level.kernels, n);
  }
  benchmark::RegisterBenchmark("read_64MiB", ReadMatrix, matrix)->Unit(benchmark::kMillisecond);
  for (const Level& level : Levels()) {
    if (level.kernels == nullptr) continue;
    const Kernels& k = *level.kernels;
    const std::string suffix = std::string("_64MiB/") + k.name;
    for (size_t n : {384, 768}) RegisterMatrix("dot_f32_i8_rows" + suffix, k.dot_f32_i8_rows, n, matrix);
    RegisterMatrix("l2_f32_rows" + suffix, k.l2_f32_rows, 768, matrix);
    RegisterMatrix("dot_f32_rows" + suffix, k.dot_f32_rows, 768, matrix);
  }
}

// Codes of 63, or floats of 0.75 or so.
std::vector<uint8_t> MakeMatrix() { return std::vector<uint8_t>(kMatrixBytes, 0x3f); }

}  // namespace
}  // namespace isotherm::simd

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("active level", isotherm::simd::Active().name);
  for (const isotherm::simd::Level& level : isotherm::simd::Levels()) {
    if (level.kernels == nullptr)
      benchmark::AddCustomContext(std::string(level.name), "skipped: not on this processor");
  }
  const std::vector<uint8_t> matrix = isotherm::simd::MakeMatrix();
  isotherm::simd::RegisterAll(matrix);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
