// Damage to any object, over every store, of collections with deletions, versions and branches: Corruption that names
// the object, or the identical answer. E25 of docs/behaviours.md.
#include <gmock/gmock.h>

#include <filesystem>

#include "base/splitmix.h"
#include "tests/engine/every_store.h"
#include "tests/engine/format_v2.h"

namespace isotherm {
namespace {

using namespace testing_support;

class DamageBehaviour : public EveryStore {
 protected:
  // The collections that the repository keeps have objects of every kind.
  void CopyKept(const KeptV2& kept) {
    UseNewPlace();
    objects_.clear();
    const std::string folder = std::filesystem::path(__FILE__).parent_path() / "testdata" / "format-v2" / kept.name;
    auto source = OpenBlobStore(folder);
    ASSERT_TRUE(source.ok()) << source.status();
    auto listed = ListObjects(**source, "", {});
    ASSERT_TRUE(listed.ok()) << listed.status();
    for (const ListEntry& entry : *listed) {
      ReadRequest request{entry.name, {}, {}};
      objects_[entry.name] = std::move((*source)->Read({}, {&request, 1})[0].data);
      ASSERT_TRUE(store_->Put({}, entry.name, objects_[entry.name]).ok());
    }
  }

  struct Target {
    std::string branch;
    uint64_t version;  // 0: the newest
  };

  // All that the collection shows at one version, as text; and what it says where it can't.
  Result<std::string> Ask(const Target& target) {
    Options options = OptionsOf();
    options.read_only = true;
    options.branch = target.branch;
    options.as_of_version = target.version;
    auto collection = Open(Connect(), options);
    if (!collection.ok()) return collection.status();
    std::string text;
    for (bool soft : {false, true}) {
      ScanOptions scan;
      scan.soft_deleted = soft;
      Status scanned = (*collection)
                           ->Scan(
                               [&](Row row) {
                                 text += row.key.ToString() + " " + std::to_string(row.version) + " " +
                                         std::to_string(row.expires_at_ms);
                                 for (float v : row.vector) text += " " + std::to_string(v);
                                 for (const auto& [name, value] : row.metadata)
                                   text += " " + name + "=" + value.ToString();
                                 text += " " + row.payload + "\n";
                                 return Status::Ok();
                               },
                               scan);
      if (!scanned.ok()) return scanned;
    }
    SearchOptions search;
    search.k = 60;
    search.probes = 100;
    auto found = (*collection)->Search(std::vector<float>{1, -2, 3}, search);
    if (!found.ok()) return found.status();
    for (const Hit& hit : found->hits) text += hit.key.ToString() + " " + std::to_string(hit.distance) + "\n";
    for (uint64_t number : {1, 5, 8, 14, 28, 35, 50, 99}) {
      auto row = (*collection)->Get(KeptV2Key(number, (*collection)->Stats().key_type));
      if (!row.ok() && row.status().code() != StatusCode::kNotFound) return row.status();
      text += row.ok() ? row->payload : "none\n";
    }
    return text;
  }

  void ExpectIdenticalOrCorruption(const std::string& object, const std::string& what) {
    for (size_t t = 0; t < targets_.size(); ++t) {
      auto answer = Ask(targets_[t]);
      if (answer.ok()) {
        EXPECT_TRUE(*answer == intact_[t]) << object << ", " << what << ": another answer";
        continue;
      }
      ++corrupt_;
      EXPECT_EQ(answer.status().code(), StatusCode::kCorruption) << object << ", " << what << ": " << answer.status();
      // A head is known by what it is.
      const std::string name = object.ends_with("head") ? "head" : object;
      EXPECT_THAT(answer.status().message(), testing::HasSubstr(name)) << what;
    }
  }

  void Damage(const std::string& object, const std::string& bytes, const std::string& what) {
    ASSERT_TRUE(store_->Put({}, object, bytes).ok());
    ExpectIdenticalOrCorruption(object, what);
    ASSERT_TRUE(store_->Put({}, object, objects_[object]).ok());
  }

  void DamageAll(uint64_t flips_of_each, uint64_t every) {
    SplitMix64 random(11);
    uint64_t number = 0;
    for (const auto& [object, good] : objects_) {
      for (size_t length = 0; length < good.size(); length += 4096) {
        if (number++ % every == 0) Damage(object, good.substr(0, length), "cut off at " + std::to_string(length));
      }
      for (uint64_t flip = 0; flip < flips_of_each; ++flip) {
        // Most bytes of a segment are padding: where there is something is looked for.
        uint64_t at = random.Below(good.size());
        while (at + 1 < good.size() && good[at] == 0 && random.Below(8) != 0) ++at;
        std::string bytes = good;
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8)));
        if (number++ % every == 0) Damage(object, bytes, "byte " + std::to_string(at));
      }
    }
  }

  const std::vector<Target> targets_ = {{"", 0}, {"", 5}, {kKeptV2Branch, 0}, {kKeptV2Branch, 6}};
  std::map<std::string, std::string> objects_;
  std::vector<std::string> intact_;
  uint64_t corrupt_ = 0;
};

TEST_P(DamageBehaviour, ADamagedObjectIsCorruptionThatNamesItOrTheIdenticalAnswer) {
  const bool fast = GetParam() == StoreKind::kMemory;
  for (const KeptV2& kept : kKeptV2) {
    CopyKept(kept);
    intact_.clear();
    for (const Target& target : targets_) {
      auto answer = Ask(target);
      ASSERT_TRUE(answer.ok()) << answer.status();
      intact_.push_back(*answer);
    }
    DamageAll(fast ? 60 : 4, fast ? 1 : 3);
  }
  EXPECT_GT(corrupt_, fast ? 500U : 20U);
}

TEST_P(DamageBehaviour, AMissingObjectIsCorruptionThatNamesItOrTheIdenticalAnswer) {
  CopyKept(kKeptV2[0]);
  for (const Target& target : targets_) intact_.push_back(Ask(target).value());
  for (const auto& [object, good] : objects_) {
    if (object.ends_with("head") || object.find("version-") != std::string::npos) continue;  // then there is none
    ASSERT_TRUE(store_->Delete({}, object).ok());
    ExpectIdenticalOrCorruption(object, "missing");
    ASSERT_TRUE(store_->Put({}, object, good).ok());
  }
  EXPECT_GT(corrupt_, 5U);
}

ISOTHERM_OVER_EVERY_STORE(DamageBehaviour);

}  // namespace
}  // namespace isotherm
