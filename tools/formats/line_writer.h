// A text file that is there whole or not at all, gzip-compressed where its name says so.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "isotherm/status.h"

namespace isotherm::formats {

class LineWriter {
 public:
  // `path` ends with ".gz": compressed. Written beside it under another name until Finish.
  static Result<std::unique_ptr<LineWriter>> Create(const std::string& path);
  LineWriter(std::string path, std::string unfinished) : path_(std::move(path)), unfinished_(std::move(unfinished)) {}
  // Removes what was written, unless Finish succeeded.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  Status Append(std::string_view line);  // without its end
  // Gives the file its name, in place of one that is there, and returns its bytes. Nothing can be done after it.
  Result<uint64_t> Finish();

 private:
  struct Close {
    void operator()(gzFile_s* file) const { gzclose(file); }
  };
  Status Write(std::string_view bytes);

  const std::string path_;
  const std::string unfinished_;
  std::unique_ptr<gzFile_s, Close> file_;
  bool incomplete_ = false;  // there, under its other name
};

}  // namespace isotherm::formats
