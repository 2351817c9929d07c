#include "blob/uri.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/macros.h"
#include "blob/local_store.h"
#include "blob/memory_store.h"
#include "blob/retry_store.h"
#include "blob/s3_store.h"

namespace isotherm {

namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Lower-case; empty for a plain path (RFC 3986, section 3.1).
std::string SchemeOf(std::string_view text) {
  size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || !IsLetter(text[0])) return {};
  std::string scheme(text.substr(0, colon));
  for (char& c : scheme) {
    if (!IsLetter(c) && !IsDigit(c) && c != '+' && c != '-' && c != '.') return {};
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return scheme;
}

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> Decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low < 0) {
      std::string sequence(text.substr(i, 3));
      return Status::InvalidArgument(sequence + " is no %-encoded byte; write % itself as %25");
    }
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

Status ParseOptions(std::string_view query, std::map<std::string, std::string>& options) {
  while (!query.empty()) {
    std::string_view option = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(option.size() + 1, query.size()));
    size_t equals = option.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Status::InvalidArgument("the option \"" + std::string(option) + "\" is not of the form name=value");
    }
    ASSIGN_OR_RETURN(std::string name, Decode(option.substr(0, equals)));
    ASSIGN_OR_RETURN(std::string value, Decode(option.substr(equals + 1)));
    if (!options.emplace(name, std::move(value)).second) {
      return Status::InvalidArgument("the option \"" + name + "\" is given twice");
    }
  }
  return Status::Ok();
}

Status ParseMemory(std::string_view rest, StoreUri& uri) {
  ASSIGN_OR_RETURN(uri.path, Decode(rest));
  return uri.path.empty() ? Status::Ok() : ValidateObjectName(uri.path);
}

Status ParseFile(std::string_view rest, StoreUri& uri) {
  if (!rest.starts_with("///")) return Status::InvalidArgument("a file's address is file:///absolute/path");
  ASSIGN_OR_RETURN(uri.path, Decode(rest.substr(2)));
  if (uri.path.find('\0') != std::string::npos) return Status::InvalidArgument("a path has no zero byte (%00)");
  return Status::Ok();
}

Status ParseS3(std::string_view rest, StoreUri& uri) {
  if (rest.starts_with("//")) rest.remove_prefix(2);
  size_t slash = std::min(rest.find('/'), rest.size());
  uri.bucket = rest.substr(0, slash);
  if (uri.bucket.empty()) return Status::InvalidArgument("the bucket is missing; an address is s3://bucket/prefix");
  rest.remove_prefix(slash);
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  ASSIGN_OR_RETURN(uri.path, Decode(rest));
  return uri.path.empty() ? Status::Ok() : ValidateObjectName(uri.path);
}

Status ParseInto(std::string_view text, StoreUri& uri) {
  std::string_view rest = text.substr(uri.scheme.size() + 1);
  size_t question = rest.find('?');
  if (question != std::string_view::npos) {
    RETURN_IF_ERROR(ParseOptions(rest.substr(question + 1), uri.options));
    rest = rest.substr(0, question);
  }
  if (uri.scheme == "memory") return ParseMemory(rest, uri);
  if (uri.scheme == "file") return ParseFile(rest, uri);
  if (uri.scheme == "s3") return ParseS3(rest, uri);
  return Status::InvalidArgument("the scheme \"" + uri.scheme +
                                 "\" is unknown; there are memory:, file:// and s3://, and a path that looks like a "
                                 "scheme is written with ./ before it");
}

// Takes the option out, so that what is left in the end is unknown.
std::optional<std::string> Take(StoreUri& uri, const char* name) {
  auto found = uri.options.find(name);
  if (found == uri.options.end()) return std::nullopt;
  std::string value = std::move(found->second);
  uri.options.erase(found);
  return value;
}

Status ExpectNoOptions(const StoreUri& uri, const char* known) {
  if (uri.options.empty()) return Status::Ok();
  return Status::InvalidArgument("the option \"" + uri.options.begin()->first + "\" is unknown; " + uri.scheme +
                                 " has " + known);
}

Result<S3Options> S3OptionsOf(StoreUri uri) {
  S3Options options;
  options.bucket = uri.bucket;
  options.prefix = uri.path;
  options.endpoint = Take(uri, "endpoint").value_or("");
  options.region = Take(uri, "region").value_or("");
  options.ca_file = Take(uri, "ca_file").value_or("");
  std::string addressing = Take(uri, "addressing").value_or("auto");
  if (addressing == "path") {
    options.addressing = S3Addressing::kPath;
  } else if (addressing == "virtual-host") {
    options.addressing = S3Addressing::kVirtualHost;
  } else if (addressing != "auto") {
    return Status::InvalidArgument("addressing=" + addressing + " is unknown; there are auto, path and virtual-host");
  }
  RETURN_IF_ERROR(ExpectNoOptions(uri, "endpoint, region, addressing and ca_file"));
  return options;
}

Result<std::shared_ptr<BlobStore>> OpenParsed(const StoreUri& uri, std::shared_ptr<Environment> environment,
                                              const StoreOptions& options) {
  if (uri.scheme == "s3") {
    ASSIGN_OR_RETURN(S3Options s3, S3OptionsOf(uri));
    ASSIGN_OR_RETURN(std::shared_ptr<BlobStore> store, OpenS3Store(s3, environment));
    RetryOptions retry;
    retry.unavailable_is_definite = true;
    return std::shared_ptr<BlobStore>(std::make_shared<RetryBlobStore>(std::move(store), environment, retry));
  }
  RETURN_IF_ERROR(ExpectNoOptions(uri, "none"));
  if (uri.scheme == "file") {
    // Absolute, so that the program may change its directory.
    std::error_code error;
    std::filesystem::path path = std::filesystem::absolute(uri.path, error);
    if (error) return Status::IoError("the current directory is not to be had: " + error.message());
    return std::shared_ptr<BlobStore>(
        std::make_shared<LocalBlobStore>(path.lexically_normal().string(), std::move(environment)));
  }
  if (uri.path.empty()) return std::shared_ptr<BlobStore>(std::make_shared<MemoryBlobStore>(std::move(environment)));
  if (options.memory_stores == nullptr) {
    return Status::InvalidArgument("a memory store with a name needs StoreOptions::memory_stores");
  }
  return options.memory_stores->Open(uri.path, environment);
}

}  // namespace

Result<StoreUri> ParseStoreUri(std::string_view text) {
  StoreUri uri;
  uri.scheme = SchemeOf(text);
  if (text.empty()) return Status::InvalidArgument("the address of the store is empty");
  if (uri.scheme.empty()) {
    if (text.find('\0') != std::string_view::npos) return Status::InvalidArgument("a path has no zero byte");
    uri.scheme = "file";
    uri.path = text;
    return uri;
  }
  Status status = ParseInto(text, uri);
  if (!status.ok()) return status.WithContext(text);
  return uri;
}

std::shared_ptr<BlobStore> NamedMemoryStores::Open(const std::string& name,
                                                   const std::shared_ptr<Environment>& environment) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<BlobStore>& store = stores_[name];
  if (store == nullptr) store = std::make_shared<MemoryBlobStore>(environment);
  return store;
}

Result<std::shared_ptr<BlobStore>> OpenStore(std::string_view uri, std::shared_ptr<Environment> environment,
                                             const StoreOptions& options) {
  ASSIGN_OR_RETURN(StoreUri parsed, ParseStoreUri(uri));
  Result<std::shared_ptr<BlobStore>> store = OpenParsed(parsed, std::move(environment), options);
  if (!store.ok()) return store.status().WithContext(uri);
  return store;
}

}  // namespace isotherm
