#include "tests/simulation/seed_jobs.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <sstream>
#include <utility>

namespace isotherm::simulation {

void Totals::Add(const SeedReport& report) {
  ++seeds;
  for (size_t i = 0; i < kFaults; ++i) faults[i] += report.faults[i];
  for (const auto& [name, count] : report.operations) operations[name] += count;
  least_calls = std::min(least_calls, report.calls);
  least_faults = std::min(least_faults, report.fault_count());
  versions += report.versions;
  requests += report.requests;
  switches += report.switches;
  trace_hash += report.trace_hash;
  if (!report.failure.empty()) failed.push_back({report.seed, report.failure});
}

void Totals::Add(const Totals& other) {
  seeds += other.seeds;
  for (size_t i = 0; i < kFaults; ++i) faults[i] += other.faults[i];
  for (const auto& [name, count] : other.operations) operations[name] += count;
  least_calls = std::min(least_calls, other.least_calls);
  least_faults = std::min(least_faults, other.least_faults);
  versions += other.versions;
  requests += other.requests;
  switches += other.switches;
  trace_hash += other.trace_hash;
  failed.insert(failed.end(), other.failed.begin(), other.failed.end());
}

std::string Totals::Encode() const {
  std::ostringstream out;
  out << "seeds " << seeds << '\n';
  for (size_t i = 0; i < kFaults; ++i) out << "fault " << i << ' ' << faults[i] << '\n';
  for (const auto& [name, count] : operations) out << "operation " << count << ' ' << name << '\n';
  out << "least " << least_calls << ' ' << least_faults << '\n';
  out << "sums " << versions << ' ' << requests << ' ' << switches << ' ' << trace_hash << '\n';
  for (const FailedSeed& seed : failed) {
    std::string line = seed.failure;
    std::replace(line.begin(), line.end(), '\n', ';');
    out << "failed " << seed.seed << ' ' << line << '\n';
  }
  out << "end\n";
  return out.str();
}

bool Totals::Decode(const std::string& text) {
  *this = Totals();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    std::string word;
    in >> word;
    if (word == "seeds") {
      in >> seeds;
    } else if (word == "fault") {
      size_t kind = kFaults;
      uint64_t count = 0;
      in >> kind >> count;
      if (kind >= kFaults) return false;
      faults[kind] = count;
    } else if (word == "operation") {
      uint64_t count = 0;
      std::string name;
      in >> count >> std::ws;
      std::getline(in, name);
      operations[name] = count;
    } else if (word == "least") {
      in >> least_calls >> least_faults;
    } else if (word == "sums") {
      in >> versions >> requests >> switches >> trace_hash;
    } else if (word == "failed") {
      FailedSeed seed;
      in >> seed.seed >> std::ws;
      std::getline(in, seed.failure);
      failed.push_back(seed);
    } else {
      return word == "end";
    }
    if (in.bad()) return false;
  }
  return false;
}

namespace {

int64_t NowSeconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

void WriteAll(int fd, const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    ssize_t written = write(fd, text.data() + at, text.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) std::_Exit(3);
    at += static_cast<size_t>(written);
  }
}

// In a child: says of each seed that it begins, and at the end what they came to.
[[noreturn]] void RunBatch(int out, uint64_t first, uint64_t last, bool keep_going) {
  Totals totals;
  for (uint64_t seed = first; seed <= last && (keep_going || totals.failed.empty()); ++seed) {
    WriteAll(out, "begin " + std::to_string(seed) + "\n");
    totals.Add(RunSeed(seed));
  }
  WriteAll(out, totals.Encode());
  std::_Exit(0);
}

class Child {
 public:
  Child(uint64_t first, uint64_t last, bool keep_going) : first_(first), last_(last), seed_(first) {
    int ends[2];
    if (pipe(ends) != 0) Die("pipe");
    pid_ = fork();
    if (pid_ < 0) Die("fork");
    if (pid_ == 0) {
      close(ends[0]);
      RunBatch(ends[1], first, last, keep_going);
    }
    close(ends[1]);
    fd_ = ends[0];
    heard_at_ = NowSeconds();
  }

  uint64_t first() const { return first_; }
  uint64_t last() const { return last_; }
  int fd() const { return fd_; }
  const Totals& totals() const { return totals_; }

  // Reads what there is; true when the child has ended, and `totals` are complete.
  bool Listen() {
    char buffer[4096];
    ssize_t got = read(fd_, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) return false;
    if (got > 0) {
      heard_at_ = NowSeconds();
      text_.append(buffer, static_cast<size_t>(got));
      TakeBeginnings();
      return false;
    }
    close(fd_);
    int status = 0;
    waitpid(pid_, &status, 0);
    if (!totals_.Decode(text_)) {
      // What was done before is lost with it.
      totals_ = Totals();
      totals_.failed.push_back({seed_, End(status)});
    }
    return true;
  }

  void KillIfSilentFor(int64_t seconds) {
    if (killed_ || NowSeconds() - heard_at_ < seconds) return;
    killed_ = true;
    kill(pid_, SIGKILL);
  }

 private:
  [[noreturn]] static void Die(const char* what) {
    std::perror(what);
    std::exit(3);
  }

  void TakeBeginnings() {
    while (text_.starts_with("begin ")) {
      size_t end = text_.find('\n');
      if (end == std::string::npos) return;
      seed_ = std::strtoull(text_.c_str() + 6, nullptr, 10);
      text_.erase(0, end + 1);
    }
  }

  std::string End(int status) const {
    if (killed_) return "did not end in time";
    if (WIFSIGNALED(status)) return std::string("crashed: ") + strsignal(WTERMSIG(status));
    return "ended with status " + std::to_string(WEXITSTATUS(status));
  }

  const uint64_t first_;
  const uint64_t last_;
  pid_t pid_ = -1;
  int fd_ = -1;
  uint64_t seed_;
  int64_t heard_at_ = 0;
  bool killed_ = false;
  std::string text_;
  Totals totals_;
};

}  // namespace

void RunSeeds(const JobOptions& options, const std::function<void(uint64_t, const Totals&)>& done) {
  std::vector<std::unique_ptr<Child>> running;
  std::map<uint64_t, std::unique_ptr<Child>> finished;
  uint64_t next_to_start = options.first;
  uint64_t next_to_tell = options.first;
  bool stop = false;
  while (true) {
    while (!stop && running.size() < options.jobs && next_to_start <= options.last) {
      uint64_t last = std::min(options.last, next_to_start + options.batch - 1);
      running.push_back(std::make_unique<Child>(next_to_start, last, options.keep_going));
      next_to_start = last + 1;
    }
    if (running.empty()) return;
    std::vector<pollfd> waits;
    for (const auto& child : running) waits.push_back({child->fd(), POLLIN, 0});
    poll(waits.data(), waits.size(), 1000);
    for (size_t i = running.size(); i-- > 0;) {
      running[i]->KillIfSilentFor(options.seed_seconds);
      if (waits[i].revents == 0 || !running[i]->Listen()) continue;
      uint64_t first = running[i]->first();
      finished[first] = std::move(running[i]);
      running.erase(running.begin() + static_cast<ptrdiff_t>(i));
    }
    for (auto at = finished.find(next_to_tell); at != finished.end(); at = finished.find(next_to_tell)) {
      next_to_tell = at->second->last() + 1;
      // Seeds after one that failed were begun already: only what comes before it counts.
      if (!stop) done(next_to_tell, at->second->totals());
      stop = stop || (!options.keep_going && !at->second->totals().failed.empty());
      finished.erase(at);
    }
  }
}

}  // namespace isotherm::simulation
