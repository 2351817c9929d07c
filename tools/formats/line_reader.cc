#include "tools/formats/line_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/macros.h"

namespace isotherm::formats {

namespace {

constexpr size_t kPieceBytes = 256 << 10;
constexpr char kByteOrderMark[] = "\xef\xbb\xbf";

}  // namespace

Result<LineReader> LineReader::Open(const std::string& path) {
  LineReader reader;
  reader.path_ = path;
  errno = 0;
  reader.file_.reset(gzopen(path.c_str(), "rb"));
  if (reader.file_ == nullptr) {
    int code = errno == 0 ? ENOMEM : errno;
    std::string message = "cannot open " + path + ": " + std::generic_category().message(code);
    return code == ENOENT ? Status::NotFound(message) : Status::IoError(message);
  }
  gzbuffer(reader.file_.get(), kPieceBytes);
  return reader;
}

// Appends to buffer_; false at the end of the file.
Result<bool> LineReader::Fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  size_t old_size = buffer_.size();
  buffer_.resize(old_size + kPieceBytes);
  int count = gzread(file_.get(), buffer_.data() + old_size, kPieceBytes);
  buffer_.resize(old_size + static_cast<size_t>(std::max(count, 0)));
  // A compressed file that was cut off gives what there is, and the error only behind it.
  int code = Z_OK;
  const char* message = gzerror(file_.get(), &code);
  if (count < 0 || (count == 0 && code != Z_OK && code != Z_STREAM_END)) {
    if (code == Z_ERRNO) return Status::IoError("cannot read " + path_ + ": " + std::generic_category().message(errno));
    return Status::InvalidArgument(path_ + ": damaged or truncated after line " + std::to_string(line_number_) + ": " +
                                   message);
  }
  return count > 0;
}

Result<bool> LineReader::Next(std::string* line) {
  while (true) {
    size_t searched = at_;
    size_t end;
    while ((end = buffer_.find('\n', searched)) == std::string::npos) {
      searched = buffer_.size() - at_;
      ASSIGN_OR_RETURN(bool more, Fill());
      if (more) continue;
      if (buffer_.empty()) return false;
      end = buffer_.size();
      break;
    }
    line->assign(buffer_, at_, end - at_);
    at_ = std::min(end + 1, buffer_.size());
    if (line_number_++ == 0 && line->starts_with(kByteOrderMark)) line->erase(0, 3);
    if (line->ends_with('\r')) line->pop_back();
    if (line->find_first_not_of(" \t") != std::string::npos) return true;
  }
}

uint64_t LineReader::bytes_read() const { return static_cast<uint64_t>(std::max<z_off_t>(gzoffset(file_.get()), 0)); }

}  // namespace isotherm::formats
