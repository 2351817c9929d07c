// The scenes of the demo, in the order in which they are shown.
#pragma once

#include <cstddef>
#include <string>

namespace cloud_tiered {

struct DemoOptions {
  std::string store;    // URI of an empty place; empty: a folder that is removed at the end
  std::string profile;  // empty: "s3" over a folder of its own, "none" over a given store
  std::string data_folder;
  std::string json_file;  // empty: none
  std::string svg_file;
  size_t cold_starts = 20;
  size_t questions = 1000;
  bool keep = false;  // what was uploaded
};

// Throws when something fails, or is not as promised.
void RunDemo(const DemoOptions& options);

}  // namespace cloud_tiered
