#include "bench/hnswlib_graph.h"

#ifdef ISOTHERM_BENCH_HNSWLIB
#include <hnswlib/hnswlib.h>
#endif

namespace isotherm::bench {

#ifdef ISOTHERM_BENCH_HNSWLIB

namespace {

class Graph : public HnswlibGraph {
 public:
  Graph(size_t dimension, size_t max_rows, size_t m, size_t ef_construction)
      : space_(dimension), index_(&space_, max_rows, m, ef_construction) {}

  void Insert(uint32_t slot, const float* vector) override { index_.addPoint(vector, slot); }

  std::vector<uint32_t> Search(const float* query, size_t k, size_t ef) override {
    index_.setEf(ef);
    auto farthest_first = index_.searchKnn(query, k);
    std::vector<uint32_t> slots(farthest_first.size());
    for (size_t i = slots.size(); i-- > 0; farthest_first.pop()) {
      slots[i] = static_cast<uint32_t>(farthest_first.top().second);
    }
    return slots;
  }

 private:
  hnswlib::InnerProductSpace space_;
  hnswlib::HierarchicalNSW<float> index_;
};

}  // namespace

std::unique_ptr<HnswlibGraph> MakeHnswlibGraph(size_t dimension, size_t max_rows, size_t m, size_t ef_construction) {
  return std::make_unique<Graph>(dimension, max_rows, m, ef_construction);
}

#else

std::unique_ptr<HnswlibGraph> MakeHnswlibGraph(size_t, size_t, size_t, size_t) { return nullptr; }

#endif

}  // namespace isotherm::bench
