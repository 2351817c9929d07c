#include "tests/simulation/line.h"

namespace isotherm::simulation {

const Line::Version* Line::Find(uint64_t version) const {
  const Line* line = this;
  while (version < line->first && line->parent != nullptr) line = line->parent.get();
  if (version < line->first || version > line->newest()) return nullptr;
  return &line->versions[version - line->first];
}

uint64_t Line::NewestAt(int64_t when_ns) const {
  for (uint64_t version = newest(); version >= first && version > 0; --version) {
    if (versions[version - first].written_ns <= when_ns) return version;
  }
  return 0;
}

uint64_t Line::VersionAsOf(int64_t commit_ms) const {
  for (uint64_t version = newest(); version > 0; --version) {
    const Version* found = Find(version);
    if (found == nullptr) return 0;
    if (found->commit_ms <= commit_ms) return version;
  }
  return 0;
}

std::string Line::Remember(const State& state, const State* before) {
  for (const auto& [key, entry] : state) {
    if (before != nullptr) {
      auto known = before->find(key);
      if (known != before->end() && known->second.row == entry.row) continue;
    }
    auto [at, fresh] = written.emplace(std::pair(key, entry.row->version), entry.row);
    if (!fresh && *at->second != *entry.row) {
      return "key " + key.ToString() + " had another row of version " + std::to_string(entry.row->version);
    }
  }
  return {};
}

}  // namespace isotherm::simulation
