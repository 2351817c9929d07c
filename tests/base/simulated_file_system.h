// A file system in memory that can lose its power, fill up and fail at any step.
//
// What is on its "disk" is kept apart from what a running program sees:
//   - a file's bytes get there by File::Sync;
//   - names (of files created, linked, renamed, removed, and of directories) by SyncDirectory of the parent; a rename
//   is
//     whole or not at all, and goes with the directory of the new name.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/splitmix.h"
#include "base/sync.h"

namespace isotherm {

// Thread-safe. Relative paths begin at its root. Every call that a real system would make is one operation; an
// operation that is made to fail has no effect, but a write half of it, and a sync that failed leaves bytes that no
// later sync makes durable.
class SimulatedFileSystem : public FileSystem {
 public:
  SimulatedFileSystem();
  ~SimulatedFileSystem() override;

  // How many operations there were.
  uint64_t operations() const;
  // The operation that has this number, counted from 0, fails with `status`.
  void FailAt(uint64_t operation, Status status);
  // This one and all later ones fail, until PowerLoss.
  void CutPowerAt(uint64_t operation);
  // Nothing that was asked for above fails any more. After CutPowerAt: only the process has died, not the machine.
  void ClearFailures();
  // From now on a lock is given to whoever asks, as some network file systems do.
  void IgnoreLocks();
  // Of all files together; writes beyond it are kResourceExhausted. nullopt: no limit.
  void SetCapacity(std::optional<uint64_t> bytes);

  // The machine starts again with what is on the disk. Handles and locks from before are dead.
  void PowerLoss();
  // The same, but by chance some of what was not synced got there: any of the names, and of the bytes any sectors of
  // 512.
  void PowerLoss(uint64_t seed);

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Link(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status CreateDirectories(const std::string& path) override;
  Status SyncDirectory(const std::string& path) override;
  Result<std::vector<FileInfo>> ListDirectory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) override;

 private:
  class OpenFile;
  class HeldLock;
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  struct Place {
    NodePtr directory;
    std::string name;
  };
  // What one operation did to names, the new name first. A null node is none.
  struct NameChange {
    struct Edit {
      NodePtr directory;
      std::string name;
      NodePtr node;
    };
    std::vector<Edit> edits;
  };

  Status Begin(const char* action, const std::string& path);
  Result<Place> Resolve(const std::string& path);
  static NodePtr NodeAt(const Place& place);
  void Change(NameChange change);
  void MakeDurable(const std::function<bool(const NameChange&)>& chosen);
  void Restart(SplitMix64* random);
  Status CreateDirectory(const std::string& path);
  Status SyncNames(const NodePtr& directory, const std::string& path);
  uint64_t UsedBytes() const;
  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path, bool wait);

  mutable Mutex mutex_;
  CondVar unlocked_;
  NodePtr root_;
  std::vector<NameChange> unsynced_;  // oldest first
  uint64_t operations_ = 0;
  std::map<uint64_t, Status> failures_;
  std::optional<uint64_t> power_cut_;
  std::optional<uint64_t> capacity_;
  bool locks_ignored_ = false;
  uint64_t starts_ = 0;  // handles of an earlier start are dead
};

}  // namespace isotherm
