// From cold to hot: builds an index, puts it into an object store, and measures what a question costs from there, from
// disk and from RAM. README.md of this folder tells more.
#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <filesystem>
#include <iostream>

#include "demo.h"
#include "search_node.h"

namespace {

// Beside the program, so that nothing lands in whatever folder it was started in.
std::string DefaultSvgFile() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "cloud_tiered.svg";
}

int Run(int argc, char** argv) {
  CLI::App app("From cold to hot: an index is built, uploaded, and asked cold, from disk and from RAM.");
  cloud_tiered::DemoOptions demo;
  demo.data_folder = ISOTHERM_EXAMPLE_DATA;
  demo.svg_file = DefaultSvgFile();
  app.add_option("--store", demo.store,
                 "An empty place to use in place of the embedded store, as s3://bucket/prefix?endpoint=…&region=…");
  app.add_option("--profile", demo.profile,
                 "Latency added to the store: s3, fixed20 or none (default: s3; with --store none)");
  app.add_option("--json", demo.json_file, "Write every figure to this file");
  app.add_option("--svg", demo.svg_file, "Write the chart to this file")->capture_default_str();
  app.add_option("--cold-starts", demo.cold_starts, "Processes started cold")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--queries", demo.questions, "Questions for recall and mean costs")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--data", demo.data_folder, "Folder of the excerpt")->capture_default_str();
  app.add_flag("--keep", demo.keep, "Leave the uploaded collection where it is");

  // What the demo starts in processes of their own.
  cloud_tiered::NodeOptions node;
  CLI::App* serve = app.add_subcommand("node")->group("");
  serve->add_option("--store", node.store)->required();
  serve->add_option("--profile", node.profile)->required();
  serve->add_option("--cache-dir", node.cache_dir);
  CLI11_PARSE(app, argc, argv);

  if (serve->parsed()) {
    cloud_tiered::RunSearchNode(node);
  } else {
    cloud_tiered::RunDemo(demo);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A search node that is gone shows as an error of its pipe.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "cloud_tiered: " << error.what() << std::endl;
    return 1;
  }
}
