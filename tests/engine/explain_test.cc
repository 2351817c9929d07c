#include <gtest/gtest.h>

#include "isotherm/query.h"

namespace isotherm {
namespace {

TEST(Explain, IsALineOfNamesAndNumbers) {
  Explain explain;
  explain.version = 3;
  explain.cells = 344;
  explain.cells_probed = 33;
  explain.store.requests[static_cast<int>(RequestKind::kGet)] = 7;
  explain.store.waves = 1;
  explain.price_usd = PriceUsd(explain.store);
  explain.fetch_ns = 63'150'000;
  EXPECT_EQ(explain.ToString(),
            "version=3 cells=344 cells_probed=33 codes_evaluated=0 distances_exact=0 extents_from_ram=0 "
            "extents_from_disk=0 extents_from_store=0 bytes_from_ram=0 bytes_from_disk=0 waves=1 gets=7 bytes_read=0 "
            "price_usd=0.0000028000 plan_us=0.0 fetch_us=63150.0 score_us=0.0 rerank_us=0.0");
}

}  // namespace
}  // namespace isotherm
