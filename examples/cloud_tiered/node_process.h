// A search node as a process of its own: this program, executed again.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "protocol.h"
#include "search_node.h"

namespace cloud_tiered {

class NodeProcess {
 public:
  // Starts it; does not wait until it has opened the collection.
  explicit NodeProcess(const NodeOptions& options);
  // Ends it by ending its input.
  ~NodeProcess();
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

  void Send(const Request& request);
  Opened ReadOpened() { return ReadLine().get<Opened>(); }
  Written ReadWritten() { return ReadLine().get<Written>(); }
  Answer ReadAnswer() { return ReadLine().get<Answer>(); }
  Answer Ask(const Request& request) {
    Send(request);
    return ReadAnswer();
  }
  // Waits until it has put its caches in order; throws when it ended badly.
  void Finish();

  int64_t ns_since_start() const;

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, CloseFile>;

  Message ReadLine();
  int Wait();

  const std::chrono::steady_clock::time_point begin_;
  pid_t pid_ = -1;
  File to_node_, from_node_;
};

}  // namespace cloud_tiered
