// Copying a collection from one store to another.
#include <algorithm>

#include "base/macros.h"
#include "engine/commit_log.h"
#include "engine/head.h"
#include "isotherm/collection.h"
#include "segment/routing_object.h"

namespace isotherm {

namespace {

constexpr uint64_t kPieceBytes = 8 << 20;

Result<std::string> ReadWhole(BlobStore& store, const std::string& name, const Context& context) {
  ReadRequest request{name, {}, {}};
  ReadResult read = std::move(store.Read(context, {&request, 1})[0]);
  RETURN_IF_ERROR(read.status.WithContext(store.Describe()));
  return std::move(read.data);
}

Status CopyObject(BlobStore& from, BlobStore& to, const std::string& name, uint64_t bytes, const Context& context) {
  ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> writer, to.CreateWriter(context, name));
  for (uint64_t offset = 0; offset < bytes; offset += kPieceBytes) {
    ReadRequest request{name, ByteRange{offset, std::min(kPieceBytes, bytes - offset)}, {}};
    ReadResult read = std::move(from.Read(context, {&request, 1})[0]);
    RETURN_IF_ERROR(read.status.WithContext(from.Describe()));
    if (read.data.size() != request.range->length) return Status::Corruption(name + ": shorter than the head says");
    RETURN_IF_ERROR(writer->Append(read.data));
  }
  return writer->Finish().status();
}

}  // namespace

Status CopyCollection(BlobStore& from, BlobStore& to, const Progress& progress, const Context& context) {
  ASSIGN_OR_RETURN(std::string bytes, ReadWhole(from, kHeadObject, context));
  auto head = DecodeHead(bytes);
  RETURN_IF_ERROR(head.status().WithContext(from.Describe()));
  if (ReadWhole(to, kHeadObject, context).ok())
    return Status::AlreadyExists("there is a collection at " + to.Describe());
  RETURN_IF_ERROR(ProbeStore(to, *Environment::Default()->random, context));

  uint64_t total = bytes.size() + head->routing.bytes;
  for (const SegmentInfo& segment : head->segments) total += segment.bytes;
  uint64_t done = 0;
  for (const SegmentInfo& segment : head->segments) {
    RETURN_IF_ERROR(CopyObject(from, to, segment.name, segment.bytes, context));
    if (progress) progress("copying", done += segment.bytes, total);
  }
  if (head->routing.generation != 0) {
    std::string name = RoutingName(head->routing.sha256_hex);
    ASSIGN_OR_RETURN(std::string routing, ReadWhole(from, name, context));
    RETURN_IF_ERROR(to.Put(context, name, routing).status());
    RETURN_IF_ERROR(to.Put(context, kRoutingObject, routing).status());
    if (progress) progress("copying", done += routing.size(), total);
  }
  if (!head->deletions.name.empty()) {
    RETURN_IF_ERROR(CopyObject(from, to, head->deletions.name, head->deletions.bytes, context));
  }
  // Last: until here there is no collection.
  auto put = to.Put(context, kHeadObject, bytes, PutCondition::IfAbsent());
  if (!put.ok() && put.status().code() == StatusCode::kConflict) {
    return Status::AlreadyExists("there is a collection at " + to.Describe());
  }
  RETURN_IF_ERROR(put.status());
  if (progress) progress("copying", total, total);
  return Status::Ok();
}

}  // namespace isotherm
