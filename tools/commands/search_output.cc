#include "tools/commands/search_output.h"

#include <algorithm>

#include "tools/commands/output.h"
#include "tools/terminal/table.h"
#include "tools/terminal/units.h"

namespace isotherm::tool {

namespace {

using formats::Json;
using formats::JsonOf;
using terminal::FormatNumber;

std::string DistanceText(float distance) { return formats::DumpJson(JsonOf(distance)); }

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool HasMore(const Hit& hit, const std::vector<std::string>& columns) {
  return std::any_of(hit.metadata.begin(), hit.metadata.end(),
                     [&](const auto& f) { return !Contains(columns, f.first); });
}

std::string HitFields(const SearchResult& result) {
  std::string text;
  for (size_t i = 0; i < result.hits.size(); ++i) {
    const Hit& hit = result.hits[i];
    text += std::to_string(i + 1) + ".  key " + hit.key.ToString() + "  distance " + DistanceText(hit.distance) + "\n";
    std::vector<std::pair<std::string, std::string>> fields;
    for (const auto& [name, value] : hit.metadata) fields.emplace_back("    " + name, ValueText(value));
    if (!hit.payload.empty()) fields.emplace_back("    (payload)", hit.payload);
    text += terminal::Fields(fields);
  }
  return text;
}

Json ExplainJson(const Explain& explain) {
  return {{"version", explain.version},
          {"cells", explain.cells},
          {"cells_probed", explain.cells_probed},
          {"codes_evaluated", explain.codes_evaluated},
          {"distances_exact", explain.distances_exact},
          {"extents_from_ram", explain.extents_from_ram},
          {"extents_from_disk", explain.extents_from_disk},
          {"extents_from_store", explain.extents_from_store},
          {"bytes_from_ram", explain.bytes_from_ram},
          {"bytes_from_disk", explain.bytes_from_disk},
          {"store", CostJson(explain.store)},
          {"plan_us", static_cast<double>(explain.plan_ns) / 1e3},
          {"fetch_us", static_cast<double>(explain.fetch_ns) / 1e3},
          {"score_us", static_cast<double>(explain.score_ns) / 1e3},
          {"rerank_us", static_cast<double>(explain.rerank_ns) / 1e3}};
}

Json HitJson(const Hit& hit) {
  Row row{hit.key, hit.vector, hit.metadata, hit.payload};
  Json json = formats::RowToJson(row);
  // Behind the key, where it is looked for.
  Json out = {{"key", json["key"]}, {"distance", JsonOf(hit.distance)}};
  for (const auto& [name, value] : json.items()) {
    if (name != "key") out[name] = value;
  }
  return out;
}

}  // namespace

std::string HitText(const SearchResult& result, const std::vector<std::string>& filter_columns, size_t width) {
  bool payload = false;
  for (const Hit& hit : result.hits) {
    if (HasMore(hit, filter_columns)) return HitFields(result);
    payload = payload || !hit.payload.empty();
  }
  std::vector<terminal::Column> columns = {
      {"rank", terminal::Align::kRight}, {"key", terminal::Align::kRight}, {"distance"}};
  for (const std::string& name : filter_columns) columns.push_back({name});
  if (payload) columns.push_back({"payload"});
  terminal::Table table(std::move(columns));
  for (size_t i = 0; i < result.hits.size(); ++i) {
    const Hit& hit = result.hits[i];
    std::vector<std::string> cells = {std::to_string(i + 1), hit.key.ToString(), DistanceText(hit.distance)};
    for (const std::string& name : filter_columns) {
      auto field = hit.metadata.find(name);
      cells.push_back(field == hit.metadata.end() ? "" : ValueText(field->second));
    }
    if (payload) cells.push_back(hit.payload);
    table.AddRow(std::move(cells));
  }
  return table.ToString(width);
}

std::string HitLines(const Answers& answers, const Queries& queries, size_t limit) {
  std::string text;
  size_t shown = std::min(limit, answers.results.size());
  for (size_t q = 0; q < shown; ++q) {
    text += "query " + std::to_string(queries.first_row + q) + ":";
    for (const Hit& hit : answers.results[q].hits)
      text += "  " + hit.key.ToString() + " (" + FormatNumber(hit.distance) + ")";
    text += "\n";
  }
  if (shown < answers.results.size()) {
    text += "… and " + Plural(answers.results.size() - shown, "query", "queries") +
            " more: --json prints them all, --out FILE.npy keeps their keys\n";
  }
  return text;
}

std::string SummaryText(const Answers& answers, const std::string& profile_line) {
  size_t count = answers.results.size();
  std::string text = Plural(count, "query", "queries") + " in " + terminal::FormatDuration(answers.search_ns);
  if (count > 1) text += " (" + FormatNumber(static_cast<double>(count) / Seconds(answers.search_ns)) + " a second)";
  text += ", opened in " + terminal::FormatDuration(answers.open_ns) + "; " + CostText(answers.cost) + "\n";
  if (answers.recall) {
    text += "recall@" + std::to_string(answers.k) + " " +
            formats::DumpJson(JsonOf(static_cast<float>(*answers.recall))) + "\n";
  }
  return text + profile_line + "\n";
}

std::string ExplainText(std::span<const SearchResult> results) {
  auto mean = [&](auto&& of) {
    double sum = 0;
    for (const SearchResult& result : results) sum += static_cast<double>(of(result.explain));
    return sum / static_cast<double>(results.size());
  };
  auto number = [&](auto&& of) { return FormatNumber(mean(of)); };
  auto time = [&](auto&& of) { return terminal::FormatDuration(static_cast<int64_t>(mean(of))); };
  std::string title = results.size() == 1 ? "what it took" : "what a query took, at the mean";
  return title + ":\n" +
         terminal::Fields({
             {"  cells looked into", number([](const Explain& e) { return e.cells_probed; }) + " of " +
                                         terminal::FormatCount(results.front().explain.cells)},
             {"  rows compared by code", number([](const Explain& e) { return e.codes_evaluated; })},
             {"  rows compared by vector", number([](const Explain& e) { return e.distances_exact; })},
             {"  extents", number([](const Explain& e) { return e.extents_from_ram; }) + " from RAM, " +
                               number([](const Explain& e) { return e.extents_from_disk; }) + " from the disk cache, " +
                               number([](const Explain& e) { return e.extents_from_store; }) + " from the store"},
             {"  time", time([](const Explain& e) { return e.plan_ns; }) + " planning, " +
                            time([](const Explain& e) { return e.fetch_ns; }) + " fetching, " +
                            time([](const Explain& e) { return e.score_ns; }) + " comparing, " +
                            time([](const Explain& e) { return e.rerank_ns; }) + " completing"},
             {"  price",
              terminal::FormatUsd(mean([](const Explain& e) { return e.price_usd; })) + " at S3's list prices"},
         });
}

Json AnswersJson(const Answers& answers, const Queries& queries, bool explain) {
  Json list = Json::array();
  for (size_t q = 0; q < answers.results.size(); ++q) {
    Json hits = Json::array();
    for (const Hit& hit : answers.results[q].hits) hits.push_back(HitJson(hit));
    Json one = {{"query", queries.first_row + q}, {"hits", std::move(hits)}};
    if (explain) one["explain"] = ExplainJson(answers.results[q].explain);
    list.push_back(std::move(one));
  }
  Json json = {{"k", answers.k},
               {"open_ms", Milliseconds(answers.open_ns)},
               {"search_ms", Milliseconds(answers.search_ns)},
               {"cost", CostJson(answers.cost)}};
  if (answers.recall) json["recall"] = *answers.recall;
  if (!answers.missing.empty()) json["missing"] = MissingJson(answers.missing);
  json["queries"] = std::move(list);
  return json;
}

}  // namespace isotherm::tool
