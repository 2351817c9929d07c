// What a run of the demo measured. README.md of this folder says what each figure of the JSON file is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol.h"
#include "tools/formats/json.h"

namespace cloud_tiered {

// One start of a search node with empty caches, and its first answer.
struct ColdStart {
  Cost open;               // the call of Open
  Cost search;             // the first search
  Cost total;              // from the call of Open to the answer
  int64_t process_ns = 0;  // from before the process was started to its answer being read
};

// One start of a search node whose disk cache is warm, and its first answer.
struct WarmStart {
  Cost open;
  Cost search;
};

struct Figures {
  std::string store;
  std::string profile;
  uint64_t rows = 0;
  uint32_t dimension = 0;
  uint64_t cells = 0;
  uint64_t stored_bytes = 0;
  int64_t build_ns = 0;
  int64_t upload_ns = 0;

  std::vector<ColdStart> cold_starts;
  std::vector<Cost> cold_questions;  // Open and first answer, for each question, processes not counted
  double recall_at_10 = 0;           // of the same answers

  std::vector<Cost> texts;
  std::vector<int64_t> warm_ram_ns;
  uint64_t warm_ram_requests = 0;
  std::vector<WarmStart> warm_starts;
};

isotherm::formats::Json ToJson(const Figures& figures);

// By linear interpolation between the two samples next to it; `fraction` 0.5 is the median. 0 without samples.
double Quantile(std::vector<int64_t> samples, double fraction);

// One field of all items.
template <typename Item, typename Field>
std::vector<int64_t> Column(const std::vector<Item>& items, Field Item::*field) {
  std::vector<int64_t> values(items.size());
  std::transform(items.begin(), items.end(), values.begin(),
                 [field](const Item& item) { return static_cast<int64_t>(item.*field); });
  return values;
}

template <typename T>
double Mean(const std::vector<Cost>& costs, T Cost::*field) {
  double sum = 0;
  for (const Cost& cost : costs) sum += static_cast<double>(cost.*field);
  return costs.empty() ? 0 : sum / static_cast<double>(costs.size());
}

// One member of all starts.
template <typename Start>
std::vector<Cost> CostsOf(const std::vector<Start>& starts, Cost Start::*member) {
  std::vector<Cost> costs(starts.size());
  std::transform(starts.begin(), starts.end(), costs.begin(), [member](const Start& start) { return start.*member; });
  return costs;
}

}  // namespace cloud_tiered
