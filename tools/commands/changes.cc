// delete, undelete and set: changes of rows by key.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/key_flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"
#include "tools/terminal/progress_bar.h"

namespace isotherm::tool {

namespace {

constexpr size_t kKeysAtOnce = 10'000;

struct ChangeFlags {
  StoreFlags store;
  KeyFlags keys;
  uint64_t if_version = 0;
  bool soft = false;
  bool json = false;
};

struct SetFlags {
  StoreFlags store;
  std::string key;
  std::vector<std::string> fields;
  std::vector<std::string> remove;
  uint64_t if_version = 0;
  bool json = false;
};

// Each key once.
void DropRepetitions(std::vector<Key>& keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

// How many of the keys have a row. What `change` adds for each key becomes one version.
template <typename Change>
Result<uint64_t> ChangeKeys(Collection& collection, std::span<const Key> keys, const char* stage,
                            const Change& change) {
  terminal::ProgressBar bar;
  bar.Begin(stage, keys.size());
  uint64_t there = 0;
  for (size_t begin = 0; begin < keys.size(); begin += kKeysAtOnce) {
    auto some = keys.subspan(begin, std::min(kKeysAtOnce, keys.size() - begin));
    ASSIGN_OR_RETURN(std::vector<bool> contained, collection.Contains(some));
    there += static_cast<uint64_t>(std::count(contained.begin(), contained.end(), true));
    WriteBatch batch;
    for (const Key& key : some) change(batch, key);
    RETURN_IF_ERROR(collection.Write(std::move(batch)));
    bar.Update(begin + some.size());
  }
  RETURN_IF_ERROR(CommitSettled(collection));
  return there;
}

Result<int> RunDelete(const ChangeFlags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, OptionsToWrite()));
  ASSIGN_OR_RETURN(std::vector<Key> keys, KeysOf(flags.keys, collection->Stats().key_type));
  DropRepetitions(keys);
  ASSIGN_OR_RETURN(uint64_t there, ChangeKeys(*collection, keys, "deleting", [&](WriteBatch& batch, const Key& key) {
                     if (flags.soft) {
                       batch.SoftDelete(key, flags.if_version);
                     } else {
                       batch.Delete(key, flags.if_version);
                     }
                   }));
  CollectionStats stats = collection->Stats();
  RETURN_IF_ERROR(collection->Close());
  const uint64_t absent = keys.size() - there;
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"rows_deleted", there},
               {"keys_without_row", absent},
               {"soft", flags.soft},
               {"rows", stats.rows},
               {"version", stats.version}});
    return kExitOk;
  }
  Print(std::string(flags.soft ? "softly deleted " : "deleted ") + Plural(there, "row", "rows") +
        (absent == 0 ? "" : ", " + Plural(absent, "key has", "keys have") + " no row") + "\n" + flags.store.uri +
        " has " + Plural(stats.rows, "row", "rows") + " at version " + std::to_string(stats.version) + "\n");
  return kExitOk;
}

Result<int> RunUndelete(const ChangeFlags& flags) {
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, OptionsToWrite()));
  ASSIGN_OR_RETURN(std::vector<Key> keys, KeysOf(flags.keys, collection->Stats().key_type));
  DropRepetitions(keys);
  ASSIGN_OR_RETURN(uint64_t there, ChangeKeys(*collection, keys, "bringing back",
                                              [](WriteBatch& batch, const Key& key) { batch.Restore(key); }));
  CollectionStats stats = collection->Stats();
  RETURN_IF_ERROR(collection->Close());
  const uint64_t restored = keys.size() - there;
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"rows_restored", restored},
               {"rows_not_deleted", there},
               {"rows", stats.rows},
               {"version", stats.version}});
    return kExitOk;
  }
  Print("brought back " + Plural(restored, "row", "rows") +
        (there == 0 ? "" : ", " + Plural(there, "was", "were") + " not deleted") + "\n" + flags.store.uri + " has " +
        Plural(stats.rows, "row", "rows") + " at version " + std::to_string(stats.version) + "\n");
  return kExitOk;
}

Result<MetadataPatch> PatchOf(const SetFlags& flags) {
  MetadataPatch patch;
  patch.remove = flags.remove;
  for (const std::string& field : flags.fields) {
    size_t equals = field.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Status::InvalidArgument("--field " + field + ": wanted is name=value, the value as JSON");
    }
    const std::string name = field.substr(0, equals);
    const std::string text = field.substr(equals + 1);
    auto value = formats::ParseJson(text);
    if (!value.ok()) {
      return Status::InvalidArgument("--field " + field + ": the value is " + value.status().message() +
                                     "; a text stands in quotes: '" + name + "=\"" + text + "\"'");
    }
    RETURN_IF_ERROR(
        formats::AddMetadata({{name, std::move(value).value()}}, patch.set).WithContext("--field " + field));
  }
  return patch;
}

Result<int> RunSet(const SetFlags& flags) {
  ASSIGN_OR_RETURN(MetadataPatch patch, PatchOf(flags));
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, OptionsToWrite()));
  ASSIGN_OR_RETURN(Key key, ParseKey(flags.key, collection->Stats().key_type));
  RETURN_IF_ERROR(collection->Write(WriteBatch().Patch(key, std::move(patch), flags.if_version)));
  RETURN_IF_ERROR(CommitSettled(*collection));
  ASSIGN_OR_RETURN(Row row, collection->Get(key));
  RETURN_IF_ERROR(collection->Close());
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"key", formats::JsonOf(row.key)},
               {"metadata", formats::JsonOf(row.metadata)},
               {formats::kRowVersionMember, row.version}});
  } else {
    Print("row " + key.ToString() + " has version " + std::to_string(row.version) + "\n");
  }
  return kExitOk;
}

void AddIfVersion(CLI::App& command, uint64_t& if_version) {
  command
      .add_option("--if-version", if_version,
                  "Only if the row still has this version, as 'get' shows it; else exit code 7")
      ->type_name("N")
      ->check(CLI::PositiveNumber.description(""));
}

}  // namespace

void AddDelete(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<ChangeFlags>();
  CLI::App* command = AddCommand(tool, "delete", "Delete rows by key",
                                 "  isotherm delete ./movies 17 18\n"
                                 "  isotherm delete ./movies --file keys.txt --soft\n"
                                 "  isotherm delete ./movies 17 --if-version 12\n\n"
                                 "All of them are one version, unless they are so many that memory is short. Keys\n"
                                 "without a row are counted and no error. What was deleted can be read --as-of an\n"
                                 "earlier version until a vacuum removes that.\n");
  AddCollection(*command, flags->store);
  AddKeys(*command, flags->keys);
  command->add_flag("--soft", flags->soft, "So that 'undelete' can bring the rows back until the next vacuum");
  AddIfVersion(*command, flags->if_version);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] {
    RequireKeys(flags->keys);
    if (flags->if_version != 0 && (flags->keys.keys.size() != 1 || !flags->keys.file.empty())) {
      throw CLI::ValidationError("--if-version", "goes with one key");
    }
    chosen.run = [flags] { return RunDelete(*flags); };
  });
}

void AddUndelete(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<ChangeFlags>();
  CLI::App* command =
      AddCommand(tool, "undelete", "Bring softly deleted rows back",
                 "  isotherm undelete ./movies 17 18\n"
                 "  isotherm scan ./movies --soft-deleted --no-vector    what there is to bring back\n\n"
                 "All of them or none: a key without a softly deleted row is an error, with exit\n"
                 "code 4. Rows that are not deleted stay as they are.\n");
  AddCollection(*command, flags->store);
  AddKeys(*command, flags->keys);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] {
    RequireKeys(flags->keys);
    chosen.run = [flags] { return RunUndelete(*flags); };
  });
}

void AddSet(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<SetFlags>();
  CLI::App* command =
      AddCommand(tool, "set", "Change fields of a row's metadata",
                 "  isotherm set ./movies 17 --field year=1994 --field 'title=\"Chungking Express\"'\n"
                 "  isotherm set ./movies 17 --field 'tags=[\"a\", \"b\"]' --remove draft\n"
                 "  isotherm set ./movies 17 --field seen=true --if-version 12\n\n"
                 "The other fields, vector, payload and expiry stay. An object's fields get names with dots.\n");
  AddCollection(*command, flags->store);
  command->add_option("KEY", flags->key, "The row's key")->required();
  command->add_option("--field", flags->fields, "A field and its value as JSON; may be given several times")
      ->type_name("NAME=JSON")
      ->allow_extra_args(false);
  command->add_option("--remove", flags->remove, "A field to be removed; may be given several times")
      ->type_name("NAME")
      ->allow_extra_args(false);
  AddIfVersion(*command, flags->if_version);
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] {
    if (flags->fields.empty() && flags->remove.empty()) throw CLI::RequiredError("--field NAME=JSON or --remove NAME");
    chosen.run = [flags] { return RunSet(*flags); };
  });
}

}  // namespace isotherm::tool
