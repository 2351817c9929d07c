// The versions of one branch, as they were made, and which objects they need.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/head.h"
#include "tests/simulation/state.h"

namespace isotherm::simulation {

struct Line : std::enable_shared_from_this<Line> {
  struct Version {
    std::shared_ptr<const State> state;
    std::shared_ptr<const std::set<std::string>> objects;
    int64_t commit_ms = 0;
    int64_t written_ns = 0;  // when it became the newest
  };

  std::string branch;
  std::shared_ptr<Line> parent;  // that it began as a copy of
  bool gone = false;             // the branch was deleted
  bool unchecked = false;        // one of this name was there before, and handles may not know which one they have
  bool broken = false;           // objects are missing from the beginning: nobody may be told that it is there
  uint64_t first = 1;            // version
  uint64_t oldest = 1;           // that is promised to stay
  std::vector<Version> versions;
  // What the rows of a key were, by the version that wrote them.
  std::map<std::pair<Key, uint64_t>, RowPtr> written;

  uint64_t newest() const { return first + versions.size() - 1; }
  // Of this branch, or of what it came from; null: there is none.
  const Version* Find(uint64_t version) const;
  const State& StateAt(uint64_t version) const { return *Find(version)->state; }
  // The newest one at that time; 0: none yet.
  uint64_t NewestAt(int64_t when_ns) const;
  // The newest that is not younger by its own time; 0: none.
  uint64_t VersionAsOf(int64_t commit_ms) const;
  // "", or what is wrong: a key's row of one version is always the same.
  std::string Remember(const State& state, const State* before);
};

}  // namespace isotherm::simulation
