// Writers that take turns, in a world of events: requests take their time, each version has one winner. Nothing sleeps.
#include "engine/turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/random.h"

namespace isotherm {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kRequestNs = 20 * kMs;
// Keeping the old version, and the swap.
constexpr int64_t kTryNs = 2 * kRequestNs;

struct Habits {
  int64_t request_ns = kRequestNs;
  int64_t thinks_ns = 0;           // between its commits
  int64_t ends_at_ns = INT64_MAX;  // dies, whatever it is at
  int64_t begins_at_ns = 0;
};

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) { head_.version = 1; }

  void Add(const Habits& habits) {
    auto writer = std::make_unique<Writer>(Nonce{1, writers_.size() + 1});
    writer->habits = habits;
    Writer* added = writer.get();
    writers_.push_back(std::move(writer));
    At(habits.begins_at_ns, [this, added] {
      added->base = head_;
      Begin(*added);
    });
  }

  void RunUntil(int64_t end_ns) {
    while (!events_.empty() && events_.begin()->first <= end_ns) {
      auto event = events_.extract(events_.begin());
      now_ns_ = event.key();
      event.mapped()();
    }
    now_ns_ = end_ns;
  }

  uint64_t commits() const { return head_.version - 1; }
  uint64_t commits_of(size_t writer) const { return writers_[writer]->commits; }
  int64_t longest_of(size_t writer) const { return writers_[writer]->longest_ns; }
  int64_t longest_gap_ns() const { return longest_gap_ns_; }
  uint64_t losses() const { return losses_; }

 private:
  struct Writer {
    explicit Writer(const Nonce& writer) : id(writer), turns(writer) {}
    const Nonce id;
    Turns turns;
    Habits habits;
    Head base;
    uint64_t commits = 0;
    int64_t asked_ns = 0;  // for the commit in hand
    int64_t try_ns = 0;    // when it began
    int64_t longest_ns = 0;
  };

  void At(int64_t time_ns, std::function<void()> what) { events_.emplace(time_ns, std::move(what)); }
  // A request takes its time, up to half as long again.
  void After(Writer& writer, int64_t requests, std::function<void()> what) {
    const int64_t plain_ns = requests * writer.habits.request_ns;
    const int64_t takes_ns = plain_ns + static_cast<int64_t>(random_.Next() % static_cast<uint64_t>(plain_ns / 2));
    At(now_ns_ + takes_ns, [this, &writer, what = std::move(what)] {
      if (now_ns_ < writer.habits.ends_at_ns) what();
    });
  }

  void Begin(Writer& writer) {
    writer.asked_ns = now_ns_;
    if (writer.turns.Waits(writer.base, now_ns_)) {
      Look(writer);
    } else {
      Try(writer);
    }
  }

  void Look(Writer& writer) {
    After(writer, 1, [this, &writer] {
      writer.base = head_;
      Decide(writer);
    });
  }

  void Decide(Writer& writer) {
    int64_t until_ns = writer.turns.WaitUntil(writer.base, now_ns_, random_);
    if (until_ns <= now_ns_) {
      Try(writer);
    } else {
      At(until_ns, [this, &writer] { Look(writer); });
    }
  }

  void Try(Writer& writer) {
    writer.try_ns = now_ns_;
    After(writer, 2, [this, &writer] { Swap(writer); });
  }

  void Swap(Writer& writer) {
    if (head_.version != writer.base.version) {
      ++losses_;
      After(writer, 1, [this, &writer] {
        writer.base = head_;
        writer.turns.Lost(writer.try_ns, now_ns_);
        if (writer.turns.Waits(writer.base, now_ns_)) {
          Decide(writer);
        } else {
          Try(writer);
        }
      });
      return;
    }
    Land(writer);
  }

  void Land(Writer& writer) {
    ++head_.version;
    head_.commit_ms = now_ns_ / kMs;
    auto slot =
        std::find_if(head_.slots.begin(), head_.slots.end(), [&](const auto& s) { return s.writer == writer.id; });
    if (slot == head_.slots.end()) slot = head_.slots.insert(slot, {writer.id, 1, 0, 0});
    slot->last_sequence = ++writer.commits;
    slot->last_commit_ms = head_.commit_ms;
    writer.base = head_;
    writer.turns.Landed(head_.version, writer.try_ns, now_ns_);
    writer.longest_ns = std::max(writer.longest_ns, now_ns_ - writer.asked_ns);
    longest_gap_ns_ = std::max(longest_gap_ns_, now_ns_ - landed_ns_);
    landed_ns_ = now_ns_;
    At(now_ns_ + writer.habits.thinks_ns, [this, &writer] {
      if (now_ns_ < writer.habits.ends_at_ns) Begin(writer);
    });
  }

  SeededRandom random_;
  Head head_;
  std::vector<std::unique_ptr<Writer>> writers_;
  std::multimap<int64_t, std::function<void()>> events_;
  int64_t now_ns_ = 0;
  int64_t landed_ns_ = 0;
  int64_t longest_gap_ns_ = 0;
  uint64_t losses_ = 0;
};

constexpr int64_t kRunNs = 400'000 * kMs;
constexpr size_t kSeeds = 5;
// No commit takes longer. Room for those whom nobody knows is left every 128 versions; not everybody hits it at once.
constexpr int64_t kLongestNs = 3 * 128 * kTryNs;

uint64_t CommitsOfOneAlone() {
  World world(1);
  world.Add({});
  world.RunUntil(kRunNs);
  EXPECT_EQ(world.losses(), 0U);
  EXPECT_GE(world.commits() * (5 * kRequestNs / 2), kRunNs / 100 * 97);
  return world.commits();
}

TEST(Turns, WritersOfOnePaceShareEvenlyAndTogetherAreNotMuchSlowerThanOne) {
  const uint64_t alone = CommitsOfOneAlone();
  for (size_t count : {2, 3, 8, 24}) {
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      SCOPED_TRACE(std::to_string(count) + " writers, seed " + std::to_string(seed));
      World world(seed);
      for (size_t w = 0; w < count; ++w) world.Add({});
      world.RunUntil(kRunNs);
      EXPECT_GE(world.commits() * 10, alone * 6) << "of " << alone;
      for (size_t w = 0; w < count; ++w) {
        EXPECT_GE(world.commits_of(w) * count * 4, world.commits() * 3) << w;
        EXPECT_LE(world.longest_of(w), kLongestNs) << "in tries: " << world.longest_of(w) / kTryNs;
      }
      EXPECT_LE(world.losses(), world.commits());
    }
  }
}

TEST(Turns, AWriterThatIsFartherFromTheStoreThanTheOthersHasItsPartToo) {
  constexpr int64_t kFar = 3 * kRequestNs / 2;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    for (size_t w = 0; w < 7; ++w) world.Add({});
    world.Add({.request_ns = kFar});
    world.RunUntil(kRunNs);
    EXPECT_GE(world.commits_of(7) * 8 * 4, world.commits());
  }
}

TEST(Turns, OneThatCommitsNowAndThenGetsInAmongOthersThatAlwaysDo) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    for (size_t w = 0; w < 7; ++w) world.Add({});
    world.Add({.thinks_ns = 100 * kTryNs});
    world.RunUntil(kRunNs);
    EXPECT_GE(world.commits_of(7), 40U);
    EXPECT_LE(world.longest_of(7), kLongestNs) << "in tries: " << world.longest_of(7) / kTryNs;
  }
}

TEST(Turns, WhoDiesHoldsTheOthersUpForAFewTriesOnly) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    for (size_t w = 0; w < 8; ++w) {
      Habits habits;
      if (w < 6) habits.ends_at_ns = kRunNs / 4 + static_cast<int64_t>(w) * kRunNs / 16;
      world.Add(habits);
    }
    world.RunUntil(kRunNs);
    EXPECT_LE(world.longest_gap_ns(), 40 * kTryNs) << "in tries: " << world.longest_gap_ns() / kTryNs;
    EXPECT_GT(world.commits_of(6) + world.commits_of(7), world.commits() / 3);
  }
}

TEST(Turns, WhoIsLeftAloneSoonGoesAtItsOwnPaceAgain) {
  World world(1);
  world.Add({});
  for (size_t w = 1; w < 8; ++w) world.Add({.ends_at_ns = kRunNs / 2});
  world.RunUntil(kRunNs / 2 + 30 * kTryNs);
  const uint64_t before = world.commits_of(0);
  const uint64_t losses = world.losses();
  world.RunUntil(kRunNs);
  EXPECT_GE((world.commits_of(0) - before) * 10, CommitsOfOneAlone() / 2 * 9);
  EXPECT_EQ(world.losses(), losses);
}

TEST(Turns, NewWritersGetInBesideOneThatNeverPauses) {
  constexpr int64_t kBeginNs = 50 * kTryNs;
  for (size_t count : {2, 4, 8, 16}) {
    for (uint64_t seed = 1; seed <= 2 * kSeeds; ++seed) {
      SCOPED_TRACE(std::to_string(count) + " writers, seed " + std::to_string(seed));
      World world(seed);
      world.Add({});
      for (size_t w = 1; w < count; ++w) world.Add({.begins_at_ns = kBeginNs});
      world.RunUntil(kBeginNs + kLongestNs);
      for (size_t w = 0; w < count; ++w) EXPECT_GT(world.commits_of(w), 0U) << w;
    }
  }
}

}  // namespace
}  // namespace isotherm
