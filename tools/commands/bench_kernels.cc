// Distance kernels at every level that this processor has, operands in the cache.
#include <CLI/CLI.hpp>
#include <random>

#include "simd/kernels.h"
#include "tools/commands/bench.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

constexpr size_t kRows = 16;
constexpr int64_t kMeasureNs = 20'000'000;
constexpr int kRounds = 5;  // the fastest counts: what else ran on the machine only slows

struct Flags {
  size_t dimension = 384;
  bool json = false;
};

struct Operands {
  explicit Operands(size_t n) : a(n), b(n * kRows), half(n), codes(n * kRows), codes_a(n), out(std::max(n, kRows)) {
    std::mt19937 engine(1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (float& x : a) x = uniform(engine);
    for (float& x : b) x = uniform(engine);
    for (int8_t& x : codes) x = static_cast<int8_t>(engine());
    for (int8_t& x : codes_a) x = static_cast<int8_t>(engine());
    simd::Active().f32_to_f16(b.data(), half.data(), n);
  }
  std::vector<float> a, b;
  std::vector<simd::float16_t> half;
  std::vector<int8_t> codes, codes_a;
  std::vector<float> out;
};

struct Measured {
  std::string kernel, level;
  double ns = 0;             // a call
  double gb_per_second = 0;  // of the second operand: what a search streams through
};

// Keeps a result from being optimised away.
volatile float sink;

template <typename Call>
double NsPerCall(Call&& call) {
  double best = 0;
  uint64_t calls = 16;
  for (int round = 0; round < kRounds;) {
    int64_t begin_ns = NowNs();
    for (uint64_t i = 0; i < calls; ++i) call();
    int64_t took_ns = NowNs() - begin_ns;
    if (took_ns < kMeasureNs / kRounds) {
      calls *= 2;
      continue;
    }
    double ns = static_cast<double>(took_ns) / static_cast<double>(calls);
    best = round == 0 ? ns : std::min(best, ns);
    ++round;
  }
  return best;
}

void MeasureLevel(const simd::Kernels& k, size_t n, Operands& o, std::vector<Measured>& out) {
  auto add = [&](const char* kernel, size_t bytes, auto&& call) {
    double ns = NsPerCall(call);
    out.push_back({kernel, k.name, ns, static_cast<double>(bytes) / ns});
  };
  add("dot_f32", n * 4, [&] { sink = k.dot_f32(o.a.data(), o.b.data(), n); });
  add("l2_f32", n * 4, [&] { sink = k.l2_f32(o.a.data(), o.b.data(), n); });
  add("cosine_f32", n * 4, [&] { sink = k.cosine_f32(o.a.data(), o.b.data(), n).dot; });
  add("dot_f32_f16", n * 2, [&] { sink = k.dot_f32_f16(o.a.data(), o.half.data(), n); });
  add("l2_f32_f16", n * 2, [&] { sink = k.l2_f32_f16(o.a.data(), o.half.data(), n); });
  add("cosine_f32_f16", n * 2, [&] { sink = k.cosine_f32_f16(o.a.data(), o.half.data(), n).dot; });
  add("dot_i8", n, [&] { sink = static_cast<float>(k.dot_i8(o.codes_a.data(), o.codes.data(), n)); });
  add("l2_i8", n, [&] { sink = static_cast<float>(k.l2_i8(o.codes_a.data(), o.codes.data(), n)); });
  add("dot_f32_i8", n, [&] { sink = k.dot_f32_i8(o.a.data(), o.codes.data(), n); });
  add("dot_f32_i8_rows", n * kRows, [&] {
    k.dot_f32_i8_rows(o.a.data(), o.codes.data(), kRows, n, o.out.data());
    sink = o.out[0];
  });
  add("l2_f32_rows", n * 4 * kRows, [&] {
    k.l2_f32_rows(o.a.data(), o.b.data(), kRows, n, o.out.data());
    sink = o.out[0];
  });
  add("dot_f32_rows", n * 4 * kRows, [&] {
    k.dot_f32_rows(o.a.data(), o.b.data(), kRows, n, o.out.data());
    sink = o.out[0];
  });
  add("f16_to_f32", n * 2, [&] {
    k.f16_to_f32(o.half.data(), o.out.data(), n);
    sink = o.out[0];
  });
}

Result<int> Run(const Flags& flags) {
  Operands operands(flags.dimension);
  std::vector<Measured> measured;
  std::vector<std::string> skipped;
  for (const simd::Level& level : simd::Levels()) {
    if (level.kernels == nullptr) {
      skipped.emplace_back(level.name);
    } else {
      MeasureLevel(*level.kernels, flags.dimension, operands, measured);
    }
  }
  if (flags.json) {
    formats::Json list = formats::Json::array();
    for (const Measured& m : measured) {
      list.push_back({{"kernel", m.kernel}, {"level", m.level}, {"ns", m.ns}, {"gb_per_second", m.gb_per_second}});
    }
    PrintJson({{"dimension", flags.dimension},
               {"rows", kRows},
               {"active_level", simd::Active().name},
               {"skipped_levels", skipped},
               {"kernels", std::move(list)}});
    return kExitOk;
  }
  constexpr auto kRight = terminal::Align::kRight;
  terminal::Table table({{"kernel"}, {"level"}, {"a call", kRight}, {"GB/s", kRight}});
  for (const Measured& m : measured) {
    table.AddRow({m.kernel, m.level, terminal::FormatNumber(m.ns) + " ns", terminal::FormatNumber(m.gb_per_second)});
  }
  Print("dimension " + std::to_string(flags.dimension) + ", operands in the cache; kernels on rows take " +
        std::to_string(kRows) + " of them\n" + table.ToString());
  for (const std::string& name : skipped) Print(name + ": skipped, this processor has no such instructions\n");
  Print(std::string("searches use ") + simd::Active().name + "\n");
  return kExitOk;
}

}  // namespace

void AddBenchKernels(CLI::App& bench, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = AddCommand(bench, "kernels", "Time and throughput of the distance kernels, by instruction set",
                                 "  isotherm bench kernels --dimension 1536\n");
  command->add_option("--dimension", flags->dimension, "Numbers a vector")
      ->type_name("N")
      ->check(CLI::Range(size_t{1}, size_t{65536}).description(""))
      ->capture_default_str();
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });
}

}  // namespace isotherm::tool
