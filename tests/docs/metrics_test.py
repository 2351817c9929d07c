#!/usr/bin/env python3
"""docs/metrics.md against the tables in the headers."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/metrics.md"


def metrics(header):
    """(name, kind, unit, values of the label, meaning) of each metric."""
    table = re.search(r"kMetrics\[\] = \{(.*?)\n\};", header, re.DOTALL).group(1)
    found = re.findall(r'\{k\w+,\s*k(\w+),\s*"(\w+)",\s*"(\w*)",\s*k(\w+),\s*"([^"]*)"\}', table)
    if len(found) != len(re.findall(r"\{k\w+,", table)):
        raise AssertionError("an entry of kMetrics does not look like the others")
    return [(name, kind.lower(), unit, label, meaning) for kind, name, unit, label, meaning in found]


def event_kinds(source):
    return re.findall(r'case EventKind::k\w+: return "(\w+)";', source)


def memory_uses(header):
    values = re.search(r"kUseValues\[\] = \{(.*?)\};", header, re.DOTALL).group(1)
    return re.findall(r'"(\w+)"', values)


def label_name(header, label):
    named = re.search(r'MetricLabel k' + label + r'\{"(\w+)"', header)
    return named.group(1) if named else ""


def rows(page, heading):
    """The cells of the tables of one section."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE).group(1)
    lines = [line for line in section.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if set(line) - set("|- ")][1:]


def faults(page, names_header, events_source):
    """What is wrong with the page, one text each."""
    expected = {f"`{name}`": (kind, unit, label_name(names_header, label), meaning)
                for name, kind, unit, label, meaning in metrics(names_header)}
    found = {}
    for cells in rows(page, "Metrics"):
        name, kind, unit, label, meaning = cells if len(cells) == 5 else (cells[0], "", "", "", "")
        label = re.match(r"`(\w+)`: |$", label)
        found[name] = (kind, unit, (label.group(1) or "") if label else "?", meaning)
    wrong = [f"{PAGE} has nothing of {name}" for name in sorted(expected.keys() - found.keys())]
    wrong += [f"{PAGE}: there is no metric {name}" for name in sorted(found.keys() - expected.keys())]
    wrong += [f"{PAGE}: {name} is {expected[name]}, not {found[name]}"
              for name in sorted(expected.keys() & found.keys()) if expected[name] != found[name]]
    for heading, names in (("Memory", memory_uses(names_header)), ("Events", event_kinds(events_source))):
        first_cells = re.findall(r"`(\w+)`", " ".join(cells[0] for cells in rows(page, heading)))
        wrong += [f"{PAGE}, {heading}: {name}" for name in sorted(set(names) ^ set(first_cells))]
    return wrong


class MetricsPage(unittest.TestCase):
    def setUp(self):
        self.names = Path(ROOT, "include/isotherm/metric_names.h").read_text()
        self.events = Path(ROOT, "src/base/events.cc").read_text()
        self.page = Path(ROOT, PAGE).read_text()

    def test_the_page_names_all_metrics_uses_and_events_as_they_are(self):
        self.assertGreater(len(metrics(self.names)), 30)
        self.assertGreater(len(event_kinds(self.events)), 10)
        self.assertEqual([], faults(self.page, self.names, self.events))

    def test_a_wrong_page_is_found_out(self):
        line = next(line for line in self.page.split("\n") if line.startswith("| `isotherm_cache_hits_total`"))
        for wrong in (self.page.replace(line + "\n", ""),
                      self.page.replace(line, line.replace("hits", "hit")),
                      self.page.replace(line, line.replace("counter", "gauge")),
                      self.page.replace(line, line.replace("`tier`", "`kind`")),
                      self.page.replace("| `vacuum` |", "| `sweep` |"),
                      self.page.replace("| `build` |", "| `builds` |")):
            self.assertTrue(faults(wrong, self.names, self.events), wrong)


if __name__ == "__main__":
    unittest.main(verbosity=1)
