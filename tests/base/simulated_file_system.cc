#include "tests/base/simulated_file_system.h"

#include <algorithm>
#include <set>

#include "base/macros.h"

namespace isotherm {

namespace {

constexpr uint64_t kSectorBytes = 512;

struct PendingWrite {
  uint64_t offset;
  std::string bytes;
};

void ApplyWrite(std::string& content, uint64_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  content.replace(offset, bytes.size(), bytes);
}

// Each sector that the write touches gets there or not.
void ApplySomeSectors(std::string& content, const PendingWrite& write, SplitMix64& random) {
  std::string_view rest = write.bytes;
  for (uint64_t offset = write.offset; !rest.empty();) {
    uint64_t n = std::min<uint64_t>(rest.size(), kSectorBytes - offset % kSectorBytes);
    if (random.Below(2) == 0) ApplyWrite(content, offset, rest.substr(0, n));
    offset += n;
    rest.remove_prefix(n);
  }
}

}  // namespace

struct SimulatedFileSystem::Node {
  explicit Node(bool directory) : is_directory(directory) {}

  const bool is_directory;
  bool locked = false;
  std::string content;
  std::string durable_content;
  std::vector<PendingWrite> unsynced;
  std::map<std::string, NodePtr> entries;
  std::map<std::string, NodePtr> durable_entries;
};

class SimulatedFileSystem::OpenFile : public File {
 public:
  OpenFile(SimulatedFileSystem& fs, std::string path, NodePtr node, bool writable)
      : fs_(fs), path_(std::move(path)), node_(std::move(node)), writable_(writable), start_(fs.starts_) {}

  Result<size_t> Read(uint64_t offset, std::span<char> out) override {
    std::lock_guard lock(fs_.mutex_);
    RETURN_IF_ERROR(Begin("read"));
    if (offset >= node_->content.size()) return size_t{0};
    return node_->content.copy(out.data(), out.size(), offset);
  }

  Status Write(uint64_t offset, std::string_view bytes) override {
    std::lock_guard lock(fs_.mutex_);
    Status status = Begin("write");
    if (!Alive()) return status;
    if (!writable_) return Status::IoError("cannot write " + path_ + ": it was opened for reading");
    uint64_t size = node_->content.size();
    uint64_t growth = std::max(size, offset + bytes.size()) - size;
    if (fs_.capacity_.has_value() && fs_.UsedBytes() + growth > *fs_.capacity_) {
      return Status::ResourceExhausted("cannot write " + path_ + ": no space left");
    }
    if (!status.ok()) bytes = bytes.substr(0, bytes.size() / 2);
    if (bytes.empty()) return status;
    ApplyWrite(node_->content, offset, bytes);
    node_->unsynced.push_back({offset, std::string(bytes)});
    return status;
  }

  Status Sync() override {
    std::lock_guard lock(fs_.mutex_);
    Status status = Begin("sync");
    if (status.ok()) {
      for (const PendingWrite& write : node_->unsynced) {
        ApplyWrite(node_->durable_content, write.offset, write.bytes);
      }
    }
    if (Alive()) node_->unsynced.clear();
    return status;
  }

  Result<uint64_t> Size() override {
    std::lock_guard lock(fs_.mutex_);
    RETURN_IF_ERROR(Begin("ask for the size of"));
    return uint64_t{node_->content.size()};
  }

 private:
  bool Alive() const {
    return start_ == fs_.starts_ && (!fs_.power_cut_.has_value() || fs_.operations_ <= *fs_.power_cut_);
  }
  Status Begin(const char* action) {
    RETURN_IF_ERROR(fs_.Begin(action, path_));
    if (start_ != fs_.starts_) return Status::IoError(path_ + " was opened before the loss of power");
    return Status::Ok();
  }

  SimulatedFileSystem& fs_;
  const std::string path_;
  const NodePtr node_;
  const bool writable_;
  const uint64_t start_;
};

class SimulatedFileSystem::HeldLock : public FileLock {
 public:
  HeldLock(SimulatedFileSystem& fs, NodePtr node) : fs_(fs), node_(std::move(node)), start_(fs.starts_) {}
  ~HeldLock() override {
    std::lock_guard lock(fs_.mutex_);
    if (start_ != fs_.starts_) return;
    node_->locked = false;
    fs_.unlocked_.NotifyAll();
  }

 private:
  SimulatedFileSystem& fs_;
  const NodePtr node_;
  const uint64_t start_;
};

SimulatedFileSystem::SimulatedFileSystem() : root_(std::make_shared<Node>(true)) {}

SimulatedFileSystem::~SimulatedFileSystem() = default;

uint64_t SimulatedFileSystem::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

void SimulatedFileSystem::FailAt(uint64_t operation, Status status) {
  std::lock_guard lock(mutex_);
  failures_.insert_or_assign(operation, std::move(status));
}

void SimulatedFileSystem::CutPowerAt(uint64_t operation) {
  std::lock_guard lock(mutex_);
  power_cut_ = operation;
}

void SimulatedFileSystem::ClearFailures() {
  std::lock_guard lock(mutex_);
  failures_.clear();
  power_cut_.reset();
}

void SimulatedFileSystem::IgnoreLocks() {
  std::lock_guard lock(mutex_);
  locks_ignored_ = true;
}

void SimulatedFileSystem::SetCapacity(std::optional<uint64_t> bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

Status SimulatedFileSystem::Begin(const char* action, const std::string& path) {
  uint64_t operation = operations_++;
  std::string what = std::string("cannot ") + action + " " + path;
  if (power_cut_.has_value() && operation >= *power_cut_) return Status::IoError(what + ": the power is off");
  auto failure = failures_.find(operation);
  return failure == failures_.end() ? Status::Ok() : failure->second.WithContext(what);
}

Result<SimulatedFileSystem::Place> SimulatedFileSystem::Resolve(const std::string& path) {
  Place place{root_, "."};
  for (std::string_view rest = path; !rest.empty();) {
    size_t slash = std::min(rest.find('/'), rest.size());
    std::string part(rest.substr(0, slash));
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (part.empty() || part == ".") continue;
    NodePtr node = NodeAt(place);
    if (node == nullptr || !node->is_directory) return Status::NotFound(path + ": there is no such directory");
    place = {std::move(node), std::move(part)};
  }
  return place;
}

SimulatedFileSystem::NodePtr SimulatedFileSystem::NodeAt(const Place& place) {
  if (place.name == ".") return place.directory;
  auto found = place.directory->entries.find(place.name);
  return found == place.directory->entries.end() ? nullptr : found->second;
}

void SimulatedFileSystem::Change(NameChange change) {
  for (const NameChange::Edit& edit : change.edits) {
    if (edit.node == nullptr) {
      edit.directory->entries.erase(edit.name);
    } else {
      edit.directory->entries[edit.name] = edit.node;
    }
  }
  unsynced_.push_back(std::move(change));
}

// With a change go the earlier ones of the same names, so that the order of changes holds on the disk too.
void SimulatedFileSystem::MakeDurable(const std::function<bool(const NameChange&)>& chosen) {
  std::set<std::pair<Node*, std::string>> names;
  std::vector<NameChange> durable;
  std::vector<NameChange> still_unsynced;
  for (auto change = unsynced_.rbegin(); change != unsynced_.rend(); ++change) {
    bool goes = chosen(*change);
    for (const auto& edit : change->edits) goes = goes || names.contains({edit.directory.get(), edit.name});
    if (goes) {
      for (const auto& edit : change->edits) names.emplace(edit.directory.get(), edit.name);
    }
    (goes ? durable : still_unsynced).push_back(std::move(*change));
  }
  std::reverse(still_unsynced.begin(), still_unsynced.end());
  unsynced_ = std::move(still_unsynced);
  for (auto change = durable.rbegin(); change != durable.rend(); ++change) {
    for (const NameChange::Edit& edit : change->edits) {
      if (edit.node == nullptr) {
        edit.directory->durable_entries.erase(edit.name);
      } else {
        edit.directory->durable_entries[edit.name] = edit.node;
      }
    }
  }
}

void SimulatedFileSystem::PowerLoss() {
  std::lock_guard lock(mutex_);
  Restart(nullptr);
}

void SimulatedFileSystem::PowerLoss(uint64_t seed) {
  std::lock_guard lock(mutex_);
  SplitMix64 random(seed);
  MakeDurable([&](const NameChange&) { return random.Below(2) == 0; });
  Restart(&random);
}

// `random`: not null, if sectors that were not synced may have got to the disk.
void SimulatedFileSystem::Restart(SplitMix64* random) {
  unsynced_.clear();
  std::set<Node*> seen;
  std::vector<NodePtr> todo{root_};
  while (!todo.empty()) {
    NodePtr node = std::move(todo.back());
    todo.pop_back();
    if (!seen.insert(node.get()).second) continue;
    for (const PendingWrite& write : node->unsynced) {
      if (random != nullptr) ApplySomeSectors(node->durable_content, write, *random);
    }
    node->unsynced.clear();
    node->content = node->durable_content;
    node->entries = node->durable_entries;
    node->locked = false;
    for (const auto& [name, child] : node->entries) todo.push_back(child);
  }
  ++starts_;
  failures_.clear();
  power_cut_.reset();
  unlocked_.NotifyAll();
}

uint64_t SimulatedFileSystem::UsedBytes() const {
  uint64_t bytes = 0;
  std::set<const Node*> seen;
  std::vector<const Node*> todo{root_.get()};
  while (!todo.empty()) {
    const Node* node = todo.back();
    todo.pop_back();
    if (!seen.insert(node).second) continue;
    bytes += node->content.size();
    for (const auto& [name, child] : node->entries) todo.push_back(child.get());
  }
  return bytes;
}

Result<std::unique_ptr<File>> SimulatedFileSystem::Open(const std::string& path, OpenMode mode) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(Begin("open", path));
  ASSIGN_OR_RETURN(Place place, Resolve(path));
  NodePtr node = NodeAt(place);
  if (node != nullptr && node->is_directory) {
    if (mode == OpenMode::kRead) return Status::NotFound(path + " is a directory");
    return Status::IoError(path + " is a directory");
  }
  if (node != nullptr && mode == OpenMode::kCreateNew) return Status::AlreadyExists(path + " exists");
  if (node == nullptr) {
    if (mode == OpenMode::kRead) return Status::NotFound(path + ": there is no such file");
    node = std::make_shared<Node>(false);
    Change({{{place.directory, place.name, node}}});
  }
  return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, path, std::move(node), mode != OpenMode::kRead));
}

Status SimulatedFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(Begin("rename", from));
  ASSIGN_OR_RETURN(Place source, Resolve(from));
  ASSIGN_OR_RETURN(Place target, Resolve(to));
  NodePtr node = NodeAt(source);
  NodePtr replaced = NodeAt(target);
  if (node == nullptr) return Status::NotFound(from + ": there is no such file");
  if (replaced != nullptr && replaced->is_directory) return Status::IoError(to + " is a directory");
  if (node != replaced) Change({{{target.directory, target.name, node}, {source.directory, source.name, nullptr}}});
  return Status::Ok();
}

Status SimulatedFileSystem::Link(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(Begin("link", from));
  ASSIGN_OR_RETURN(Place source, Resolve(from));
  ASSIGN_OR_RETURN(Place target, Resolve(to));
  NodePtr node = NodeAt(source);
  if (node == nullptr) return Status::NotFound(from + ": there is no such file");
  if (NodeAt(target) != nullptr) return Status::AlreadyExists(to + " exists");
  Change({{{target.directory, target.name, node}}});
  return Status::Ok();
}

Status SimulatedFileSystem::Remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(Begin("remove", path));
  ASSIGN_OR_RETURN(Place place, Resolve(path));
  NodePtr node = NodeAt(place);
  if (node == nullptr) return Status::NotFound(path + ": there is no such file");
  if (node->is_directory) return Status::IoError(path + " is a directory");
  Change({{{place.directory, place.name, nullptr}}});
  return Status::Ok();
}

Status SimulatedFileSystem::CreateDirectories(const std::string& path) {
  std::lock_guard lock(mutex_);
  return CreateDirectory(path);
}

// As the real one does it: what is there is synced, what is missing is created in a parent that was.
Status SimulatedFileSystem::CreateDirectory(const std::string& path) {
  Result<Place> place = Resolve(path);
  NodePtr node = place.ok() ? NodeAt(*place) : nullptr;
  if (node == root_) return Status::Ok();
  if (node != nullptr && !node->is_directory) return Status::IoError(path + " is to be a directory, but is a file");
  if (node == nullptr) {
    size_t slash = path.rfind('/');
    RETURN_IF_ERROR(CreateDirectory(slash == std::string::npos ? "/" : path.substr(0, slash)));
    RETURN_IF_ERROR(Begin("create the directory", path));
    place = Resolve(path);
    RETURN_IF_ERROR(place.status());
    Change({{{place->directory, place->name, std::make_shared<Node>(true)}}});
  }
  return SyncNames(place->directory, path + "/..");
}

Status SimulatedFileSystem::SyncDirectory(const std::string& path) {
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(Place place, Resolve(path));
  NodePtr node = NodeAt(place);
  if (node == nullptr || !node->is_directory) return Status::NotFound(path + ": there is no such directory");
  return SyncNames(node, path);
}

Status SimulatedFileSystem::SyncNames(const NodePtr& directory, const std::string& path) {
  RETURN_IF_ERROR(Begin("sync the directory", path));
  MakeDurable([&](const NameChange& change) { return change.edits.front().directory == directory; });
  return Status::Ok();
}

Result<std::vector<FileInfo>> SimulatedFileSystem::ListDirectory(const std::string& path) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(Begin("list", path));
  ASSIGN_OR_RETURN(Place place, Resolve(path));
  NodePtr node = NodeAt(place);
  if (node == nullptr || !node->is_directory) return Status::NotFound(path + ": there is no such directory");
  std::vector<FileInfo> files;
  for (const auto& [name, child] : node->entries) files.push_back({name, child->content.size(), child->is_directory});
  return files;
}

Result<std::unique_ptr<FileLock>> SimulatedFileSystem::Lock(const std::string& path) { return LockFile(path, true); }

Result<std::unique_ptr<FileLock>> SimulatedFileSystem::TryLock(const std::string& path) {
  return LockFile(path, false);
}

Result<std::unique_ptr<FileLock>> SimulatedFileSystem::LockFile(const std::string& path, bool wait) {
  std::unique_lock lock(mutex_);
  RETURN_IF_ERROR(Begin("lock", path));
  ASSIGN_OR_RETURN(Place place, Resolve(path));
  NodePtr node = NodeAt(place);
  if (node == nullptr) {
    node = std::make_shared<Node>(false);
    Change({{{place.directory, place.name, node}}});
  }
  uint64_t start = starts_;
  if (locks_ignored_) node->locked = false;
  if (!wait && node->locked) return Status::Conflict(path + " is locked");
  unlocked_.Wait(lock, [&] { return !node->locked || starts_ != start; });
  if (starts_ != start) return Status::IoError("cannot lock " + path + ": the power was lost");
  node->locked = true;
  return std::unique_ptr<FileLock>(std::make_unique<HeldLock>(*this, std::move(node)));
}

}  // namespace isotherm
