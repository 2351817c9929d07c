// What one search did, in a line for logs.
#include <cstdio>

#include "isotherm/query.h"

namespace isotherm {

std::string Explain::ToString() const {
  std::string out;
  auto add = [&](const char* name, uint64_t value) {
    if (!out.empty()) out += ' ';
    out.append(name).append("=").append(std::to_string(value));
  };
  auto add_us = [&](const char* name, int64_t ns) {
    char text[64];
    std::snprintf(text, sizeof(text), " %s=%.1f", name, static_cast<double>(ns) / 1e3);
    out += text;
  };
  add("version", version);
  add("cells", cells);
  add("cells_probed", cells_probed);
  add("codes_evaluated", codes_evaluated);
  add("distances_exact", distances_exact);
  add("extents_from_ram", extents_from_ram);
  add("extents_from_disk", extents_from_disk);
  add("extents_from_store", extents_from_store);
  add("bytes_from_ram", bytes_from_ram);
  add("bytes_from_disk", bytes_from_disk);
  add("waves", store.waves);
  add("gets", store.gets());
  add("bytes_read", store.bytes_read);
  char price[64];
  std::snprintf(price, sizeof(price), " price_usd=%.10f", price_usd);
  out += price;
  add_us("plan_us", plan_ns);
  add_us("fetch_us", fetch_ns);
  add_us("score_us", score_ns);
  add_us("rerank_us", rerank_ns);
  return out;
}

}  // namespace isotherm
