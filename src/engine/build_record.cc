#include "engine/build_record.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/macros.h"
#include "isotherm/blob_store.h"

namespace isotherm {

namespace {

constexpr std::string_view kMagic = "ISOBILD1";
constexpr size_t kSha256HexBytes = 64;

template <typename T>
void PutArray(std::string& out, const std::vector<T>& values) {
  out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <typename T>
std::vector<T> GetArray(Decoder& in, uint64_t count) {
  std::string_view bytes = in.Raw(count * sizeof(T));
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

bool AllFinite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

void PutInputs(std::string& out, const std::vector<BuildRecord::Input>& inputs) {
  PutFixed<uint32_t>(out, static_cast<uint32_t>(inputs.size()));
  for (const BuildRecord::Input& input : inputs) {
    PutBytes(out, input.name);
    PutBytes(out, input.dropped.Encode());
  }
}

Status GetInputs(Decoder& in, std::vector<BuildRecord::Input>& inputs) {
  auto count = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    BuildRecord::Input input;
    input.name = in.Bytes();
    std::string_view dropped = in.Bytes();
    if (!in.ok()) break;
    if (!ValidateObjectName(input.name).ok()) in.Fail();
    ASSIGN_OR_RETURN(input.dropped, OrdinalSet::Decode(dropped));
    inputs.push_back(std::move(input));
  }
  if (inputs.empty()) in.Fail();
  return Status::Ok();
}

void PutCells(std::string& out, const BuildRecord& record) {
  PutBytes(out, record.routing_sha256_hex);
  PutFixed<uint32_t>(out, record.dimension);
  PutFixed<uint32_t>(out, static_cast<uint32_t>(record.scales.size()));
  PutArray(out, record.scales);
  PutArray(out, record.codes);
  PutFixed<uint32_t>(out, static_cast<uint32_t>(record.query_origins.size()));
  PutArray(out, record.query_origins);
  PutArray(out, record.queries);
}

void GetCells(Decoder& in, BuildRecord& record) {
  record.routing_sha256_hex = in.Bytes();
  record.dimension = in.Fixed<uint32_t>();
  if (record.dimension == 0 || record.dimension > kMaxDimension) in.Fail();
  uint64_t cells = in.Fixed<uint32_t>();
  record.scales = GetArray<float>(in, cells);
  record.codes = GetArray<int8_t>(in, cells * record.dimension);
  uint64_t queries = in.Fixed<uint32_t>();
  record.query_origins = GetArray<uint64_t>(in, queries);
  record.queries = GetArray<float>(in, queries * record.dimension);
  if (!AllFinite(record.scales) || !AllFinite(record.queries)) in.Fail();
  if (record.keeps_cells() ? cells != 0 || queries != 0 : cells == 0) in.Fail();
  if (record.keeps_cells() && record.routing_sha256_hex.size() != kSha256HexBytes) in.Fail();
}

}  // namespace

std::string EncodeBuildRecord(const BuildRecord& record) {
  std::string body;
  auto put_nonce = [&](const Nonce& nonce) {
    for (uint64_t half : nonce) PutFixed<uint64_t>(body, half);
  };
  put_nonce(record.collection);
  PutFixed<uint32_t>(body, static_cast<uint32_t>(record.builds.size()));
  for (const Nonce& build : record.builds) put_nonce(build);
  PutInputs(body, record.inputs);
  PutFixed<int64_t>(body, record.now_ms);
  PutFixed<uint8_t>(body, record.keep_cells ? 1 : 0);
  PutFixed<uint32_t>(body, record.cells);
  PutFixed<uint64_t>(body, record.min_rows_for_cells);
  PutFixed<uint64_t>(body, record.max_object_bytes);
  PutFixed<uint64_t>(body, record.seed);
  PutFixed<uint64_t>(body, record.key_bytes);
  PutCells(body, record);
  std::string out(kMagic);
  PutFixed<uint32_t>(out, Crc32c(body));
  return out += body;
}

Result<BuildRecord> DecodeBuildRecord(std::string_view bytes) {
  Decoder in(bytes);
  if (in.Raw(kMagic.size()) != kMagic) return Status::Corruption("record of a build: wrong magic number");
  auto crc = in.Fixed<uint32_t>();
  if (!in.ok() || Crc32c(bytes.substr(bytes.size() - in.remaining())) != crc) {
    return Status::Corruption("record of a build: does not match its crc32c");
  }
  auto get_nonce = [&] {
    Nonce nonce;
    for (uint64_t& half : nonce) half = in.Fixed<uint64_t>();
    return nonce;
  };
  BuildRecord record;
  record.collection = get_nonce();
  auto builds = in.Fixed<uint32_t>();
  for (uint32_t i = 0; i < builds && in.ok(); ++i) record.builds.push_back(get_nonce());
  if (record.builds.empty()) in.Fail();
  RETURN_IF_ERROR(GetInputs(in, record.inputs).WithContext("record of a build"));
  record.now_ms = in.Fixed<int64_t>();
  auto keep_cells = in.Fixed<uint8_t>();
  if (keep_cells > 1) in.Fail();
  record.keep_cells = keep_cells == 1;
  record.cells = in.Fixed<uint32_t>();
  record.min_rows_for_cells = in.Fixed<uint64_t>();
  record.max_object_bytes = in.Fixed<uint64_t>();
  record.seed = in.Fixed<uint64_t>();
  record.key_bytes = in.Fixed<uint64_t>();
  GetCells(in, record);
  if (!in.done()) return Status::Corruption("record of a build: malformed");
  return record;
}

}  // namespace isotherm
