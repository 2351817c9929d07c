// What a play of model_test.cc is made of.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "blob/fault_store.h"
#include "isotherm/isotherm.h"
#include "tests/engine/mutation_model.h"

namespace isotherm::testing_support {

// How one play is set up.
struct Setting {
  uint64_t seed = 0;
  uint64_t steps = 80;
  uint64_t keys = 40;
  uint64_t rows_at_begin = 0;  // in three segments; half of them are deleted soon
};

struct Writer {
  std::string name;
  std::shared_ptr<FaultBlobStore> store;
  Options options;
  std::unique_ptr<Collection> collection;
  ModelHandle model;
  uint64_t shown_version = 0;
  std::set<Key> foreign;  // what another writer changed since this one had nothing pending and showed the newest
  // Of the commit whose outcome is open.
  bool uncertain = false;
  bool landed = false;
  uint64_t uncertain_base = 0;
  Replayed uncertain_state;
};

}  // namespace isotherm::testing_support
