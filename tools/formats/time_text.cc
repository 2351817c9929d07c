#include "tools/formats/time_text.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <limits>
#include <optional>

namespace isotherm::formats {

namespace {

constexpr int64_t kSecondMs = 1000;
constexpr int64_t kMinuteMs = 60 * kSecondMs;
constexpr int64_t kHourMs = 60 * kMinuteMs;
constexpr int64_t kDayMs = 24 * kHourMs;

// Takes what a moment is made of from the front of a text. After something that was not there, nothing counts.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool done() const { return ok_ && text_.empty(); }

  // Exactly so many digits.
  int Digits(size_t count) {
    int number = 0;
    ok_ = ok_ && text_.size() >= count;
    for (size_t i = 0; ok_ && i < count; ++i) {
      ok_ = text_[i] >= '0' && text_[i] <= '9';
      number = number * 10 + (text_[i] - '0');
    }
    if (ok_) text_.remove_prefix(count);
    return number;
  }

  // One of these characters.
  void Expect(std::string_view choices) {
    ok_ = ok_ && !text_.empty() && choices.find(text_.front()) != std::string_view::npos;
    if (ok_) text_.remove_prefix(1);
  }

  bool Take(char wanted) {
    if (!ok_ || text_.empty() || text_.front() != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }

  // Behind the decimal point; at least one digit, of which three count.
  int Milliseconds() {
    int ms = 0;
    int weight = 100;
    do {
      ms += Digits(1) * weight;
      weight /= 10;
    } while (ok_ && !text_.empty() && text_.front() >= '0' && text_.front() <= '9');
    return ms;
  }

 private:
  std::string_view text_;
  bool ok_ = true;
};

// How far a zone is ahead of UTC, of "Z", "+01:00", "-05:30".
std::optional<int64_t> ScanZone(Scanner& in) {
  if (in.Take('Z') || in.Take('z')) return 0;
  const bool behind = in.Take('-');
  if (!behind) in.Expect("+");
  int hours = in.Digits(2);
  in.Expect(":");
  int minutes = in.Digits(2);
  if (!in.done() || hours > 23 || minutes > 59) return std::nullopt;
  int64_t ms = hours * kHourMs + minutes * kMinuteMs;
  return behind ? -ms : ms;
}

}  // namespace

std::string FormatTime(int64_t ms) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::milliseconds> moment{std::chrono::milliseconds(ms)};
  const auto day = floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(moment - day);
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return buffer;
}

Result<int64_t> ParseTime(std::string_view text) {
  Status wrong =
      Status::InvalidArgument("'" + std::string(text) + "' is no time; wanted is one as 2026-03-01T12:30:00Z");
  Scanner in(text);
  const int year = in.Digits(4);
  in.Expect("-");
  const int month = in.Digits(2);
  in.Expect("-");
  const int day = in.Digits(2);
  in.Expect("Tt ");
  const int hour = in.Digits(2);
  in.Expect(":");
  const int minute = in.Digits(2);
  in.Expect(":");
  const int second = in.Digits(2);
  const int ms = in.Take('.') ? in.Milliseconds() : 0;
  const std::optional<int64_t> ahead_ms = ScanZone(in);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  // A leap second is the first one of the next minute.
  if (!in.done() || !ahead_ms || !date.ok() || hour > 23 || minute > 59 || second > 60) return wrong;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * kDayMs + hour * kHourMs + minute * kMinuteMs + second * kSecondMs + ms - *ahead_ms;
}

Result<int64_t> ParseSpan(std::string_view text) {
  Status wrong = Status::InvalidArgument("'" + std::string(text) +
                                         "' is no span of time; wanted is one as 90s, 30m, 12h, 7d or 2w");
  int64_t number = 0;
  const char* end = text.data() + text.size();
  auto [unit, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || number < 0 || end - unit != 1) return wrong;
  int64_t unit_ms = 0;
  switch (*unit) {
    case 's': unit_ms = kSecondMs; break;
    case 'm': unit_ms = kMinuteMs; break;
    case 'h': unit_ms = kHourMs; break;
    case 'd': unit_ms = kDayMs; break;
    case 'w': unit_ms = 7 * kDayMs; break;
    default: return wrong;
  }
  if (number > std::numeric_limits<int64_t>::max() / unit_ms) return wrong;
  return number * unit_ms;
}

}  // namespace isotherm::formats
