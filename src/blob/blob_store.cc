#include "isotherm/blob_store.h"

#include "isotherm/limits.h"

namespace isotherm {

std::vector<PutResult> BlobStore::PutAll(const Context& context, std::span<const PutRequest> requests) {
  std::vector<PutResult> results;
  for (const PutRequest& request : requests) {
    Result<std::string> etag = Put(context, request.name, request.bytes, request.condition);
    results.push_back({.status = etag.status(), .etag = etag.ok() ? std::move(etag).value() : std::string()});
  }
  return results;
}

namespace {

// How many bytes the UTF-8 sequence at the front of `text` has; 0 when it is malformed (RFC 3629: overlong forms,
// surrogates and code points above U+10FFFF are).
size_t SequenceLength(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  if (first < 0x80) return 1;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return length;
}

bool IsControl(char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }

Status Invalid(std::string_view name, std::string_view reason) {
  std::string message = "the object name \"";
  message.append(name).append("\" ").append(reason);
  return Status::InvalidArgument(std::move(message));
}

Status CheckParts(std::string_view name) {
  for (std::string_view rest = name;;) {
    size_t slash = rest.find('/');
    std::string_view part = rest.substr(0, slash);
    if (part.empty()) return Invalid(name, "begins or ends with '/' or has an empty part");
    if (part == "." || part == "..") return Invalid(name, "has a part \".\" or \"..\"");
    if (slash == std::string_view::npos) return Status::Ok();
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace

Status ValidateObjectName(std::string_view name) {
  if (name.empty()) return Status::InvalidArgument("an object name is empty");
  if (name.size() > kMaxObjectNameBytes) {
    return Status::InvalidArgument("the object name that begins with \"" + std::string(name.substr(0, 32)) + "\" has " +
                                   std::to_string(name.size()) + " bytes, but at most 1024 are allowed");
  }
  for (size_t i = 0; i < name.size();) {
    size_t length = SequenceLength(name.substr(i));
    if (length == 0) return Status::InvalidArgument("an object name is not UTF-8 at byte " + std::to_string(i));
    if (IsControl(name[i])) {
      return Status::InvalidArgument("an object name has a control character at byte " + std::to_string(i));
    }
    i += length;
  }
  return CheckParts(name);
}

}  // namespace isotherm
