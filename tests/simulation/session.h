// One open collection in one process, and calls of it: each is made with a context of its own, and an error of it must
// have a cause.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "base/splitmix.h"
#include "tests/simulation/world.h"

namespace isotherm::simulation {

enum class Role : uint8_t { kWriter, kReader, kCompactor, kKeeper };  // the last one: of versions and branches

// How a collection is opened.
struct SessionPlan {
  Role role = Role::kReader;
  size_t lanes = 1;
  std::string branch;
  uint64_t as_of_version = 0;
  int64_t as_of_ms = 0;

  bool in_the_past() const { return as_of_version != 0 || as_of_ms != 0; }
};

class Session {
 public:
  Session(World& world, Process& process, const SessionPlan& plan, uint64_t seed);
  ~Session();

  // Another one after it failed is another handle.
  Status Open();

  World& world() { return world_; }
  Model& model() { return world_.model(); }
  Process& process() { return process_; }
  Role role() const { return plan_.role; }
  bool read_only() const { return options_.read_only; }
  const Options& options() const { return options_; }
  Handle& handle() { return *handle_; }
  Line& line() { return *handle_->line; }
  SimStore& store() { return *store_; }
  Collection& collection() { return *collection_; }
  bool is_open() const { return collection_ != nullptr; }
  // Of the snapshot, checked.
  uint64_t Version(uint64_t least = 0);

  // No calls may be under way.
  void Destroy();
  // Into the trace's text.
  void Note(const std::string& what) {
    if (!world_.trace().has_text()) return;
    world_.trace().Note(world_.scheduler().now_ns(), process_.name(), what);
  }

  // Somebody called Close: from then on kClosed is no surprise.
  bool closing = false;
  // Whether its tasks should go on.
  bool active() { return is_open() && !closing && process_.alive() && !world_.stopping(); }

 private:
  friend class Call;

  uint64_t VersionInUse();
  void CheckOpened(uint64_t newest_before, uint64_t as_of_before);

  World& world_;
  Process& process_;
  const SessionPlan plan_;
  SplitMix64 random_;
  Options options_;
  Handle* handle_;
  std::shared_ptr<SimStore> store_;
  std::unique_ptr<Collection> collection_;
  // Of what could explain an error: as it was when the first of the calls that are under way began.
  int calls_ = 0;
  uint64_t version_before_ = 0;
  uint64_t failures_before_ = 0;
  uint64_t damaged_reads_before_ = 0;
  uint64_t disk_failures_before_ = 0;
  bool limited_ = false;  // one of them has a deadline or can be cancelled
};

// Whether a call may leave something open.
enum class CallEffect : uint8_t { kReads, kCommits };

// From before a call of the collection to after it.
class Call {
 public:
  Call(Session& session, std::string name, SplitMix64& random, CallEffect effect = CallEffect::kReads);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const Context& context() const { return context_; }
  // Whether there is an outcome to judge: the process lives. Fails the model when the call ended with an error that
  // nothing explains and that is not `expected`.
  bool Ended(const Status& status, std::initializer_list<StatusCode> expected = {});

 private:
  bool IsExplained(StatusCode code) const;

  Session& session_;
  const std::string name_;
  const bool commits_;
  Context context_;
  std::shared_ptr<CancelToken> token_;
};

}  // namespace isotherm::simulation
