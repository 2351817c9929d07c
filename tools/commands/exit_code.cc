#include "tools/commands/exit_code.h"

namespace isotherm::tool {

const char kExitCodeHelp[] =
    "Exit codes:\n"
    "  0  done\n"
    "  1  done, and the answer is bad: verify found problems\n"
    "  2  the command line is wrong\n"
    "  3  the request is wrong: a bad value or file, a format that is not known\n"
    "  4  not found: collection, bucket, file, key, version or branch\n"
    "  5  it exists already: key, branch or collection\n"
    "  6  access denied\n"
    "  7  conflict: another writer was faster, or a row has not the version that was expected\n"
    "  8  may work later: store or network unavailable, disk full, out of time; rows are leased\n"
    "  9  corruption: bytes do not match their checksums\n"
    "  10 the operating system refused\n"
    "  11 the outcome of a commit is not known; the same command again settles it\n"
    "  12 a bug in Isotherm";

int ExitCodeOf(StatusCode code) {
  switch (code) {
    case StatusCode::kOk: return kExitOk;
    case StatusCode::kInvalidArgument:
    case StatusCode::kUnsupported:
    case StatusCode::kReadOnly:
    case StatusCode::kClosed: return kExitRequest;
    case StatusCode::kNotFound: return kExitNotFound;
    case StatusCode::kAlreadyExists: return kExitExists;
    case StatusCode::kAccessDenied: return kExitAccess;
    case StatusCode::kConflict:
    case StatusCode::kFenced: return kExitConflict;
    case StatusCode::kUnavailable:
    case StatusCode::kResourceExhausted:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kCancelled: return kExitLater;
    case StatusCode::kCorruption: return kExitCorruption;
    case StatusCode::kIoError: return kExitIo;
    case StatusCode::kUnknown: return kExitUnknown;
    case StatusCode::kInternal: return kExitInternal;
  }
  return kExitInternal;
}

}  // namespace isotherm::tool
