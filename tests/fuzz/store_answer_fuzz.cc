// Any text as an answer of an S3 server, as the address of a store, and as the name of an object.
#include "blob/s3_xml.h"
#include "blob/uri.h"
#include "tests/fuzz/sealed.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isotherm;
  using fuzz::Require;
  std::string_view text = fuzz::ViewOf(data, size);
  S3ErrorAnswer error = ParseS3Error(text);
  Require(error.code.size() <= text.size() && error.message.size() <= text.size());
  auto list = ParseS3List(text);
  if (list.ok()) {
    Require(list->entries.size() <= text.size());
    Require(!list->truncated || !list->next_token.empty());
  } else {
    Require(!list.status().message().empty());
  }
  ParseS3Field(text, "InitiateMultipartUploadResult", "UploadId");
  int elements = 0;
  for (XmlReader reader(text); auto element = reader.Next();) {
    Require(element->inner.size() < text.size() && ++elements <= static_cast<int>(text.size()));
  }
  Require(XmlText(XmlEscape(text)) == text);
  auto uri = ParseStoreUri(text);
  if (uri.ok()) {
    Require(uri->scheme == "memory" || uri->scheme == "file" || uri->scheme == "s3");
    Require(uri->scheme != "s3" || !uri->bucket.empty());
  } else {
    Require(uri.status().code() == StatusCode::kInvalidArgument);
  }
  Status name = ValidateObjectName(text);
  Require(name.ok() ? !text.empty() && text.size() <= 1024 : name.code() == StatusCode::kInvalidArgument);
  return 0;
}
