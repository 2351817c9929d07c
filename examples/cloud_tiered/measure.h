// The measurements of the demo. Each throws when something fails.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "excerpt.h"
#include "figures.h"
#include "search_node.h"

namespace cloud_tiered {

// Is told how many are done; never by two threads at once.
using Done = std::function<void(size_t)>;

// `count` questions spread over all of them, ascending.
std::vector<size_t> Spread(size_t questions, size_t count);

// For each question a new process with empty caches (below `scratch`), which opens the collection and answers it.
std::vector<ColdStart> MeasureColdStarts(const NodeOptions& node, const Excerpt& excerpt,
                                         const std::vector<size_t>& questions, const std::string& scratch,
                                         const Done& done);

// For each question a new process with the disk cache of `node`, in which the answer must be.
std::vector<WarmStart> MeasureWarmStarts(const NodeOptions& node, const Excerpt& excerpt,
                                         const std::vector<size_t>& questions, const Done& done);

struct ColdQuestions {
  std::vector<Cost> costs;  // Open and first search
  double recall_at_10 = 0;
};
// For each question the collection is opened anew, with empty caches, in this process: what is counted does not depend
// on the process, so this can go on many threads. Their times say nothing.
ColdQuestions AskAllCold(const NodeOptions& node, const Excerpt& excerpt, const std::vector<size_t>& questions,
                         const Done& done);

}  // namespace cloud_tiered
