// Any text as a row in JSON, as the tool imports them; and what is a row comes back from its JSON unchanged.
#include "tests/fuzz/sealed.h"
#include "tools/formats/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  auto json = formats::ParseJson(fuzz::ViewOf(data, size));
  if (!json.ok()) {
    fuzz::Require(json.status().code() == StatusCode::kInvalidArgument);
    return 0;
  }
  auto parsed = formats::RowFromJson(*json);
  if (!parsed.ok()) {
    fuzz::Require(parsed.status().code() == StatusCode::kInvalidArgument);
    return 0;
  }
  auto again = formats::ParseJson(formats::DumpJson(formats::RowToJson(parsed->row)));
  fuzz::Require(again.ok());
  auto row = formats::RowFromJson(*again);
  fuzz::Require(row.ok() && row->row == parsed->row);
  return 0;
}
