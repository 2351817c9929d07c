#include "isotherm/events.h"

#include <chrono>
#include <cstdio>
#include <deque>
#include <utility>

#include "base/json_text.h"
#include "base/sync.h"

namespace isotherm {

namespace {

// 2026-11-22T00:20:49.123Z
std::string TimeText(int64_t wall_ms) {
  using std::chrono::milliseconds;
  std::chrono::sys_time<milliseconds> time{milliseconds(wall_ms)};
  auto day = std::chrono::floor<std::chrono::days>(time);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

}  // namespace

const char* EventKindName(EventKind kind) {
  switch (kind) {
    case EventKind::kOpen: return "open";
    case EventKind::kClose: return "close";
    case EventKind::kCommit: return "commit";
    case EventKind::kConflict: return "conflict";
    case EventKind::kFence: return "fence";
    case EventKind::kFlush: return "flush";
    case EventKind::kCompaction: return "compaction";
    case EventKind::kVacuum: return "vacuum";
    case EventKind::kRefresh: return "refresh";
    case EventKind::kBranch: return "branch";
    case EventKind::kRecover: return "recover";
    case EventKind::kErasure: return "erasure";
    case EventKind::kError: return "error";
  }
  return "?";
}

std::string Event::ToJsonLine() const {
  std::string out = "{\"sequence\":" + std::to_string(sequence) + ",\"time\":\"" + TimeText(wall_ms) +
                    "\",\"kind\":\"" + EventKindName(kind) + "\",\"version\":" + std::to_string(version) +
                    ",\"cause\":";
  AppendJsonString(out, cause);
  out += ",\"details\":{";
  const char* separator = "";
  for (const auto& [name, value] : details) {
    out += separator;
    separator = ",";
    AppendJsonString(out, name);
    out += ":" + value.ToString();
  }
  return out + "}}";
}

struct EventLog::State {
  State(size_t c, std::function<void(const Event&)> s) : capacity(c), subscriber(std::move(s)) {}

  const size_t capacity;
  const std::function<void(const Event&)> subscriber;
  Mutex mutex;  // guards the rest
  std::deque<Event> events;
  uint64_t last_sequence = 0;
};

EventLog::EventLog(size_t capacity, std::function<void(const Event&)> subscriber)
    : state_(std::make_unique<State>(capacity, std::move(subscriber))) {}

EventLog::~EventLog() = default;

void EventLog::Add(Event event) {
  {
    std::lock_guard lock(state_->mutex);
    event.sequence = ++state_->last_sequence;
    state_->events.push_back(event);
    if (state_->events.size() > state_->capacity) state_->events.pop_front();
  }
  if (state_->subscriber) state_->subscriber(event);
}

std::vector<Event> EventLog::After(uint64_t sequence) const {
  std::lock_guard lock(state_->mutex);
  std::vector<Event> after;
  for (const Event& event : state_->events) {
    if (event.sequence > sequence) after.push_back(event);
  }
  return after;
}

uint64_t EventLog::last_sequence() const {
  std::lock_guard lock(state_->mutex);
  return state_->last_sequence;
}

}  // namespace isotherm
