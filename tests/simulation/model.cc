#include "tests/simulation/model.h"

#include <algorithm>
#include <utility>

#include "base/macros.h"
#include "base/random.h"
#include "engine/history.h"
#include "tests/base/manual_clock.h"
#include "tests/simulation/process.h"

namespace isotherm::simulation {

namespace {

constexpr int64_t kLeaseSkewMs = 5 * 60 * 1000;  // that is forgiven

// One thread, no disk, and a clock that stands still: the model's own handle must not touch the run.
class InlineExecutor : public Executor {
 public:
  void Schedule(std::function<void()> task) override { task(); }
  void ParallelFor(size_t n, const std::function<void(size_t)>& body) override {
    for (size_t i = 0; i < n; ++i) body(i);
  }
  size_t Concurrency() const override { return 1; }
};

bool SameDeletions(const Head& a, const Head& b) {
  auto same = [](const DeletionDelta& x, const DeletionDelta& y) {
    return x.segment == y.segment && x.hard == y.hard && x.soft == y.soft;
  };
  return a.deletions.name == b.deletions.name && std::ranges::equal(a.deletion_deltas, b.deletion_deltas, same);
}

bool SameInlineRows(const Head& a, const Head& b) {
  return std::equal(a.inline_rows.begin(), a.inline_rows.end(), b.inline_rows.begin(), b.inline_rows.end(),
                    [](const InlineRow& x, const InlineRow& y) {
                      return x.soft_deleted == y.soft_deleted && x.row == y.row && x.row.version == y.row.version;
                    });
}

}  // namespace

Model::Model(Scheduler& scheduler, const Cloud& cloud)
    : scheduler_(scheduler),
      cloud_(cloud),
      environment_(std::make_shared<Environment>(Environment{
          // Before everything: nothing has expired.
          .clock = std::make_shared<ManualClock>(1'000'000'000, 0),
          .random = std::make_shared<SeededRandom>(1),
          .executor = std::make_shared<InlineExecutor>(),
          .file_system = nullptr,
      })) {
  lines_[""] = std::make_shared<Line>();
}

Model::~Model() = default;

void Model::Fail(const std::string& what) {
  if (!failure_.empty()) return;
  failure_ = "at " + std::to_string(scheduler_.now_ns() / 1'000'000) + " ms: " + what;
  scheduler_.trace().Note(scheduler_.now_ns(), "model", failure_);
}

Handle& Model::AddHandle(const Process& process, const std::string& branch) {
  handles_.push_back(std::make_unique<Handle>());
  Handle& handle = *handles_.back();
  handle.id = handles_.size();
  handle.name = process.name();
  handle.process = &process;
  handle.line = LineOf(branch);
  handle.opened_ns = scheduler_.now_ns();
  return handle;
}

std::vector<std::shared_ptr<Line>> Model::Lines() const {
  std::vector<std::shared_ptr<Line>> lines;
  for (const auto& [branch, line] : lines_) {
    if (!line->gone) lines.push_back(line);
  }
  return lines;
}

std::shared_ptr<Line> Model::LineOf(const std::string& branch) const {
  auto found = lines_.find(branch);
  return found == lines_.end() ? nullptr : found->second;
}

Status Model::ReadRows(Collection& collection, bool soft, State& state) {
  ScanOptions scan;
  scan.in_key_order = false;
  scan.soft_deleted = soft;
  return collection.Scan(
      [&](Row row) {
        Key key = row.key;
        bool is_new = state.emplace(key, Entry{std::make_shared<const Row>(std::move(row)), soft}).second;
        return is_new ? Status::Ok() : Status::Internal("key " + key.ToString() + " is there twice");
      },
      scan);
}

Result<State> Model::ReadWhole(const std::string& branch) {
  Options options;
  options.read_only = true;
  options.branch = branch;
  options.block_cache_bytes = 0;
  options.env = environment_;
  ASSIGN_OR_RETURN(std::unique_ptr<Collection> collection, Open(MakeReadOnlyView(cloud_.objects()), options));
  State state;
  RETURN_IF_ERROR(ReadRows(*collection, /*soft=*/false, state));
  CollectionStats stats = collection->Stats();
  if (stats.soft_deleted_rows > 0) RETURN_IF_ERROR(ReadRows(*collection, /*soft=*/true, state));
  if (stats.rows != LiveRows(state) || stats.soft_deleted_rows != state.size() - LiveRows(state)) {
    return Status::Internal("it counts " + std::to_string(stats.rows) + " rows and " +
                            std::to_string(stats.soft_deleted_rows) + " softly deleted ones; there are " +
                            std::to_string(LiveRows(state)) + " and " + std::to_string(state.size() - LiveRows(state)));
  }
  return state;
}

void Model::OnWrite(uint64_t client, const std::string& name, bool deleted) {
  if (!failure_.empty()) return;
  Handle& handle = *handles_.at(client - 1);
  if (deleted) return OnDelete(handle, name);
  if (name.starts_with(kLeasePrefix)) return OnLease(handle, name);
  if (auto branch = BranchOfHead(name)) OnHead(handle, *branch, name);
}

std::string Model::Title(const Handle& handle, const Line& line) const {
  return "version " + std::to_string(line.newest() + 1) + (line.branch.empty() ? "" : " of branch " + line.branch) +
         " by " + handle.name;
}

bool Model::HasSameRows(const Line& line, const Head& head) const {
  auto before = heads_.find(line.branch);
  if (before == heads_.end() || line.versions.empty()) return false;
  auto name_of = [](const SegmentInfo& segment) { return segment.name; };
  return std::ranges::equal(before->second.segments, head.segments, {}, name_of, name_of) &&
         SameDeletions(before->second, head) && SameInlineRows(before->second, head);
}

void Model::OnHead(Handle& handle, const std::string& branch, const std::string& object) {
  auto head = DecodeHead(*cloud_.objects().find(object)->second.bytes);
  if (!head.ok()) return Fail(object + " by " + handle.name + " can't be read: " + head.status().ToString());
  auto found = lines_.find(branch);
  if (found == lines_.end() || found->second->gone) {
    OnFirstHead(handle, branch, *head);
    if (!failure_.empty()) return;
    found = lines_.find(branch);
  }
  Line& line = *found->second;
  if (line.broken) return;
  const std::string title = Title(handle, line);
  if (head->version != line.newest() + 1) return Fail(title + " calls itself " + std::to_string(head->version));
  std::shared_ptr<const State> state;
  if (HasSameRows(line, *head)) {
    state = line.versions.back().state;
  } else {
    auto now = ReadWhole(branch);
    if (!now.ok() && line.versions.empty() && !branch.empty()) {
      // Whoever makes it too late is to find that out, and take it back.
      line.unchecked = true;
      line.broken = true;
      return;
    }
    if (!now.ok()) return Fail(title + " can't be read: " + now.status().ToString());
    // What did not change is kept once.
    const State* before = line.versions.empty() ? nullptr : line.versions.back().state.get();
    for (auto& [key, entry] : *now) {
      if (before == nullptr) break;
      auto old = before->find(key);
      if (old == before->end() || old->second.row->version != entry.row->version) continue;
      if (*old->second.row == *entry.row) entry.row = old->second.row;
    }
    state = std::make_shared<const State>(std::move(now).value());
  }
  if (!line.unchecked) Explain(handle, line, *head, *state);
  if (!line.unchecked) CheckForErased(title, line, *head, *state);
  Append(title, line, *head, std::move(state));
}

void Model::OnFirstHead(Handle& handle, const std::string& branch, const Head& head) {
  auto line = std::make_shared<Line>();
  line->branch = branch;
  line->first = head.version;
  // As a branch that was deleted before, by a request that was executed late.
  line->unchecked = lines_.contains(branch);
  // Who had the one before may take it for that one.
  if (line->unchecked) lines_[branch]->unchecked = true;
  line->parent = LineOf(head.fork_of);
  line->unchecked = line->unchecked || (line->parent != nullptr && line->parent->unchecked);
  lines_[branch] = line;
  if (line->unchecked) return;
  // Too late, when the lease was broken or had lapsed: as with one that can't be read.
  if (line->parent != nullptr) {
    const Line::Version* from = line->parent->Find(head.version);
    const bool stays = from != nullptr && (head.version >= line->parent->oldest || IsLeasedBy(handle, *from));
    line->broken = line->unchecked = !stays;
    if (line->broken) return;
  }
  for (const IntentPtr& intent : handle.intents) {
    if (intent->kind != Intent::Kind::kCreateBranch || intent->branch != branch) continue;
    const uint64_t least = intent->version == 0 ? intent->base : intent->version;
    const uint64_t most = intent->version == 0 ? handle.line->newest() : intent->version;
    if (head.version < least || head.version > most || head.fork_of != handle.line->branch) continue;
    ++handle.landings[intent->kind];
    return;
  }
  Fail("branch " + branch + " of version " + std::to_string(head.version) + " by " + handle.name +
       ", which was not asked for that");
}

void Model::Append(const std::string& title, Line& line, const Head& head, std::shared_ptr<const State> state) {
  Line::Version version;
  auto objects = std::make_shared<std::set<std::string>>();
  AddReferences(head, *objects);
  for (const std::string& object : *objects) {
    if (!cloud_.objects().contains(object)) Fail(title + " needs " + object + ", which is not there");
    needed_[object][line.shared_from_this()] = head.version;
  }
  const bool first = line.versions.empty();
  if (!first && head.commit_ms < line.versions.back().commit_ms) Fail(title + " is older than the one before");
  if (!line.unchecked) {
    std::string problem = line.Remember(*state, first ? nullptr : line.versions.back().state.get());
    if (!problem.empty()) Fail(title + ": " + problem);
  }
  version.state = std::move(state);
  version.objects = std::move(objects);
  version.commit_ms = head.commit_ms;
  version.written_ns = scheduler_.now_ns();
  line.versions.push_back(std::move(version));
  line.oldest = head.oldest_version;
  heads_[line.branch] = head;
  ++versions_;
}

void Model::OnLease(const Handle& handle, const std::string& name) {
  auto lease = DecodeLease(*cloud_.objects().find(name)->second.bytes);
  if (!lease.ok()) return Fail(name + ": " + lease.status().ToString());
  LeaseRecord record;
  record.expires_ms = lease->expires_ms;
  std::shared_ptr<Line> line = LineOf(lease->branch);
  if (line != nullptr && !line->gone && !line->unchecked && !released_.contains(name)) {
    const Line::Version* version = line->Find(lease->version);
    if (version == nullptr) return Fail(name + ": of version " + std::to_string(lease->version) + ", which never was");
    // Whoever takes it later than that, and renews none that is still there, is told so.
    if (lease->version >= line->oldest || IsLeased(*line, lease->version)) record.objects = version->objects;
  }
  record.owner = handle.id;
  record.version = lease->version;
  record.line = std::move(line);
  leases_[name] = record;
  if (scheduler_.trace().has_text()) {
    scheduler_.trace().Note(scheduler_.now_ns(), "model",
                            name + " is of version " + std::to_string(lease->version) + " of '" + lease->branch + "'" +
                                (record.objects == nullptr ? ", too late" : ""));
  }
}

bool Model::IsLeased(const Line& line, uint64_t version) const {
  return std::ranges::any_of(leases_, [&](const auto& each) {
    const LeaseRecord& lease = each.second;
    return lease.objects != nullptr && lease.line.get() == &line && lease.version == version;
  });
}

bool Model::IsLeasedBy(const Handle& handle, const Line::Version& version) const {
  return std::ranges::any_of(leases_, [&](const auto& each) {
    return each.second.owner == handle.id && each.second.objects == version.objects;
  });
}

void Model::OnDelete(Handle& handle, const std::string& name) {
  const std::string title = handle.name + " deleted " + name;
  if (auto lease = leases_.find(name); lease != leases_.end()) {
    if (lease->second.owner != handle.id && Holds(lease->second, handle) && !MayBreak(lease->second, handle)) {
      Fail(title + ", which holds");
    }
    if (lease->second.owner == handle.id || IsErasing(handle)) released_.insert(name);
    if (lease->second.owner != handle.id) {
      handles_.at(lease->second.owner - 1)->lost_lease = true;
    }
    leases_.erase(lease);
    return;
  }
  if (auto branch = BranchOfHead(name)) {
    auto line = LineOf(*branch);
    if (branch->empty()) return Fail(title);
    if (line != nullptr) line->gone = true;
    return;
  }
  // The newest version's archive comes and goes.
  for (const auto& [branch, line] : lines_) {
    const std::string prefix = BranchPrefix(branch);
    if (line->gone || line->unchecked || !name.starts_with(prefix)) continue;
    auto version = ParseVersionName(std::string_view(name).substr(prefix.size()));
    if (!version || version->version < line->oldest || version->version >= line->newest()) continue;
    const Line::Version* known = line->Find(version->version);
    if (known != nullptr && known->commit_ms == version->commit_ms) Fail(title + ", which is to be kept");
  }
  if (auto needed = needed_.find(name); needed != needed_.end()) {
    for (const auto& [line, version] : needed->second) {
      if (line->gone || line->unchecked || version < line->oldest) continue;
      Fail(title + ", which version " + std::to_string(version) + " of branch '" + line->branch + "' needs");
    }
  }
  for (const auto& [lease, record] : leases_) {
    if (Holds(record, handle) && record.objects->contains(name)) Fail(title + ", which " + lease + " holds");
  }
}

bool Model::Holds(const LeaseRecord& lease, const Handle& handle) const {
  // A branch's versions go with it.
  if (lease.objects == nullptr || lease.line->gone) return false;
  return lease.expires_ms + kLeaseSkewMs >= handle.process->WallSince(handle.opened_ns).latest_ms;
}

void Model::CheckVersion(Handle& handle, uint64_t version, uint64_t least) {
  if (handle.line->unchecked) return;
  const uint64_t newest = handle.line->newest();
  std::string title = handle.name + " is at version " + std::to_string(version);
  if (version < handle.version) Fail(title + ", but was at " + std::to_string(handle.version));
  if (version > newest) Fail(title + ", but there are only " + std::to_string(newest));
  if (version < least) Fail(title + ", but " + std::to_string(least) + " was there when it was asked to look");
  handle.version = std::max(handle.version, version);
}

bool Model::MayBeRemoved(const Handle& handle, uint64_t version) const {
  return handle.line->gone || handle.line->unchecked || version < handle.line->oldest;
}

}  // namespace isotherm::simulation
