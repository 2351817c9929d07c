#include "excerpt.h"

#include <stdexcept>
#include <utility>

#include "errors.h"
#include "tools/formats/json.h"
#include "tools/formats/line_reader.h"
#include "tools/formats/npy.h"

namespace cloud_tiered {

namespace {

using isotherm::formats::Json;
using isotherm::formats::LineReader;
using isotherm::formats::NpyReader;

std::vector<Json> ReadJsonLines(const std::string& path) {
  LineReader reader = Take(LineReader::Open(path));
  std::vector<Json> objects;
  for (std::string line; Take(reader.Next(&line));) objects.push_back(Take(isotherm::formats::ParseJson(line)));
  return objects;
}

std::string Joined(const Json& words) {
  std::string text;
  for (const Json& word : words) text += (text.empty() ? "" : ", ") + word.get<std::string>();
  return text;
}

// The fields that a filter would ask for and the words are metadata; the definition is what the row is about.
isotherm::Row MakeRow(uint64_t number, const Json& text, std::vector<float> vector) {
  isotherm::Metadata metadata = {{"id", text.at("id").get<std::string>()},
                                 {"lemmas", Joined(text.at("lemmas"))},
                                 {"pos", text.at("pos").get<std::string>()},
                                 {"lexfile", text.at("lexfile").get<std::string>()},
                                 {"freq", text.at("freq").get<int64_t>()}};
  return {number, std::move(vector), std::move(metadata), text.at("definition").get<std::string>()};
}

void RequireRows(const std::string& path, size_t rows, size_t wanted) {
  if (rows == wanted) return;
  throw std::runtime_error(path + " has " + std::to_string(rows) + " rows; the file that goes with it has " +
                           std::to_string(wanted));
}

}  // namespace

Excerpt LoadExcerpt(const std::string& folder) {
  Excerpt excerpt;
  std::vector<Json> texts = ReadJsonLines(folder + "/texts.jsonl.gz");
  NpyReader vectors = Take(NpyReader::Open(folder + "/vectors.f16.npy"));
  RequireRows(folder + "/texts.jsonl.gz", texts.size(), vectors.rows());
  excerpt.dimension = static_cast<uint32_t>(vectors.columns());
  for (size_t i = 0; i < texts.size(); ++i) {
    excerpt.rows.push_back(MakeRow(i, texts[i], Take(vectors.ReadFloats(i, 1))));
  }

  for (const Json& question : ReadJsonLines(folder + "/queries.jsonl")) {
    excerpt.questions.push_back(question.at("text").get<std::string>());
  }
  NpyReader queries = Take(NpyReader::Open(folder + "/queries.f16.npy"));
  RequireRows(folder + "/queries.jsonl", excerpt.questions.size(), queries.rows());
  excerpt.question_vectors = Take(queries.ReadFloats(0, queries.rows()));
  NpyReader nearest = Take(NpyReader::Open(folder + "/groundtruth.npy"));
  RequireRows(folder + "/groundtruth.npy", nearest.rows(), queries.rows());
  excerpt.nearest_count = nearest.columns();
  excerpt.nearest = Take(nearest.ReadIntegers(0, nearest.rows()));
  return excerpt;
}

}  // namespace cloud_tiered
