"""Reads C++ well enough to tell code from comments and literals and to find where functions begin and end.

No parser: a scanner over characters and braces. It does not follow macros, and it takes each branch of an #if as if the
others were not there.
"""

import re

_RAW_STRING_PREFIXES = {"R", "LR", "uR", "UR", "u8R"}
_WORD = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"\.?\d(?:'?[\w.]|(?<=[eEpP])[+-])*")


def blank_comments_and_literals(text):
    """The same text, line for line and column for column, with comments and the insides of literals as spaces."""
    out = []
    i = 0

    def keep(end):
        nonlocal i
        out.append(text[i:end])
        i = end

    def blank(end):
        nonlocal i
        out.append("".join(c if c == "\n" else " " for c in text[i:end]))
        i = end

    while i < len(text):
        if text.startswith("//", i):
            blank(_end_of_line_comment(text, i))
        elif text.startswith("/*", i):
            end = text.find("*/", i + 2)
            blank(len(text) if end < 0 else end + 2)
        elif text[i] in "\"'":
            end = _end_of_literal(text, i)
            keep(i + 1)
            blank(max(i, end - 1))
            keep(end)
        elif match := _NUMBER.match(text, i):
            keep(match.end())
        elif match := _WORD.match(text, i):
            keep(match.end())
            if match.group() in _RAW_STRING_PREFIXES and text.startswith('"', i):
                opening = text.find("(", i)
                closing = ")" + text[i + 1 : opening] + '"'
                end = text.find(closing, opening)
                blank(len(text) if end < 0 else end + len(closing))
        else:
            keep(i + 1)
    return "".join(out)


def _end_of_line_comment(text, start):
    end = start
    while True:
        end = text.find("\n", end)
        if end < 0:
            return len(text)
        if text[end - 1] != "\\":
            return end
        end += 1


def _end_of_literal(text, start):
    """One past the closing quote, or the end of the line where there is none."""
    i = start + 1
    while i < len(text) and text[i] != "\n":
        if text[i] == text[start]:
            return i + 1
        i += 2 if text[i] == "\\" else 1
    return min(i, len(text))


def functions(code):
    """(name, first line, last line) of every function in blanked text; lambdas and local classes belong to theirs."""
    return _FunctionFinder().find(code)


class _FunctionFinder:
    def __init__(self):
        self.found = []
        self.open_blocks = []  # (kind, head, line of head) of each open brace; kind: scope, function, other
        self.head = ""  # what was read since the last statement or block ended
        self.head_line = 0
        self.after_body = None  # (head, line) of a function block just closed: a member initialiser's, if more follows
        self.branches = []  # the state at each open #if

    def find(self, code):
        continued = False
        for number, line in enumerate(code.split("\n"), 1):
            if continued or line.lstrip().startswith("#"):
                if not continued:
                    self._directive(line.lstrip()[1:].lstrip())
                continued = line.endswith("\\")
            else:
                for char in line + "\n":
                    self._character(char, number)
        return self.found

    def _state(self):
        return list(self.open_blocks), self.head, self.head_line, self.after_body

    def _directive(self, text):
        if text.startswith("if"):
            self.branches.append(self._state())
        elif text.startswith("el") and self.branches:
            saved = self.branches[-1]
            self.open_blocks, (self.head, self.head_line, self.after_body) = list(saved[0]), saved[1:]
        elif text.startswith("endif") and self.branches:
            self.branches.pop()

    def _inside_body(self):
        return any(kind != "scope" for kind, _, _ in self.open_blocks)

    def _character(self, char, line):
        if self.after_body is not None and not char.isspace():
            if char in ",{":
                self.head, self.head_line = self.after_body[0] + "{}", self.after_body[1]
            self.after_body = None
        if char == "{":
            kind = "other" if self._inside_body() else block_kind(self.head)
            self.open_blocks.append((kind, self.head, self.head_line or line))
            if not self._inside_body():
                self.head, self.head_line = "", 0
        elif char == "}":
            self._close(line)
        elif self._inside_body():
            return
        elif char == ";" or (char == ":" and self.head.strip() in ("public", "private", "protected")):
            self.head, self.head_line = "", 0
        else:
            if not self.head_line and not char.isspace():
                self.head_line = line
            self.head += char

    def _close(self, line):
        if not self.open_blocks:
            return
        kind, head, head_line = self.open_blocks.pop()
        if self._inside_body():
            return
        self.head, self.head_line = "", 0
        if kind == "function":
            self.found.append((_function_name(head), head_line, line))
            self.after_body = (head, head_line)
        elif kind == "other":
            self.head, self.head_line = head + "{}", head_line


def block_kind(head):
    """What the brace after `head` opens outside of any function: a scope, a function, or something else."""
    text = re.sub(r"\[\[.*?\]\]", " ", head, flags=re.DOTALL)
    text, balanced = _collapse_parentheses(text)
    text = _without_template_heads(text)
    text = re.sub(r"\b(alignas|__attribute__)\s*\(\)", " ", text).strip()
    before_arguments = text.split("()")[0]
    if re.search(r"\b(class|struct|union|enum|namespace)\b", before_arguments) or re.match(r'extern\s*"\s*"$', text):
        return "scope"
    if balanced and "()" in text and not text.endswith(("=", ",", "return")):
        return "function"
    return "other"


def _collapse_parentheses(text):
    """Every outermost (…) as (); false where they don't balance."""
    out = []
    depth = 0
    for char in text:
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                out.append("()")
        elif depth == 0:
            out.append(char)
    return "".join(out), depth == 0


def _without_template_heads(text):
    out = []
    position = 0
    for match in re.finditer(r"\btemplate\s*<", text):
        if match.start() < position:
            continue
        out.append(text[position : match.start()])
        depth, end = 1, match.end()
        while end < len(text) and depth:
            depth += {"<": 1, ">": -1}.get(text[end], 0)
            end += 1
        position = end
    out.append(text[position:])
    return "".join(out)


def _function_name(head):
    text = re.sub(r"\b(?:alignas|__attribute__)\s*\((?:[^()]|\([^()]*(?:\([^()]*\))?\))*\)", " ", head)
    text = _without_template_heads(text)
    match = re.search(r"([\w:]*operator\s*(?:\(\s*\)|[^\s(]+)|[\w:~]+)\s*\(", text)
    return match.group(1) if match else "(unnamed)"
