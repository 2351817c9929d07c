// Changes of rows by chance, over few keys and few different vectors, so that they meet.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/splitmix.h"
#include "isotherm/isotherm.h"
#include "tests/engine/mutation_model.h"

namespace isotherm::testing_support {

class RandomMutations {
 public:
  static constexpr uint32_t kDimension = 3;

  RandomMutations(uint64_t seed, uint64_t keys) : random_(seed), keys_(keys), text_keys_(random_.Below(2) == 1) {}

  SplitMix64& random() { return random_; }
  bool OneIn(uint64_t n) { return random_.Below(n) == 0; }
  template <typename T>
  T OneOf(std::initializer_list<T> choices) {
    return choices.begin()[random_.Below(choices.size())];
  }

  KeyType key_type() const { return text_keys_ ? KeyType::kString : KeyType::kInteger; }
  Key KeyOf(uint64_t number) const { return text_keys_ ? Key("key " + std::to_string(number)) : Key(number * 7); }
  Key AnyKey() { return KeyOf(random_.Below(keys_)); }
  std::vector<Key> AllKeys() const {
    std::vector<Key> keys;
    for (uint64_t i = 0; i < keys_; ++i) keys.push_back(KeyOf(i));
    return keys;
  }

  // Distances tie often.
  std::vector<float> AnyVector() {
    std::vector<float> vector(kDimension);
    do {
      for (float& v : vector) v = static_cast<float>(random_.Below(9)) - 4;
    } while (std::all_of(vector.begin(), vector.end(), [](float v) { return v == 0; }));
    return vector;
  }

  Row AnyRow(Key key, int64_t now_ms) {
    Row row;
    row.key = std::move(key);
    row.vector = AnyVector();
    if (!OneIn(3)) row.metadata["number"] = static_cast<int64_t>(random_.Below(1000));
    if (!OneIn(3)) row.metadata["colour"] = OneOf({"red", "green", "blue"});
    if (OneIn(2)) row.metadata["other"] = 0.5;
    if (OneIn(2)) row.payload.assign(random_.Below(60), static_cast<char>(random_.Below(256)));
    if (OneIn(6)) row.expires_at_ms = now_ms + static_cast<int64_t>(random_.Below(3000));
    return row;
  }

  MetadataPatch AnyPatch() {
    MetadataPatch patch;
    if (!OneIn(4)) patch.set["number"] = static_cast<int64_t>(random_.Below(1000));
    if (OneIn(3)) patch.set["patched"] = true;
    if (OneIn(3)) patch.remove.push_back(OneIn(2) ? "colour" : "number");
    return patch;
  }

  // One of four has a condition, most often one that holds for what is committed.
  Mutation AnyMutation(const ModelState& committed, int64_t now_ms) {
    Mutation mutation;
    mutation.kind = OneOf({MutationKind::kInsert, MutationKind::kUpsert, MutationKind::kUpsert, MutationKind::kPatch,
                           MutationKind::kDelete, MutationKind::kSoftDelete, MutationKind::kSoftDelete,
                           MutationKind::kRestore, MutationKind::kRestore});
    mutation.row.key = AnyKey();
    bool whole = mutation.kind == MutationKind::kInsert || mutation.kind == MutationKind::kUpsert;
    if (whole) mutation.row = AnyRow(mutation.row.key, now_ms);
    if (mutation.kind == MutationKind::kPatch) mutation.patch = AnyPatch();
    if (mutation.kind == MutationKind::kInsert || mutation.kind == MutationKind::kRestore || !OneIn(4)) return mutation;
    auto row = committed.find(mutation.row.key);
    bool holds = row != committed.end() && !OneIn(4);
    mutation.if_version = holds ? row->second.row.version : 1 + random_.Below(9);
    return mutation;
  }

 private:
  SplitMix64 random_;
  const uint64_t keys_;
  const bool text_keys_;
};

}  // namespace isotherm::testing_support
