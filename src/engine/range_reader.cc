#include "engine/range_reader.h"

#include <algorithm>
#include <numeric>

namespace isotherm {

namespace {

constexpr uint64_t kMaxRequestBytes = 8 << 20;
constexpr uint64_t kMaxKeptBytes = 1 << 20;
// Blocks of segments are known to the cache by object and offset alone; these are told apart by the scope.
constexpr std::string_view kScope = "ranges";

struct Request {
  const std::string* object;
  uint64_t begin;
  uint64_t end;
};

bool TakeFromCache(BlockCache& cache, const ObjectRange& range, RangeReads& out, size_t i) {
  PinnedBlock block = cache.Lookup(BlockKey::Of(kScope, range.object, range.offset));
  if (!block.valid() || block.bytes().size() != range.length) return false;
  out.ranges[i] = {Status::Ok(), block.bytes(), true, 0};
  out.blocks.push_back(std::move(block));
  return true;
}

}  // namespace

void KeepRange(BlockCache& cache, const ObjectRange& range, const RangeRead& read) {
  if (read.cached || range.length == 0 || range.length > kMaxKeptBytes || read.clears != cache.clears()) return;
  cache.Insert(BlockKey::Of(kScope, range.object, range.offset), PinnedBlock::Copy(read.bytes));
}

RangeReads ReadRanges(BlobStore& store, const Context& context, std::span<const ObjectRange> wanted,
                      uint64_t max_gap_bytes, BlockCache* cache) {
  RangeReads out;
  out.ranges.resize(wanted.size());
  for (RangeRead& range : out.ranges) range.clears = cache != nullptr ? cache->clears() : 0;
  std::vector<size_t> order;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].length == 0 || (cache != nullptr && TakeFromCache(*cache, wanted[i], out, i))) continue;
    order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return wanted[a].object != wanted[b].object ? wanted[a].object < wanted[b].object
                                                : wanted[a].offset < wanted[b].offset;
  });
  std::vector<Request> requests;
  std::vector<size_t> request_of(wanted.size(), 0);
  for (size_t i : order) {
    const ObjectRange& range = wanted[i];
    uint64_t end = range.offset + range.length;
    bool joins = !requests.empty() && *requests.back().object == range.object &&
                 range.offset <= requests.back().end + max_gap_bytes && end - requests.back().begin <= kMaxRequestBytes;
    if (!joins) requests.push_back({&range.object, range.offset, end});
    requests.back().end = std::max(requests.back().end, end);
    request_of[i] = requests.size() - 1;
  }

  if (requests.empty()) return out;
  std::vector<ReadRequest> reads;
  for (const Request& request : requests) {
    reads.push_back({*request.object, ByteRange{request.begin, request.end - request.begin}, {}});
  }
  std::vector<ReadResult> results = store.Read(context, reads);
  std::vector<Status> failures(results.size());
  for (size_t r = 0; r < results.size(); ++r) {
    StatusCode code = results[r].status.code();
    // The head says that these bytes are there.
    bool absent = code == StatusCode::kNotFound || code == StatusCode::kInvalidArgument;
    failures[r] =
        absent ? Status::Corruption(*requests[r].object + ": " + results[r].status.message()) : results[r].status;
    out.buffers.push_back(std::move(results[r].data));
  }
  for (size_t i : order) {
    size_t r = request_of[i];
    uint64_t begin = wanted[i].offset - requests[r].begin;
    if (!failures[r].ok()) {
      out.ranges[i].status = failures[r];
    } else if (begin + wanted[i].length > out.buffers[r].size()) {
      out.ranges[i].status =
          Status::Corruption(wanted[i].object + ": truncated; bytes " + std::to_string(wanted[i].offset) + " to " +
                             std::to_string(wanted[i].offset + wanted[i].length) + " are missing");
    } else {
      out.ranges[i].bytes = std::string_view(out.buffers[r]).substr(begin, wanted[i].length);
    }
  }
  return out;
}

}  // namespace isotherm
