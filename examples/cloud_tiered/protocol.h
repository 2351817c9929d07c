// What the demo and a search node say to each other: one JSON text a line, over the node's standard input and output.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "isotherm/metering.h"

namespace cloud_tiered {

using Message = nlohmann::json;

// What some work took, from one point in time to another, and all that it asked of the store meanwhile.
struct Cost {
  int64_t ns = 0;
  uint64_t waves = 0;
  uint64_t gets = 0;
  uint64_t other_requests = 0;  // of any kind but GET
  uint64_t bytes = 0;
  double usd = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Cost, ns, waves, gets, other_requests, bytes, usd)

inline Cost CostOf(int64_t ns, const isotherm::Meter& meter) {
  isotherm::MeterSummary summary = meter.Summary();
  uint64_t requests = 0;
  for (uint64_t count : summary.requests) requests += count;
  return {ns, summary.waves, summary.gets(), requests - summary.gets(), summary.bytes_read, PriceUsd(summary)};
}

// The node's first line: it has the collection open.
struct Opened {
  Cost cost;
  uint64_t rows = 0;
  uint32_t dimension = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Opened, cost, rows, dimension)

struct Request {
  bool write = false;         // tries to insert a row; the rest does not count then
  std::vector<float> vector;  // the question
  bool texts = false;         // fetches the texts of the answer too
  uint32_t repeats = 0;       // how often to ask the same again
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Request, write, vector, texts, repeats)

struct Written {
  std::string code;  // "ReadOnly"
  std::string message;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Written, code, message)

struct Found {
  uint64_t key = 0;
  float distance = 0;
  std::string pos, lexfile;
  std::string lemmas, definition;  // with texts
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Found, key, distance, pos, lexfile, lemmas, definition)

struct Answer {
  std::vector<Found> found;
  Cost search;      // ids, scores and filter columns
  Cost since_open;  // from the call of Open until then
  Cost texts;
  std::vector<int64_t> repeat_ns;
  uint64_t repeat_requests = 0;  // of all repeats together
  uint64_t extents_from_ram = 0, extents_from_disk = 0, extents_from_store = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Answer, found, search, since_open, texts, repeat_ns, repeat_requests,
                                   extents_from_ram, extents_from_disk, extents_from_store)

}  // namespace cloud_tiered
