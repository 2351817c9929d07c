// The lines of a text file, gzip-compressed or not.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "isotherm/status.h"

namespace isotherm::formats {

class LineReader {
 public:
  static Result<LineReader> Open(const std::string& path);

  // The next line that is not blank, without its end; false when there is none. A compressed file that ends too early
  // or is damaged is kInvalidArgument.
  Result<bool> Next(std::string* line);

  const std::string& path() const { return path_; }
  size_t line_number() const { return line_number_; }  // of the last line given, from 1
  uint64_t bytes_read() const;                         // of the file as it lies on the disk

 private:
  struct Close {
    void operator()(gzFile_s* file) const { gzclose(file); }
  };
  Result<bool> Fill();

  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::string buffer_;
  size_t at_ = 0;  // of what of buffer_ was not given yet
  size_t line_number_ = 0;
};

}  // namespace isotherm::formats
