#include "tools/commands/key_flags.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "base/macros.h"
#include "tools/commands/session.h"
#include "tools/formats/line_reader.h"

namespace isotherm::tool {

void AddKeys(CLI::App& command, KeyFlags& flags) {
  command.add_option("KEY", flags.keys, "Keys, as the collection has them: integers or strings");
  command.add_option("--file", flags.file, "Keys from a file, one a line, also .gz; '-' is standard input")
      ->type_name("FILE");
}

void RequireKeys(const KeyFlags& flags) {
  if (flags.keys.empty() && flags.file.empty()) throw CLI::RequiredError("KEY or --file FILE");
}

Result<std::vector<Key>> KeysOf(const KeyFlags& flags, KeyType type) {
  ASSIGN_OR_RETURN(std::vector<Key> keys, ParseKeys(flags.keys, type));
  if (flags.file.empty()) return keys;
  ASSIGN_OR_RETURN(auto lines, formats::LineReader::Open(flags.file == "-" ? "/dev/stdin" : flags.file));
  std::string line;
  while (true) {
    ASSIGN_OR_RETURN(bool more, lines.Next(&line));
    if (!more) return keys;
    auto key = ParseKey(line, type);
    RETURN_IF_ERROR(key.status().WithContext("line " + std::to_string(lines.line_number()) + " of " + flags.file));
    keys.push_back(std::move(key).value());
  }
}

}  // namespace isotherm::tool
