// Opening and creating collections.
#include <algorithm>

#include "base/macros.h"
#include "base/sha256.h"
#include "blob/metering_store.h"
#include "engine/collection_impl.h"
#include "engine/history.h"
#include "engine/object_names.h"
#include "isotherm/stores.h"

namespace isotherm {

namespace {

Status CheckCreate(const CreateOptions& create) {
  if (create.dimension == 0 || create.dimension > kMaxDimension) {
    return Status::InvalidArgument("dimension " + std::to_string(create.dimension) + "; 1 to " +
                                   std::to_string(kMaxDimension) + " are allowed");
  }
  if (create.metric < Metric::kL2 || create.metric > Metric::kInnerProduct) {
    return Status::InvalidArgument("metric " + std::to_string(static_cast<int>(create.metric)) +
                                   " is none of kL2, kCosine, kInnerProduct");
  }
  if (create.key_type != KeyType::kInteger && create.key_type != KeyType::kString) {
    return Status::InvalidArgument("key type " + std::to_string(static_cast<int>(create.key_type)) +
                                   " is neither kInteger nor kString");
  }
  if (create.filter_columns.size() > kMaxFilterColumns) {
    return Status::InvalidArgument(std::to_string(create.filter_columns.size()) + " filter columns; at most " +
                                   std::to_string(kMaxFilterColumns) + " are allowed");
  }
  std::vector<std::string> names = create.filter_columns;
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name.empty() || name.size() > kMaxFieldNameBytes) {
      return Status::InvalidArgument("filter column with a name of " + std::to_string(name.size()) + " bytes; 1 to " +
                                     std::to_string(kMaxFieldNameBytes) + " are allowed");
    }
  }
  if (auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    return Status::InvalidArgument("filter column '" + *twice + "' is named twice");
  }
  return Status::Ok();
}

// An existing collection must be what the caller would have created.
Status CheckAlike(const CreateOptions& create, const SegmentSchema& schema) {
  auto differs = [](const std::string& what, const std::string& is, const std::string& wanted) {
    return Status::InvalidArgument("the collection exists with " + what + " " + is + "; asked for was " + wanted);
  };
  if (schema.dimension != create.dimension) {
    return differs("dimension", std::to_string(schema.dimension), std::to_string(create.dimension));
  }
  if (schema.metric != create.metric) return differs("metric", MetricName(schema.metric), MetricName(create.metric));
  if (schema.key_type != create.key_type)
    return Status::InvalidArgument("the collection exists with another type of keys");
  if (schema.filter_columns != create.filter_columns)
    return Status::InvalidArgument("the collection exists with other filter columns");
  return Status::Ok();
}

Result<std::shared_ptr<const Snapshot>> CreateCollection(const ReadPath& path, const CreateOptions& create,
                                                         const Context& context) {
  RETURN_IF_ERROR(ProbeStore(*path.store, *path.env->random, context));
  Head head;
  head.schema = {create.dimension, create.metric, create.key_type, create.filter_columns};
  CommitLog log(path.store, path.env);
  auto created = log.Create(std::move(head), context);
  RETURN_IF_ERROR(created.status());
  // When the answer was lost, others may have gone on from it in the meantime.
  if (created->head.version > 1) return LoadSnapshot(path, nullptr, context);
  return MakeSnapshot(std::move(created->head), std::move(created->etag), created->bytes, nullptr, nullptr);
}

// A directory of the collection's own inside of `cache_dir`, so that several collections can share that.
std::string CacheDirectory(const std::string& cache_dir, const BlobStore& store) {
  Sha256Digest digest = Sha256(store.Describe());
  return cache_dir + "/" + ToHex({reinterpret_cast<const char*>(digest.data()), 8});
}

Result<std::unique_ptr<ReadPath>> MakeReadPath(std::shared_ptr<BlobStore> store, const Options& options,
                                               std::string* note) {
  auto path = std::make_unique<ReadPath>();
  path->env = options.env != nullptr ? options.env : Environment::Default();
  path->store = std::make_shared<MeteringBlobStore>(std::move(store), path->env, nullptr, options.metrics);
  BlockCacheOptions ram;
  ram.capacity_bytes = options.block_cache_bytes;
  ram.policy = options.block_cache_policy == CachePolicy::kLru ? EvictionPolicy::kLru : EvictionPolicy::kS3Fifo;
  ram.budget = options.memory;
  path->ram = std::make_shared<BlockCache>(ram);
  if (!options.cache_dir.empty()) {
    DiskCacheOptions disk;
    disk.directory = CacheDirectory(options.cache_dir, *path->store);
    disk.capacity_bytes = options.disk_cache_bytes;
    disk.budget = options.memory;
    auto opened = DiskCache::Open(disk, path->env);
    // Another process may hold it; a cache is never worth failing for, but its absence is said.
    if (opened.ok()) {
      path->disk = std::move(opened).value();
    } else if (opened.status().code() == StatusCode::kConflict) {
      *note = opened.status().ToString();
    } else {
      return opened.status().WithContext("cache_dir");
    }
  }
  return path;
}

constexpr uint32_t kMostPutCopies = 3;

}  // namespace

Result<std::unique_ptr<Collection>> Open(std::shared_ptr<BlobStore> store, const Options& options,
                                         const Context& context) {
  if (store == nullptr) return Status::InvalidArgument("the store is null");
  if (options.graph_m == 1 || options.graph_m > 512 || options.graph_ef_construction == 0) {
    return Status::InvalidArgument("a graph of " + std::to_string(options.graph_m) + " links and ef_construction " +
                                   std::to_string(options.graph_ef_construction) +
                                   "; 2 to 512 links, or 0 for no graph, and at least 1 are wanted");
  }
  if (options.put_copies < 1 || options.put_copies > kMostPutCopies) {
    return Status::InvalidArgument("put_copies is " + std::to_string(options.put_copies) + "; 1 to 3 are allowed");
  }
  if (options.create) {
    RETURN_IF_ERROR(CheckCreate(*options.create));
    if (options.read_only) return Status::InvalidArgument("create and read_only exclude each other");
  }
  Options opened = options;
  if (!options.branch.empty()) RETURN_IF_ERROR(CheckBranchName(options.branch));
  const bool in_the_past = options.as_of_version != 0 || options.as_of_ms != 0;
  if (in_the_past && options.create) return Status::InvalidArgument("create and as_of exclude each other");
  if (options.as_of_version != 0 && options.as_of_ms != 0) {
    return Status::InvalidArgument("as_of_version and as_of_ms exclude each other");
  }
  if (options.create && !options.branch.empty()) {
    return Status::InvalidArgument("create makes the main branch; '" + options.branch +
                                   "' is made by Collection::CreateBranch");
  }
  opened.read_only = options.read_only || in_the_past;
  std::string note;
  ASSIGN_OR_RETURN(std::unique_ptr<ReadPath> path, MakeReadPath(std::move(store), options, &note));
  path->extents = std::make_unique<ExtentCache>(path->store, path->ram, path->disk, path->env, kCacheScope,
                                                options.memory, options.metrics);
  path->memory = options.memory;
  path->branch_prefix = BranchPrefix(options.branch);
  const int64_t asked_ns = path->env->clock->NowNs();
  auto loaded = in_the_past ? LoadSnapshotAt(*path, {options.as_of_version, options.as_of_ms}, context)
                            : LoadSnapshot(*path, nullptr, context);
  bool created = false;
  if (!loaded.ok() && loaded.status().code() == StatusCode::kNotFound && options.create) {
    loaded = CreateCollection(*path, *options.create, context);
    created = loaded.ok();
    // Somebody else may have created it in this moment, and a vacuum taken what the store was tried with.
    const StatusCode code = created ? StatusCode::kOk : loaded.status().code();
    if (code == StatusCode::kAlreadyExists || code == StatusCode::kConflict || code == StatusCode::kUnsupported) {
      auto there = LoadSnapshot(*path, nullptr, context);
      const bool is_there = there.status().code() != StatusCode::kNotFound;
      if (is_there || code == StatusCode::kAlreadyExists) loaded = std::move(there);
    }
  }
  if (!loaded.ok()) return loaded.status();
  if (options.create && !created) {
    if (options.error_if_exists) return Status::AlreadyExists("there is a collection at " + path->store->Describe());
    RETURN_IF_ERROR(CheckAlike(*options.create, (*loaded)->head.schema));
  }
  auto collection =
      std::make_unique<CollectionImpl>(std::move(path), opened, std::move(loaded).value(), std::move(note));
  RETURN_IF_ERROR(collection->Begin(asked_ns, context));
  return std::unique_ptr<Collection>(std::move(collection));
}

Result<std::unique_ptr<Collection>> Open(std::string_view uri, const Options& options, const Context& context) {
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenBlobStore(uri, options.env));
  return Open(std::move(store), options, context);
}

}  // namespace isotherm
