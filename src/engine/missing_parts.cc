#include "engine/missing_parts.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "base/macros.h"

namespace isotherm {

namespace {

bool IsOfAPart(StatusCode code) {
  return code == StatusCode::kCorruption || code == StatusCode::kUnavailable || code == StatusCode::kIoError ||
         code == StatusCode::kAccessDenied;
}

}  // namespace

Status LeaveOut(std::vector<MissingPart>* missing, const std::string& object, uint64_t rows, const Status& status) {
  if (missing == nullptr || !IsOfAPart(status.code())) return status;
  bool known = std::any_of(missing->begin(), missing->end(), [&](const MissingPart& part) {
    return part.object == object && part.status.message() == status.message();
  });
  if (!known) missing->push_back({object, rows, status});
  return Status::Ok();
}

Status ReadRowsOrLeaveOut(const ReadPath& path, const SegmentSchema& schema, std::span<const RowAddress> addresses,
                          RowParts parts, const Context& context, std::span<Row> rows,
                          std::vector<MissingPart>* missing, std::vector<bool>& there) {
  there.assign(rows.size(), true);
  Status all = ReadRows(path, schema, addresses, parts, context, rows);
  if (all.ok() || missing == nullptr) return all;
  auto read_some = [&](std::span<const size_t> numbers) {
    std::vector<RowAddress> some_addresses;
    std::vector<Row> some;
    for (size_t i : numbers) {
      some_addresses.push_back(addresses[i]);
      some.push_back(std::move(rows[i]));
    }
    Status status = ReadRows(path, schema, some_addresses, parts, context, some);
    for (size_t i = 0; i < numbers.size(); ++i) rows[numbers[i]] = std::move(some[i]);
    return status;
  };
  auto leave_out = [&](std::span<const size_t> numbers, const Status& why) {
    for (size_t i : numbers) there[i] = false;
    return LeaveOut(missing, addresses[numbers[0]].segment->name, numbers.size(), why);
  };
  std::map<std::string_view, std::vector<size_t>> by_object;
  for (size_t i = 0; i < rows.size(); ++i) by_object[addresses[i].segment->name].push_back(i);
  for (const auto& [object, numbers] : by_object) {
    Status of_object = read_some(numbers);
    if (of_object.ok()) continue;
    // Damage is of single rows. Whatever else is wrong would be as wrong, and take as long, for each of them.
    if (of_object.code() != StatusCode::kCorruption) {
      RETURN_IF_ERROR(leave_out(numbers, of_object));
      continue;
    }
    for (const size_t& number : numbers) {
      Status one = read_some({&number, 1});
      if (!one.ok()) RETURN_IF_ERROR(leave_out({&number, 1}, one));
    }
  }
  return Status::Ok();
}

}  // namespace isotherm
