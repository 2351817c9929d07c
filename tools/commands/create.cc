#include <CLI/CLI.hpp>

#include "base/macros.h"
#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"
#include "tools/commands/session.h"

namespace isotherm::tool {

namespace {

struct Flags {
  StoreFlags store;
  SchemaFlags schema;
  bool json = false;
};

Result<int> Run(const Flags& flags) {
  Options options;
  ASSIGN_OR_RETURN(options.create, CreateOptionsOf(flags.schema));
  options.error_if_exists = true;
  ASSIGN_OR_RETURN(auto collection, OpenCollection(flags.store, options));
  CollectionStats stats = collection->Stats();
  RETURN_IF_ERROR(collection->Close());
  if (flags.json) {
    PrintJson({{"uri", flags.store.uri},
               {"dimension", stats.dimension},
               {"metric", MetricName(stats.metric)},
               {"key_type", KeyTypeName(stats.key_type)},
               {"filter_columns", stats.filter_columns},
               {"version", stats.version}});
  } else {
    Print("created " + flags.store.uri + ": dimension " + std::to_string(stats.dimension) + ", metric " +
          MetricName(stats.metric) + ", " + KeyTypeName(stats.key_type) + " keys\n");
  }
  return kExitOk;
}

}  // namespace

void AddCreate(CLI::App& tool, Chosen& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command =
      AddCommand(tool, "create", "Create an empty collection",
                 "  isotherm create ./movies --dimension 384 --metric cosine\n"
                 "  isotherm create s3://bucket/movies --dimension 768 --metric ip --key-type string \\\n"
                 "      --filter-column year --filter-column language\n");
  AddStore(*command, flags->store);
  command->add_option("--dimension", flags->schema.dimension, "How many numbers a vector has: 1 to 65536")
      ->type_name("N")
      ->required();
  AddSchema(*command, flags->schema);
  command->get_option("--metric")->required();
  command->get_option("--key-type")->default_str("int");
  AddJson(*command, flags->json);
  command->callback([&chosen, flags] { chosen.run = [flags] { return Run(*flags); }; });
}

}  // namespace isotherm::tool
