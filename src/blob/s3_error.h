// What an answer of S3, or the lack of one, means to the caller.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "blob/s3_http.h"
#include "isotherm/status.h"

namespace isotherm {

enum class S3Effect : uint8_t {
  kRepeatable,      // reads, lists, deletes, unconditional puts, parts: doing it twice is the same
  kConditionalPut,  // a lost answer matters: kUnknown, and kConflict for a missing object
};

// ok for an answer of 2xx; else:
//   404           kNotFound, naming the bucket when that is what is missing; kConflict for a conditional put
//   412           kConflict
//   409           kUnavailable: another conditional request was in progress, and this one was not executed
//   401, 403      kAccessDenied, saying which: key id, signature, clock, or permission
//   3xx, 400 AuthorizationHeaderMalformed        kInvalidArgument, naming the right region if the answer does
//   416           kInvalidArgument
//   4xx bad token, key id, signature or clock    kAccessDenied
//   400 RequestTimeout, 408, 425, 429            kUnavailable: refused before it was executed
//   501           kUnsupported
//   other 4xx     kInvalidArgument
//   5xx           kUnavailable; of a conditional put kUnknown: it may have been executed
//   no answer     kUnavailable; of a conditional put that may have been sent kUnknown; kDeadlineExceeded; kCancelled
// `what` begins the message: "GET s3://bucket/key".
Status StatusOf(const HttpResponse& response, std::string_view what, S3Effect effect = S3Effect::kRepeatable);

}  // namespace isotherm
