// What happened to a collection, and why: the last events of this process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "isotherm/row.h"

namespace isotherm {

enum class EventKind : uint8_t {
  kOpen,
  kClose,
  kCommit,
  kConflict,  // another writer's swap won
  kFence,     // a newer epoch has taken over the writer's slot
  kFlush,     // a memtable became a segment
  kCompaction,
  kVacuum,
  kRefresh,  // the handle reads a newer version
  kBranch,
  kRecover,  // a head was rebuilt
  kError,
  kErasure,  // rows are being erased
};

const char* EventKindName(EventKind kind);  // "open", "commit", …

struct Event {
  uint64_t sequence = 0;  // 1, 2, 3, … in the log that it was added to
  int64_t wall_ms = 0;    // since 1970 UTC
  EventKind kind = EventKind::kError;
  uint64_t version = 0;  // the collection's after the event; 0: none
  std::string cause;     // "memtable full", "Commit called", a Status, …
  Metadata details;      // counts, bytes, durations, names

  // One object in one line, without its end: {"sequence", "time" (ISO 8601), "kind", "version", "cause", "details"}.
  std::string ToJsonLine() const;
};

// Thread-safe. Keeps the last `capacity` events.
class EventLog {
 public:
  static constexpr size_t kDefaultCapacity = 1024;

  // `subscriber` may be empty. It gets every event, in its place in the log, from the thread that adds it and with no
  // lock held: calls overlap, and may come in another order than that of `sequence`.
  explicit EventLog(size_t capacity = kDefaultCapacity, std::function<void(const Event&)> subscriber = nullptr);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Gives the event its sequence number.
  void Add(Event event);
  // Those after `sequence` that are still kept, oldest first.
  std::vector<Event> After(uint64_t sequence = 0) const;
  uint64_t last_sequence() const;  // how many there were ever

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace isotherm
