#include "tests/simulation/actors.h"

#include <memory>
#include <utility>
#include <vector>

#include "tests/simulation/mishaps.h"
#include "tests/simulation/operations.h"

namespace isotherm::simulation {

namespace {

constexpr int64_t kMs = 1'000'000;
constexpr uint64_t kLeastFaults = 10;

void SleepMs(World& world, uint64_t ms) {
  world.scheduler().SleepUntilNs(world.scheduler().now_ns() + static_cast<int64_t>(ms) * kMs);
}

void Work(Worker& worker) {
  World& world = worker.session.world();
  while (worker.session.active()) {
    ChooseOperation(worker).run(worker);
    if (worker.random.Below(4) > 0) SleepMs(world, worker.random.Below(200));
  }
}

SessionPlan DrawPlan(World& world, Role role, size_t helpers, SplitMix64& random) {
  SessionPlan plan;
  plan.role = role;
  if (role == Role::kWriter && helpers > 0 && random.Below(2) == 0) plan.lanes = 2;
  std::vector<std::shared_ptr<Line>> lines = world.model().Lines();
  const Line& line = *lines[random.Below(4) == 0 ? random.Below(lines.size()) : 0];
  plan.branch = line.branch;
  if (role != Role::kReader || line.newest() < 2 || random.Below(3) > 0) return plan;
  const uint64_t oldest = random.Below(4) == 0 ? 1 : line.oldest;
  const uint64_t version = oldest + random.Below(line.newest() - oldest + 1);
  const Line::Version* found = line.Find(version);
  if (random.Below(3) > 0 || found == nullptr) {
    plan.as_of_version = version;
  } else {
    plan.as_of_ms = found->commit_ms + static_cast<int64_t>(random.Below(500));
  }
  return plan;
}

// A handle from its opening to its end, used by up to three tasks.
void UseCollection(World& world, Process& process, Role role, SplitMix64& random) {
  size_t helpers = random.Below(3);
  const SessionPlan plan = DrawPlan(world, role, helpers, random);
  const bool two_writers = plan.lanes > 1;
  Session session(world, process, plan, random.Next());
  if (!session.Open().ok()) {
    SleepMs(world, random.Below(1000));
    return;
  }
  std::vector<std::unique_ptr<Event>> ended;
  for (size_t i = 0; i < helpers; ++i) {
    ended.push_back(std::make_unique<Event>(world.scheduler()));
    bool writes = two_writers && i == 0;
    process.Spawn(writes ? "second writer" : "second reader",
                  [&session, &event = *ended.back(), writes, seed = random.Next()] {
                    Worker worker{session, SplitMix64(seed)};
                    worker.role = writes ? Role::kWriter : Role::kReader;
                    worker.lane = writes ? 1 : 0;
                    worker.main = false;
                    Work(worker);
                    event.Set();
                  });
  }
  Worker worker{session, SplitMix64(random.Next())};
  worker.role = role;
  Work(worker);
  for (const auto& event : ended) event->Wait();
  bool goes_on = process.alive() && !session.closing && world.model().failure().empty();
  if (goes_on) Finish(worker);
  session.Destroy();
}

// Starts a process, and another one when that has ended, until enough was done.
class Actor {
 public:
  Actor(World& world, Role role, std::string name, Machine& machine)
      : world_(world),
        role_(role),
        name_(std::move(name)),
        machine_(machine),
        random_(world.NewSeed()),
        gone_(world.scheduler()) {}

  void Run() {
    for (uint64_t start = 1; !world_.stopping(); ++start) {
      Process& process = world_.StartProcess(name_ + std::to_string(start), machine_);
      process.Spawn("main", [&world = world_, &process, role = role_, seed = random_.Next()] {
        SplitMix64 random(seed);
        while (process.alive() && !world.stopping()) UseCollection(world, process, role, random);
        process.over().Set();
      });
      process.over().Wait();
      SleepMs(world_, random_.Below(2000));
    }
    gone_.Set();
  }

  Event& gone() { return gone_; }

 private:
  World& world_;
  const Role role_;
  const std::string name_;
  Machine& machine_;
  SplitMix64 random_;
  Event gone_;
};

void StrikeUntilEnough(World& world, Mishaps& mishaps, SplitMix64 random) {
  while (!world.stopping()) {
    SleepMs(world, 50 + random.Below(1500));
    mishaps.Strike();
    if (world.calls() < world.settings().operations) continue;
    if (world.faults().total() >= kLeastFaults) break;
    // A run in which little goes wrong by itself.
    world.faults().Always(Fault::kCrash);
  }
  world.faults().Stop();
  mishaps.Stop();
  world.Stop();
}

void Judge(World& world) {
  // Whatever is still on its way arrives.
  SleepMs(world, 600'000);
  Process& judge = world.StartProcess("judge", *world.machines().front());
  judge.Spawn("main", [&world, &judge] {
    for (const auto& line : world.model().Lines()) {
      if (line->broken) continue;
      Session session(world, judge, {.branch = line->branch}, 0);
      CheckEnd(session);
      session.Destroy();
    }
    Session session(world, judge, {.role = Role::kKeeper, .branch = ""}, 0);
    EraseAtTheEnd(session);
    session.Destroy();
    judge.over().Set();
  });
  judge.over().Wait();
}

}  // namespace

void StartActors(World& world) {
  struct Cast {
    explicit Cast(World& w) : mishaps(w) {}
    std::vector<std::unique_ptr<Actor>> actors;
    Mishaps mishaps;
  };
  auto cast = std::make_shared<Cast>(world);
  auto add = [&](Role role, const std::string& name, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      Machine& machine = *world.machines()[cast->actors.size() % world.machines().size()];
      cast->actors.push_back(std::make_unique<Actor>(world, role, name + static_cast<char>('a' + i), machine));
    }
  };
  add(Role::kWriter, "writer-", world.settings().writers);
  add(Role::kReader, "reader-", world.settings().readers);
  add(Role::kCompactor, "compactor-", world.settings().compactors);
  add(Role::kKeeper, "keeper-", world.settings().keepers);
  for (const auto& actor : cast->actors) {
    world.scheduler().Spawn(world.outside(), "start and start again", [cast, &one = *actor] { one.Run(); });
  }
  world.scheduler().Spawn(world.outside(), "mishaps", [cast, &world, seed = world.NewSeed()] {
    StrikeUntilEnough(world, cast->mishaps, SplitMix64(seed));
  });
  world.scheduler().Spawn(world.outside(), "judge", [cast, &world] {
    for (const auto& actor : cast->actors) actor->gone().Wait();
    Judge(world);
  });
}

}  // namespace isotherm::simulation
