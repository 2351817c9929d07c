// As much XML as S3's answers need: elements in elements, their names without namespace prefix, text with entities and
// CDATA. Attributes, comments, processing instructions and DOCTYPE are skipped, never interpreted. Nothing is
// validated: malformed input ends an iteration early.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isotherm/blob_store.h"
#include "isotherm/status.h"

namespace isotherm {

struct XmlElement {
  std::string_view name;
  std::string_view inner;  // everything between its tags
};

// The elements of one level, in order. `text` must stay.
class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : rest_(text) {}
  // No more elements, or none that is whole: absent.
  std::optional<XmlElement> Next();

 private:
  std::string_view rest_;
};

// The text of an element that holds no other element, decoded.
std::string XmlText(std::string_view inner);
// `text` with the five special characters as entities.
std::string XmlEscape(std::string_view text);

// An answer that is no success: <Error><Code>… . Fields that are missing are empty, all of them when the body is not of
// this form.
struct S3ErrorAnswer {
  std::string code;
  std::string message;
  std::string region;    // of AuthorizationHeaderMalformed: the one that would be right
  std::string endpoint;  // of PermanentRedirect and TemporaryRedirect
  std::string request_id;
};
S3ErrorAnswer ParseS3Error(std::string_view xml);

// A ListObjectsV2 answer.
struct S3ListAnswer {
  std::vector<ListEntry> entries;  // whole keys, in the server's order
  bool truncated = false;
  std::string next_token;  // when truncated
};
Result<S3ListAnswer> ParseS3List(std::string_view xml);

// The text of the child `name` of the root element `root`: "UploadId" of "InitiateMultipartUploadResult".
std::optional<std::string> ParseS3Field(std::string_view xml, std::string_view root, std::string_view name);

}  // namespace isotherm
