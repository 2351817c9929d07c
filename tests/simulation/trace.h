// What happened in a run, in order: as one number that is the same for the same run, and as text when asked for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string_view>

namespace isotherm::simulation {

class Trace {
 public:
  // `out` null: no text.
  explicit Trace(std::ostream* out) : out_(out) {}

  bool has_text() const { return out_ != nullptr; }
  // Of every event so far.
  uint64_t hash() const { return hash_; }

  // Part of the hash: what was decided, and what it was decided about.
  void Add(std::string_view event, std::initializer_list<uint64_t> values) {
    for (char c : event) Mix(static_cast<unsigned char>(c));
    for (uint64_t value : values) Mix(value);
  }
  void AddText(std::string_view text) { Add(text, {}); }

  // Text only.
  void Note(int64_t now_ns, std::string_view who, std::string_view what);

 private:
  void Mix(uint64_t value) { hash_ = (hash_ ^ value) * 0x9fb21c651e98df25 + (hash_ >> 29); }

  std::ostream* const out_;
  uint64_t hash_ = 0x6a09e667f3bcc909;
};

}  // namespace isotherm::simulation
