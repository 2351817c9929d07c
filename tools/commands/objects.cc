// ls and cp: a collection as the objects of a store.
#include <CLI/CLI.hpp>
#include <charconv>
#include <map>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

struct LsFlags {
  StoreFlags store;
  bool json = false;
};

struct CpFlags {
  std::string from, to;
  std::string profile = "none";
  bool json = false;
};

struct Object {
  std::string name;
  uint64_t bytes = 0;
  std::string what;  // empty when there is no collection
  uint64_t rows = 0;
};

Result<std::vector<Object>> ListObjects(BlobStore& store) {
  std::vector<Object> objects;
  std::string after;
  while (true) {
    ASSIGN_OR_RETURN(ListPage page, store.List({}, "", after));
    for (const ListEntry& entry : page.entries) objects.push_back({entry.name, entry.size, "", 0});
    if (!page.more || page.entries.empty()) return objects;
    after = page.entries.back().name;
  }
}

// "version 12" of "version-000000000000000c-…", empty of any other name.
std::string VersionText(std::string_view name) {
  constexpr std::string_view kPrefix = "version-";
  constexpr int kHexadecimal = 16;
  if (!name.starts_with(kPrefix)) return {};
  name.remove_prefix(kPrefix.size());
  uint64_t version = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), version, kHexadecimal);
  if (error != std::errc() || end == name.data() + name.size() || *end != '-') return {};
  return "version " + std::to_string(version);
}

// By its name alone. docs/format.md lists them.
std::string KindOf(std::string_view name) {
  if (name == "head" || name == "routing") return std::string(name);
  if (std::string version = VersionText(name); !version.empty()) return version;
  for (const char* kind : {"segment", "routing", "deletions", "lease", "build"}) {
    if (name.starts_with(std::string(kind) + "-")) return kind;
  }
  constexpr std::string_view kBranches = "branches/";
  size_t slash = name.find('/', kBranches.size());
  if (!name.starts_with(kBranches) || slash == std::string_view::npos) return "unknown";
  std::string branch(name.substr(kBranches.size(), slash - kBranches.size()));
  return KindOf(name.substr(slash + 1)) + " of branch '" + branch + "'";
}

// By the collection's own account of its parts.
void Describe(const StoreFlags& store, const CollectionStats& stats, std::vector<Object>& objects) {
  std::map<std::string, const SegmentStats*> segments;
  for (const SegmentStats& segment : stats.segments) segments[segment.name] = &segment;
  const std::string head = store.branch.empty() ? "head" : "branches/" + store.branch + "/head";
  for (Object& object : objects) {
    auto segment = segments.find(object.name);
    object.what = KindOf(object.name);
    if (segment != segments.end()) {
      object.what = segment->second->kind + " segment";
      object.rows = segment->second->rows;
    } else if (object.what == "segment") {
      object.what = "segment of others";
    } else if (object.name == head) {
      object.rows = stats.inline_rows;
    }
  }
}

formats::Json ToJson(const LsFlags& flags, const std::vector<Object>& objects, bool is_collection) {
  formats::Json list = formats::Json::array();
  uint64_t bytes = 0;
  for (const Object& object : objects) {
    formats::Json item = {{"name", object.name}, {"bytes", object.bytes}};
    if (is_collection) item["what"] = object.what;
    if (object.rows > 0) item["rows"] = object.rows;
    list.push_back(std::move(item));
    bytes += object.bytes;
  }
  return {{"uri", flags.store.uri}, {"collection", is_collection}, {"bytes", bytes}, {"objects", std::move(list)}};
}

std::string Text(const std::vector<Object>& objects, bool is_collection) {
  terminal::Table table({{"size", terminal::Align::kRight}, {"rows", terminal::Align::kRight}, {"what"}, {"object"}});
  terminal::Table plain({{"size", terminal::Align::kRight}, {"object"}});
  uint64_t bytes = 0;
  for (const Object& object : objects) {
    std::string rows = object.rows > 0 ? terminal::FormatCount(object.rows) : "";
    table.AddRow({terminal::FormatBytes(object.bytes), rows, object.what, object.name});
    plain.AddRow({terminal::FormatBytes(object.bytes), object.name});
    bytes += object.bytes;
  }
  return (is_collection ? table : plain).ToString() + Plural(objects.size(), "object", "objects") + ", " +
         terminal::FormatBytes(bytes) + "\n";
}

Result<int> RunLs(const LsFlags& flags) {
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenStore(flags.store.uri, flags.store.profile));
  ASSIGN_OR_RETURN(std::vector<Object> objects, ListObjects(*store));
  auto collection = OpenToRead(flags.store);
  // A store without a collection, or with a damaged one, has objects all the same.
  if (collection.ok()) {
    Describe(flags.store, (*collection)->Stats(), objects);
  } else if (!flags.store.branch.empty() || !flags.store.as_of.empty()) {
    return collection.status();
  } else if (collection.status().code() != StatusCode::kNotFound) {
    PrintNote(collection.status().message());
  }
  if (objects.empty()) return Status::NotFound("there is nothing at " + store->Describe());
  if (flags.json) {
    PrintJson(ToJson(flags, objects, collection.ok()));
  } else {
    Print(Text(objects, collection.ok()));
  }
  return kExitOk;
}

Result<int> RunCp(const CpFlags& flags) {
  ASSIGN_OR_RETURN(std::string profile, ProfileLine(flags.profile));
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> from, OpenStore(flags.from, flags.profile));
  ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> to, OpenStore(flags.to, flags.profile));
  terminal::ProgressBar bar;
  uint64_t bytes = 0;
  Progress draw = bar.Callback(terminal::ProgressUnit::kBytes);
  int64_t begin_ns = NowNs();
  RETURN_IF_ERROR(CopyCollection(*from, *to, [&](std::string_view stage, uint64_t done, uint64_t total) {
    bytes = total;
    draw(stage, done, total);
  }));
  int64_t took_ns = NowNs() - begin_ns;
  bar.Clear();
  if (flags.json) {
    PrintJson({{"from", flags.from},
               {"to", flags.to},
               {"bytes", bytes},
               {"seconds", Seconds(took_ns)},
               {"profile", flags.profile}});
  } else {
    Print("copied " + terminal::FormatBytes(bytes) + " from " + flags.from + " to " + flags.to + " in " +
          terminal::FormatDuration(took_ns) + "\n" + profile + "\n");
  }
  return kExitOk;
}

}  // namespace

void AddLs(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<LsFlags>();
  CLI::App* command =
      AddCommand(tool, "ls", "List the objects of a collection, or of any store",
                 "  isotherm ls ./movies\n"
                 "  isotherm ls s3://bucket\n\n"
                 "A 'segment of others' is not of the version that is looked at: older ones need it,\n"
                 "or branches, or it was left by a crash. 'isotherm vacuum --dry-run --json' names what\n"
                 "nothing needs.\n");
  AddReadCollection(*command, flags->store);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunLs(*flags); }; });
}

void AddCp(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<CpFlags>();
  CLI::App* command =
      AddCommand(tool, "cp", "Copy a collection from one store to another",
                 "  isotherm cp ./movies s3://bucket/movies\n"
                 "  isotherm cp s3://bucket/movies file:///backup/movies\n\n"
                 "Copies what the newest version needs and nothing else. TO must hold no collection (for\n"
                 "copies that are brought up to date, see 'backup'). It\n"
                 "becomes one at the very end: a copy that was interrupted is begun again by the same\n"
                 "command.\n");
  command->add_option("FROM", flags->from, "The collection")->required();
  command->add_option("TO", flags->to, "Where it is copied to: a place without a collection")->required();
  AddProfile(*command, flags->profile);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return RunCp(*flags); }; });
}

}  // namespace isotherm::tool
