#include "blob/s3_client.h"

#include <utility>
#include <vector>

namespace isotherm {

S3Client::S3Client(const S3Options& options, S3Address address, std::shared_ptr<Environment> environment)
    : options_(options),
      address_(std::move(address)),
      environment_(environment),
      signer_({options.access_key, options.secret_key, options.session_token}, options.region),
      http_({.connect_timeout = options.connect_timeout,
             .idle_timeout = options.request_timeout,
             .max_connections = options.max_connections,
             .ca_file = options.ca_file,
             .resolve = options.resolve},
            std::move(environment)) {}

HttpRequest S3Client::Sign(const S3Call& call) const {
  const std::string path = address_.path_prefix + "/" + UriEncode(call.key, true);
  const std::string query = CanonicalQuery(call.query);
  NameValues headers = call.headers;
  headers.emplace_back("host", address_.host);
  signer_.Sign(call.method, path, query, call.body, environment_->clock->WallMs(), headers);

  HttpRequest request;
  request.method = call.method;
  request.url = address_.scheme + "://" + address_.host + path;
  if (!query.empty()) request.url += "?" + query;
  for (const auto& [name, value] : headers) request.headers.push_back(name + ": " + value);
  request.body = call.body;
  request.repeatable = call.repeatable;
  return request;
}

HttpResponse S3Client::Send(const Context& context, const S3Call& call) {
  std::vector<HttpRequest> requests;
  requests.push_back(Sign(call));
  return std::move(http_.Start(context, std::move(requests))->Wait().front());
}

std::string S3Client::KeyOf(std::string_view name) const {
  return options_.prefix.empty() ? std::string(name) : options_.prefix + "/" + std::string(name);
}

std::string S3Client::Describe(std::string_view name) const {
  std::string text = "s3://" + options_.bucket;
  if (!options_.prefix.empty()) text += "/" + options_.prefix;
  if (!name.empty()) text.append("/").append(name);
  return text;
}

std::string QuotedEtag(std::string_view etag) {
  if (etag.starts_with('"') || etag.starts_with("W/")) return std::string(etag);
  std::string quoted(1, '"');
  quoted.append(etag).push_back('"');
  return quoted;
}

}  // namespace isotherm
