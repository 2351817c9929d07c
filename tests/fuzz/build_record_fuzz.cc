// Any bytes as the record of a build. What is one comes back from its encoding.
#include "engine/build_record.h"
#include "engine/compaction_job.h"
#include "tests/fuzz/sealed.h"

namespace isotherm {
namespace {

using namespace fuzz;

void Decode(std::string_view bytes) {
  auto record = DecodeBuildRecord(bytes);
  if (!record.ok()) {
    Require(record.status().code() == StatusCode::kCorruption);
    return;
  }
  Require(EncodeBuildRecord(*record) == bytes);
  Require(!record->builds.empty() && !record->inputs.empty() && record->dimension > 0);
  Require(record->codes.size() == record->scales.size() * record->dimension);
  Require(record->queries.size() == record->query_origins.size() * record->dimension);
  Require(record->keeps_cells() == record->scales.empty());
  CompactionJob::FitsMemory(*record, bytes.size());
}

}  // namespace
}  // namespace isotherm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  std::string_view bytes = fuzz::ViewOf(data, size);
  Decode(bytes);
  if (size < 12) return 0;
  std::string sealed(bytes);
  sealed.replace(0, 8, "ISOBILD1");
  fuzz::SetFixed<uint32_t>(sealed, 8, Crc32c(std::string_view(sealed).substr(12)));
  Decode(sealed);
  return 0;
}
