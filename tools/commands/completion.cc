// Scripts by which shells complete the tool's command lines, made from the declared commands themselves.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "tools/commands/command.h"
#include "tools/commands/exit_code.h"
#include "tools/commands/flags.h"
#include "tools/commands/output.h"

namespace isotherm::tool {

namespace {

struct OptionWords {
  std::vector<std::string> names;  // "-k", "--rows"
  std::string description;
  bool takes_value = false;
  bool takes_file = false;
  std::vector<std::string> choices;
};

struct CommandWords {
  std::string name;
  std::string path;  // "bench cold"; empty for the tool itself
  std::string description;
  std::vector<OptionWords> options;
  std::vector<CommandWords> commands;
  std::vector<std::string> values;  // that its positional argument can have; empty: files
  bool place_first = false;         // a file, or another place, stands before the command below it
};

std::vector<std::string> Split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

std::string Join(const std::vector<std::string>& parts, const std::string& between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

OptionWords Describe(const CLI::Option& option) {
  OptionWords words;
  for (const std::string& name : option.get_snames()) words.names.push_back("-" + name);
  // The second form of a pair as in "--compact,!--no-compact" is among the long names.
  for (const std::string& name : option.get_lnames()) words.names.push_back("--" + name);
  words.description = option.get_description();
  words.takes_value = option.get_expected_max() > 0;
  for (const std::string& part : Split(option.get_type_name(), '|')) {
    bool stands_for_something = part.empty() || part.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ'") != std::string::npos;
    words.takes_file = words.takes_file || part.starts_with("FILE") || part == "DIRECTORY";
    if (words.takes_value && !stands_for_something) words.choices.push_back(part);
  }
  return words;
}

CommandWords Describe(const CLI::App& app, const std::string& path) {
  CommandWords words;
  words.name = app.get_name();
  words.path = path;
  words.description = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    OptionWords described = Describe(*option);
    if (option->get_positional()) {
      words.values = described.choices;
      words.place_first = described.choices.empty();
    } else {
      words.options.push_back(std::move(described));
    }
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); })) {
    words.commands.push_back(Describe(*command, path.empty() ? command->get_name() : path + " " + command->get_name()));
  }
  words.place_first = words.place_first && !words.commands.empty();
  return words;
}

template <typename Visit>
void VisitAll(const CommandWords& words, const Visit& visit) {
  visit(words);
  for (const CommandWords& command : words.commands) VisitAll(command, visit);
}

// What can stand behind the command, options aside.
std::vector<std::string> Names(const CommandWords& words) {
  std::vector<std::string> names = words.values;
  for (const CommandWords& command : words.commands) names.push_back(command.name);
  return names;
}

std::string Bash(const CommandWords& tool) {
  std::string steps, values, words;
  VisitAll(tool, [&](const CommandWords& command) {
    std::vector<std::string> flags;
    for (const CommandWords& sub : command.commands) {
      steps += "      '" + command.path + ":" + sub.name + "') path='" + sub.path + "' ;;\n";
    }
    for (const OptionWords& option : command.options) {
      flags.insert(flags.end(), option.names.begin(), option.names.end());
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      patterns.reserve(option.names.size());
      for (const std::string& name : option.names) patterns.push_back("'" + command.path + ":" + name + "'");
      std::string choices = Join(option.choices, " ");
      values += "    " + Join(patterns, "|") + ") " + (option.takes_file ? "files=yes; " : std::string()) + "words='" +
                choices + "' ;;\n";
    }
    words += "      '" + command.path + "') words='" + Join(Names(command), " ") + "'; flags='" + Join(flags, " ") +
             (command.place_first ? "'; files=yes ;;\n" : "' ;;\n");
  });
  return "# Completion of isotherm's command line for bash, printed by: isotherm completion bash\n"
         "_isotherm() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  local path='' word words='' flags='' files='' value=yes\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case \"$path:$word\" in\n" +
         steps +
         "    esac\n"
         "  done\n"
         "  case \"$path:$before\" in\n" +
         values +
         "    *) value='' ;;\n"
         "  esac\n"
         "  if [[ -z $value ]]; then\n"
         "    case \"$path\" in\n" +
         words +
         "    esac\n"
         "    if [[ $current == -* ]]; then words=$flags; elif [[ -z $words ]]; then files=yes; fi\n"
         "  fi\n"
         "  COMPREPLY=()\n"
         "  [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "  if [[ -n $files ]]; then\n"
         "    compopt -o filenames 2>/dev/null || true\n"
         "    local found\n"
         "    mapfile -t found < <(compgen -f -- \"$current\")\n"
         "    COMPREPLY+=(\"${found[@]}\")\n"
         "  fi\n"
         "}\n"
         "complete -F _isotherm isotherm\n";
}

// Inside of single quotes, with `special` characters of the completion's own language escaped.
std::string Quoted(const std::string& text, const std::string& special) {
  std::string out;
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (special.find(c) != std::string::npos) out.push_back('\\');
      out.push_back(c);
    }
  }
  return out;
}

std::string ZshFunction(const CommandWords& command) {
  std::string name = "_isotherm";
  for (const std::string& part : Split(command.path, ' ')) name += part.empty() ? "" : "_" + part;
  std::string out = name + "() {\n";
  std::string arguments;
  for (const OptionWords& option : command.options) {
    for (const std::string& flag : option.names) {
      std::string action = option.takes_file        ? "_files"
                           : option.choices.empty() ? ""
                                                    : "(" + Join(option.choices, " ") + ")";
      arguments += " \\\n    '" + flag + "[" + Quoted(option.description, "[]:\\") + "]" +
                   (option.takes_value ? ":value:" + action : std::string()) + "'";
    }
  }
  if (command.commands.empty()) {
    std::string values = command.values.empty() ? "_files" : "(" + Join(command.values, " ") + ")";
    return out + "  _arguments" + arguments + " \\\n    '*:argument:" + values + "'\n}\n";
  }
  out += "  local state line\n  local -a commands\n  commands=(\n";
  for (const CommandWords& sub : command.commands) {
    out += "    '" + sub.name + ":" + Quoted(sub.description, ":\\") + "'\n";
  }
  const std::string places = command.place_first ? "'1:argument:_files' \\\n    '2: :->command'" : "'1: :->command'";
  out += "  )\n  _arguments -C" + arguments + " \\\n    " + places +
         " \\\n    '*:: :->arguments'\n"
         "  case $state in\n"
         "    command) _describe command commands ;;\n"
         "    arguments) " +
         (command.place_first ? "shift words; (( CURRENT-- )); " : "") + "(( $+functions[" + name +
         "_$words[1]] )) && " + name +
         "_$words[1] ;;\n"
         "  esac\n}\n";
  for (const CommandWords& sub : command.commands) out += ZshFunction(sub);
  return out;
}

std::string Zsh(const CommandWords& tool) {
  return "#compdef isotherm\n"
         "# Completion of isotherm's command line for zsh, printed by: isotherm completion zsh\n" +
         ZshFunction(tool) +
         "if [[ $funcstack[1] == _isotherm ]]; then _isotherm \"$@\"; else compdef _isotherm isotherm; fi\n";
}

std::string Fish(const CommandWords& tool) {
  std::string out = "# Completion of isotherm's command line for fish, printed by: isotherm completion fish\n";
  VisitAll(tool, [&](const CommandWords& command) {
    std::string condition;
    if (command.path.empty()) {
      condition = "__fish_use_subcommand";
    } else {
      for (const std::string& part : Split(command.path, ' ')) {
        condition += (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + part);
      }
      if (!command.commands.empty()) {
        condition += "; and not __fish_seen_subcommand_from " + Join(Names(command), " ");
      }
    }
    std::string line = "complete -c isotherm -n '" + condition + "'";
    if (!command.values.empty()) out += line + " -f -a '" + Join(command.values, " ") + "'\n";
    for (const CommandWords& sub : command.commands) {
      out += line + " -f -a " + sub.name + " -d '" + Quoted(sub.description, "\\") + "'\n";
    }
    for (const OptionWords& option : command.options) {
      out += line;
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_value) out += option.takes_file ? " -r -F" : " -x";
      if (!option.choices.empty()) out += " -a '" + Join(option.choices, " ") + "'";
      out += " -d '" + Quoted(option.description, "\\") + "'\n";
    }
  });
  return out;
}

}  // namespace

void AddCompletion(CLI::App& tool, Chosen& chosen) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = AddCommand(tool, "completion", "Print a script that completes command lines in a shell",
                                 "  source <(isotherm completion bash)\n"
                                 "  isotherm completion zsh > ~/.zfunc/_isotherm\n"
                                 "  isotherm completion fish > ~/.config/fish/completions/isotherm.fish\n");
  AddChoice(*command, "SHELL", *shell, {"bash", "zsh", "fish"}, "bash, zsh or fish")->required();
  command->callback([&tool, &chosen, shell] {
    chosen.run = [&tool, shell]() -> Result<int> {
      CommandWords words = Describe(tool, "");
      Print(*shell == "bash" ? Bash(words) : *shell == "zsh" ? Zsh(words) : Fish(words));
      return kExitOk;
    };
  });
}

}  // namespace isotherm::tool
