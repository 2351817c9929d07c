#include "tests/simulation/pending.h"

#include <algorithm>

namespace isotherm::simulation {

bool Change::Touches(const Key& key) const {
  return std::any_of(mutations.begin(), mutations.end(), [&](const Mutation& m) { return m.row.key == key; });
}

std::vector<ChangePtr> Lane::Pending(Which which) const {
  std::vector<ChangePtr> pending;
  for (size_t i = settled; i < changes.size(); ++i) {
    const ChangePtr& change = changes[i];
    bool wanted = which == Which::kBoth || change->accepted == (which == Which::kAccepted);
    if (wanted && !change->settled()) pending.push_back(change);
  }
  return pending;
}

void Lane::Trim() {
  while (settled < changes.size() && changes[settled]->settled()) ++settled;
}

}  // namespace isotherm::simulation
