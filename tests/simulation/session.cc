#include "tests/simulation/session.h"

#include <algorithm>

#include "blob/retry_store.h"

namespace isotherm::simulation {

namespace {

constexpr int64_t kMs = 1'000'000;
constexpr uint64_t kAlmostNever = uint64_t{1} << 20;  // more than a run writes

}  // namespace

Session::Session(World& world, Process& process, Role role, size_t lanes, uint64_t seed)
    : world_(world), process_(process), role_(role), random_(seed) {
  const Settings& settings = world.settings();
  options_.env = process.environment();
  options_.read_only = role == Role::kReader;
  if (role != Role::kReader) options_.create = settings.create;
  options_.memtable_bytes = settings.memtable_bytes;
  options_.block_cache_bytes = settings.block_cache_bytes;
  options_.inline_bytes = settings.inline_bytes;
  if (settings.disk_cache_bytes > 0 && random_.Below(4) > 0) {
    options_.cache_dir = "cache";
    options_.disk_cache_bytes = settings.disk_cache_bytes;
  }
  if (random_.Below(4) == 0) options_.conflict_policy = ConflictPolicy::kFail;
  if (random_.Below(4) == 0) options_.block_cache_policy = CachePolicy::kLru;
  handle_ = &world.model().AddHandle(process.name());
  handle_->lanes.resize(lanes);
  options_.background_compaction = role != Role::kReader && random_.Below(2) == 0;
  handle_->compacts_itself = options_.background_compaction;
  options_.compaction.min_rows_for_cells = settings.min_rows_for_cells;
  handle_->commits_itself = role != Role::kReader && settings.memtable_bytes < kAlmostNever;
  store_ = world.Connect(process, *handle_);
}

Session::~Session() = default;

Status Session::Open() {
  std::shared_ptr<BlobStore> way = store_;
  if (world_.settings().with_retries) {
    RetryOptions retry;
    retry.unavailable_is_definite = world_.settings().unavailable_is_definite;
    way = std::make_shared<RetryBlobStore>(way, process_.environment(), retry);
  }
  uint64_t newest = model().newest();
  // Creating is a commit too.
  Model::Commitment begin = model().BeginCommit(*handle_);
  Call call(*this, "open", random_);
  auto opened = isotherm::Open(way, options_, call.context());
  std::initializer_list<StatusCode> expected = {StatusCode::kNotFound};
  if (!call.Ended(opened.status(), newest == 0 ? expected : std::initializer_list<StatusCode>{})) {
    return Status::Unavailable("the process is dead");
  }
  model().EndCommit(*handle_, begin, opened.status(), /*definite=*/true);
  if (!opened.ok()) return opened.status();
  collection_ = std::move(opened).value();
  uint64_t version = Version(std::max<uint64_t>(newest, 1));
  Note("opened at version " + std::to_string(version));
  return Status::Ok();
}

uint64_t Session::Version(uint64_t least) {
  CollectionStats stats = collection_->Stats();
  if (!process_.alive()) return handle_->version;
  model().CheckVersion(*handle_, stats.version, least);
  if (stats.version <= model().newest() && stats.rows != model().StateAt(stats.version).size()) {
    model().Fail(process_.name() + " counts " + std::to_string(stats.rows) + " rows at version " +
                 std::to_string(stats.version) + ", where there are " +
                 std::to_string(model().StateAt(stats.version).size()));
  }
  return stats.version;
}

void Session::Destroy() {
  if (collection_ == nullptr) return;
  // It closes, which commits; how that went nobody is told.
  Model::Commitment begin = model().BeginCommit(*handle_);
  collection_.reset();
  if (process_.alive()) model().EndCommit(*handle_, begin, Status::Unknown("destroyed"), /*definite=*/false);
}

Call::Call(Session& session, std::string name, SplitMix64& random) : session_(session), name_(std::move(name)) {
  World& world = session.world();
  world.CountCall();
  world.trace().AddText(name_);
  session.Note("calls " + name_);
  if (session.calls_++ == 0) {
    session.failures_before_ = session.store().failures();
    session.damaged_reads_before_ = session.store().damaged_reads();
    session.disk_failures_before_ = session.process().disk_failures();
    session.limited_ = false;
  }
  if (world.faults().Strikes(Fault::kDeadline)) {
    context_.deadline_ns = world.scheduler().now_ns() + static_cast<int64_t>(random.Below(300)) * kMs;
  }
  if (world.faults().Strikes(Fault::kCancelled)) {
    token_ = std::make_shared<CancelToken>();
    context_.cancel = token_.get();
    world.scheduler().At(world.scheduler().now_ns() + static_cast<int64_t>(random.Below(300)) * kMs,
                         [token = token_] { token->Cancel(); });
  }
  if (context_.deadline_ns == Context::kNoDeadline && context_.cancel == nullptr) return;
  session.limited_ = true;
  session.Note("which is limited");
}

Call::~Call() { --session_.calls_; }

// Of a call that commits; no other may leave anything open.
bool Call::Commits() const { return name_ == "open" || name_ == "commit" || name_ == "compact" || name_ == "close"; }

bool Call::IsExplained(StatusCode code) const {
  bool store_failed = session_.store().failures() != session_.failures_before_;
  bool damaged = session_.store().damaged_reads() != session_.damaged_reads_before_;
  switch (code) {
    case StatusCode::kOk: return true;
    case StatusCode::kUnavailable: return store_failed;
    case StatusCode::kUnknown: return Commits() && (store_failed || damaged || session_.limited_);
    case StatusCode::kDeadlineExceeded: return context_.deadline_ns != Context::kNoDeadline;
    case StatusCode::kCancelled: return context_.cancel != nullptr;
    case StatusCode::kCorruption:
    case StatusCode::kUnsupported:  // a version or a feature that was damaged on the way
      return damaged;
    case StatusCode::kIoError:
    case StatusCode::kResourceExhausted:
      // A disk cache that can't be opened is said; later it fails nobody.
      return name_ == "open" && session_.process().disk_failures() != session_.disk_failures_before_;
    case StatusCode::kClosed: return session_.closing;
    default: return false;
  }
}

bool Call::Ended(const Status& status, std::initializer_list<StatusCode> expected) {
  if (!session_.process().alive()) return false;
  World& world = session_.world();
  world.trace().Add(StatusCodeName(status.code()), {});
  world.CountOutcome(name_ + ": " + StatusCodeName(status.code()));
  session_.Note(name_ + ": " + status.ToString());
  if (status.code() == StatusCode::kDeadlineExceeded) world.faults().Hit(Fault::kDeadline);
  if (status.code() == StatusCode::kCancelled) world.faults().Hit(Fault::kCancelled);
  bool is_expected = std::find(expected.begin(), expected.end(), status.code()) != expected.end();
  if (!is_expected && !IsExplained(status.code())) {
    session_.model().Fail(session_.process().name() + ": " + name_ + " failed for no reason: " + status.ToString());
  }
  return true;
}

}  // namespace isotherm::simulation
