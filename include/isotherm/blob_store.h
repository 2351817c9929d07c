// The one contract that memory, a local directory, S3 and a user's own store all keep. tests/blob/conformance.h is its
// suite; a store of your own should pass it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isotherm/context.h"
#include "isotherm/status.h"

namespace isotherm {

// Names are non-empty UTF-8 of at most 1,024 bytes, '/' separated, without empty, "." or ".." parts and without control
// characters.
Status ValidateObjectName(std::string_view name);

struct ByteRange {
  uint64_t offset = 0;
  uint64_t length = 0;  // > 0
};

struct ReadRequest {
  std::string name;
  std::optional<ByteRange> range;  // absent: the whole object
  std::string if_match;            // not empty: kConflict unless the object's etag is this one
};

struct ReadResult {
  Status status;
  // The bytes asked for. A range that begins inside the object and reaches past its end gives what there is; one that
  // begins at or past the end is kInvalidArgument.
  std::string data;
  std::string etag;          // always set on ok when the whole object was asked for; may be empty for a range
  uint64_t object_size = 0;  // set on ok
  int64_t start_ns = 0;      // monotonic clock: when this request was sent, and when its last byte was there
  int64_t end_ns = 0;
};

enum class PutMode : uint8_t {
  kOverwrite,
  kIfAbsent,  // kConflict when the object exists
  kIfMatch,   // kConflict when the etag differs or the object is missing
};

struct PutCondition {
  PutMode mode = PutMode::kOverwrite;
  std::string etag;  // for kIfMatch

  static PutCondition Overwrite() { return {}; }
  static PutCondition IfAbsent() { return {PutMode::kIfAbsent, {}}; }
  static PutCondition IfMatch(std::string etag) { return {PutMode::kIfMatch, std::move(etag)}; }
};

struct PutRequest {
  std::string name;
  std::string_view bytes;
  // Sent so many times at once, and the first good answer counts: whoever waits for the slowest of several requests
  // waits less long. Each is paid for. A store without a network sends it once.
  uint32_t copies = 1;
  PutCondition condition{};
};

struct PutResult {
  Status status;  // as Put's
  std::string etag;
  // On the environment's monotonic clock; 0 where the store does not tell.
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t requests = 1;  // that were sent for it
};

struct ListEntry {
  std::string name;
  uint64_t size = 0;
};

struct ListPage {
  std::vector<ListEntry> entries;  // ascending by the bytes of name
  bool more = false;               // ask again with start_after = entries.back().name
};

// An object written in pieces (multipart on S3, a temporary file on a disk). Nothing is visible before Finish returns
// ok; destroying it unfinished removes what was written, as far as the store can be reached. One thread at a time.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual Status Append(std::string_view bytes) = 0;
  // Publishes the object unconditionally and durably; returns its etag.
  virtual Result<std::string> Finish() = 0;
};

// Thread-safe: any call from any thread at any time. Not fork-safe: a child must open a store of its own.
//
// Durability: when Put or Finish has returned ok, the object survives a crash of the process and a loss of power as far
// as the store itself does (the local store fsyncs file and directory).
// Atomicity: a reader sees an object whole or not at all, and of an overwritten one the old or the new bytes.
// Failure: kUnavailable, kDeadlineExceeded, kCancelled and kUnknown from a Put mean that it may or may not have
// happened, and that it may still happen later; any other code means that it did not.
class BlobStore {
 public:
  virtual ~BlobStore() = default;

  // All requests in parallel; results[i] answers requests[i]. Never throws away the good ones for a bad one.
  virtual std::vector<ReadResult> Read(const Context& context, std::span<const ReadRequest> requests) = 0;

  // Returns the new object's etag: an opaque text that differs when the content does.
  virtual Result<std::string> Put(const Context& context, std::string_view name, std::string_view bytes,
                                  const PutCondition& condition = {}) = 0;

  // In parallel where the store can do that; results[i] answers requests[i]. Unless a store says otherwise, one after
  // the other.
  virtual std::vector<PutResult> PutAll(const Context& context, std::span<const PutRequest> requests);

  // For objects that should not be held in memory whole. The context must outlive the writer.
  virtual Result<std::unique_ptr<BlobWriter>> CreateWriter(const Context& context, std::string_view name) = 0;

  // ok also when the object did not exist.
  virtual Status Delete(const Context& context, std::string_view name) = 0;

  // At most `limit` (> 0) names that begin with `prefix` and are greater than `start_after`.
  virtual Result<ListPage> List(const Context& context, std::string_view prefix, std::string_view start_after = {},
                                size_t limit = 1000) = 0;

  // For messages: "s3://bucket/prefix", "file:///data", "memory:". No secrets.
  virtual std::string Describe() const = 0;
};

}  // namespace isotherm
