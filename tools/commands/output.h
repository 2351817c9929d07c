// What the commands print on standard output.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "isotherm/metering.h"
#include "isotherm/query.h"
#include "isotherm/status.h"
#include "tools/formats/json.h"

namespace isotherm::tool {

void Print(std::string_view text);
void PrintJson(const formats::Json& json);
// On standard error, for what is no failure.
void PrintNote(std::string_view text);

// What an answer is without: a note, and a member for programs.
void PrintMissing(std::span<const MissingPart> missing);
formats::Json MissingJson(std::span<const MissingPart> missing);

// The times and requests of something, as JSON members and as words.
formats::Json CostJson(const MeterSummary& cost);
std::string CostText(const MeterSummary& cost);

// A string as it is, anything else as JSON.
std::string ValueText(const Value& value);

double Milliseconds(int64_t ns);
double Seconds(int64_t ns);
// "1 row", "2 rows", "1,000 rows".
std::string Plural(uint64_t count, const char* one, const char* many);

}  // namespace isotherm::tool
