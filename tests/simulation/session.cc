#include "tests/simulation/session.h"

#include <algorithm>

#include "blob/retry_store.h"

namespace isotherm::simulation {

namespace {

constexpr int64_t kMs = 1'000'000;
constexpr uint64_t kAlmostNever = uint64_t{1} << 20;  // more than a run writes

}  // namespace

Session::Session(World& world, Process& process, const SessionPlan& plan, uint64_t seed)
    : world_(world), process_(process), plan_(plan), random_(seed) {
  const Settings& settings = world.settings();
  options_.env = process.environment();
  options_.read_only = plan.role == Role::kReader;
  if (!options_.read_only && plan.branch.empty()) options_.create = settings.create;
  options_.branch = plan.branch;
  options_.as_of_version = plan.as_of_version;
  options_.as_of_ms = plan.as_of_ms;
  options_.memtable_bytes = settings.memtable_bytes;
  options_.block_cache_bytes = settings.block_cache_bytes;
  options_.inline_bytes = settings.inline_bytes;
  if (settings.disk_cache_bytes > 0 && random_.Below(4) > 0) {
    options_.cache_dir = "cache";
    options_.disk_cache_bytes = settings.disk_cache_bytes;
  }
  if (random_.Below(4) == 0) options_.conflict_policy = ConflictPolicy::kFail;
  if (random_.Below(4) == 0) options_.block_cache_policy = CachePolicy::kLru;
  if (random_.Below(plan.in_the_past() ? 2 : 4) == 0) {
    options_.lease_ms = static_cast<int64_t>(1000 * (1 + random_.Below(3600)));
  }
  if (random_.Below(3) == 0) options_.refresh_interval_ms = static_cast<int64_t>(1 + random_.Below(3000));
  options_.background_compaction = settings.background_compaction && random_.Below(4) > 0;
  options_.compaction = settings.compaction;
  options_.compaction_policy = settings.compaction_policy;
  options_.put_copies = static_cast<uint32_t>(1 + random_.Below(settings.most_put_copies));
  handle_ = &world.model().AddHandle(process, plan.branch);
  handle_->lanes.resize(plan.lanes);
  handle_->commits_itself = !options_.read_only && settings.memtable_bytes < kAlmostNever;
  handle_->compacts_itself = !options_.read_only && options_.background_compaction;
  handle_->leased = options_.lease_ms > 0 && plan.in_the_past();
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
  const uint64_t newest = line().newest();
  const uint64_t as_of = line().VersionAsOf(plan_.as_of_ms);
  // Creating is a commit too.
  Model::Commitment begin = model().BeginCommit(*handle_);
  Call call(*this, "open", random_, CallEffect::kCommits);
  auto opened = isotherm::Open(way, options_, call.context());
  const uint64_t wanted = plan_.as_of_ms != 0 ? as_of : plan_.as_of_version;
  const bool may_be_missing = newest == 0 || line().gone || line().unchecked ||
                              (plan_.in_the_past() && (wanted == 0 || wanted < line().oldest));
  std::initializer_list<StatusCode> expected = {StatusCode::kNotFound};
  if (!call.Ended(opened.status(), may_be_missing ? expected : std::initializer_list<StatusCode>{})) {
    return Status::Unavailable("the process is dead");
  }
  model().EndCommit(*handle_, begin, opened.status(), /*definite=*/true);
  if (!opened.ok()) return opened.status();
  collection_ = std::move(opened).value();
  CheckOpened(newest, as_of);
  return Status::Ok();
}

void Session::CheckOpened(uint64_t newest_before, uint64_t as_of_before) {
  const uint64_t version = Version(plan_.in_the_past() ? 0 : std::max<uint64_t>(newest_before, 1));
  Note("opened at version " + std::to_string(version));
  if (line().unchecked || !process_.alive()) return;
  model().CheckOpenedAfterErasure(*handle_, version);
  const bool other_version = plan_.as_of_version != 0 && version != plan_.as_of_version;
  const uint64_t as_of_now = line().VersionAsOf(plan_.as_of_ms);
  const bool other_time = plan_.as_of_ms != 0 && (version < as_of_before || version > as_of_now);
  if (other_version || other_time) {
    model().Fail(process_.name() + ": asked for version " +
                 std::to_string(plan_.as_of_version != 0 ? plan_.as_of_version : as_of_now) + ", opened is version " +
                 std::to_string(version));
  }
}

// That a call may read.
uint64_t Session::VersionInUse() {
  if (is_open()) return handle_->version;
  if (plan_.as_of_version != 0) return plan_.as_of_version;
  return plan_.as_of_ms != 0 ? line().VersionAsOf(plan_.as_of_ms) : line().newest();
}

uint64_t Session::Version(uint64_t least) {
  // The process may stand still in the middle of it: the age is that of a moment not before this one.
  const int64_t asked_ns = world_.scheduler().now_ns();
  CollectionStats stats = collection_->Stats();
  if (!process_.alive() || line().unchecked) return handle_->version;
  model().CheckVersion(*handle_, stats.version, least);
  const Line::Version* version = line().Find(stats.version);
  if (version == nullptr) return stats.version;
  if (stats.rows != LiveRows(*version->state)) {
    model().Fail(process_.name() + " counts " + std::to_string(stats.rows) + " rows at version " +
                 std::to_string(stats.version) + ", where there are " + std::to_string(LiveRows(*version->state)));
  }
  // What it says of its own age.
  const uint64_t was_newest = line().NewestAt(asked_ns - (stats.age_ms + 1) * kMs);
  if (!plan_.in_the_past() && stats.version < was_newest) {
    model().Fail(process_.name() + " is at version " + std::to_string(stats.version) + " and calls that " +
                 std::to_string(stats.age_ms) + " ms old; version " + std::to_string(was_newest) + " is older");
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

Call::Call(Session& session, std::string name, SplitMix64& random, CallEffect effect)
    : session_(session), name_(std::move(name)), commits_(effect == CallEffect::kCommits) {
  World& world = session.world();
  world.CountCall();
  world.trace().AddText(name_);
  session.Note("calls " + name_);
  if (session.calls_++ == 0) {
    session.version_before_ = session.VersionInUse();
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

bool Call::IsExplained(StatusCode code) const {
  bool store_failed = session_.store().failures() != session_.failures_before_;
  bool damaged = session_.store().damaged_reads() != session_.damaged_reads_before_;
  const bool gone = session_.line().gone || session_.line().unchecked;
  // Close gives the lease back, also under the feet of calls that are under way.
  const bool leased =
      session_.is_open() && !session_.closing && session_.handle().leased && !session_.handle().lost_lease;
  switch (code) {
    case StatusCode::kOk: return true;
    case StatusCode::kUnavailable: return store_failed;
    case StatusCode::kUnknown: return commits_ && (store_failed || damaged || session_.limited_ || gone);
    case StatusCode::kDeadlineExceeded: return context_.deadline_ns != Context::kNoDeadline;
    case StatusCode::kCancelled: return context_.cancel != nullptr;
    case StatusCode::kNotFound: return gone;
    case StatusCode::kCorruption:  // also what a vacuum removed under a reader's feet
      return damaged || gone || (!leased && session_.model().MayBeRemoved(session_.handle(), session_.version_before_));
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
  const uint32_t copies = session_.options().put_copies;
  if (commits_ && !session_.read_only() && copies > 1) {
    world.CountOutcome("each object put " + std::to_string(copies) + " times: " + StatusCodeName(status.code()));
  }
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
