// What a hit costs, beside what the machine needs for the same bytes: in RAM a memcpy, on disk a pread.
//
//   cache_bench [--ram-mib N] [--lru] [--directory D] [--disk-mib N]
//
// All times are medians. RAM: uniformly random hits of 4 KiB in a full cache, in batches of 16. Disk: extents of one
// size in random order, read by pread from the same places of the same files and through the cache, with the page cache
// warm and after posix_fadvise(DONTNEED).
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <latch>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/crc32c.h"
#include "base/environment.h"
#include "base/splitmix.h"
#include "cache/block_cache.h"
#include "cache/disk_cache.h"
#include "cache/slab_file.h"

namespace isotherm {
namespace {

constexpr size_t kBlockBytes = 4096;

double NowNs() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Of a copy: the order of the samples is kept.
double Median(std::vector<double> samples) {
  std::nth_element(samples.begin(), samples.begin() + samples.size() / 2, samples.end());
  return samples[samples.size() / 2];
}

template <typename T>
void KeepAlive(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

struct RamTimes {
  std::vector<double> memcpy_ns, copy_ns, pinned_ns;
};

struct ResidentBlocks {
  std::vector<BlockKey> keys;
  std::vector<const char*> bytes;
};

// Fills the cache until it evicts, and returns what is in it then.
ResidentBlocks Fill(BlockCache& cache) {
  std::vector<BlockKey> inserted;
  std::string bytes(kBlockBytes, 'x');
  while (cache.Stats().evictions == 0) {
    inserted.push_back(BlockKey::Of("bench", "object", inserted.size() * kBlockBytes));
    cache.Insert(inserted.back(), PinnedBlock::Copy(bytes));
  }
  ResidentBlocks resident;
  for (const BlockKey& key : inserted) {
    PinnedBlock block = cache.Lookup(key);
    if (!block.valid()) continue;
    resident.keys.push_back(key);
    resident.bytes.push_back(block.bytes().data());
  }
  return resident;
}

// The three kinds of access take turns, so that a change of the machine's pace meets all of them, but each for long
// enough that the processor's caches hold what that kind leaves in them.
RamTimes MeasureRam(BlockCache& cache, const ResidentBlocks& resident, uint64_t seed) {
  constexpr size_t kBatch = 16;
  constexpr size_t kBatches = 4'000;
  constexpr size_t kRounds = 5;
  SplitMix64 random(seed);
  std::vector<BlockKey> keys(kBatch);
  std::vector<const char*> sources(kBatch);
  char buffer[kBlockBytes];
  RamTimes times;
  auto choose = [&] {
    for (size_t i = 0; i < kBatch; ++i) {
      uint64_t block = random.Below(resident.keys.size());
      keys[i] = resident.keys[block];
      sources[i] = resident.bytes[block];
    }
  };
  auto time = [&](std::vector<double>& samples, auto access) {
    for (size_t batch = 0; batch < kBatches; ++batch) {
      choose();
      double start = NowNs();
      for (size_t i = 0; i < kBatch; ++i) access(i);
      samples.push_back((NowNs() - start) / kBatch);
    }
  };
  for (size_t round = 0; round < kRounds; ++round) {
    time(times.memcpy_ns, [&](size_t i) {
      std::memcpy(buffer, sources[i], kBlockBytes);
      KeepAlive(buffer);
    });
    time(times.copy_ns, [&](size_t i) {
      PinnedBlock block = cache.Lookup(keys[i]);
      std::memcpy(buffer, block.bytes().data(), block.bytes().size());
      KeepAlive(buffer);
    });
    time(times.pinned_ns, [&](size_t i) {
      PinnedBlock block = cache.Lookup(keys[i]);
      KeepAlive(block);
    });
  }
  return times;
}

void BenchRam(uint64_t mebibytes, EvictionPolicy policy) {
  BlockCache cache({.capacity_bytes = mebibytes << 20, .policy = policy});
  ResidentBlocks resident = Fill(cache);
  std::printf("RAM cache, %s, %llu MiB, %zu blocks of 4 KiB, %u cores\n",
              policy == EvictionPolicy::kLru ? "LRU" : "S3-FIFO", static_cast<unsigned long long>(mebibytes),
              resident.keys.size(), std::thread::hardware_concurrency());
  std::printf("  threads  memcpy ns  hit+copy ns  limit ns  hit pinned ns  limit ns\n");
  for (int threads : {1, 2, 4}) {
    std::vector<RamTimes> times(threads);
    std::latch start(threads);
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        start.arrive_and_wait();
        times[t] = MeasureRam(cache, resident, 100 * threads + t);
      });
    }
    for (std::thread& thread : running) thread.join();
    RamTimes all;
    for (const RamTimes& one : times) {
      all.memcpy_ns.insert(all.memcpy_ns.end(), one.memcpy_ns.begin(), one.memcpy_ns.end());
      all.copy_ns.insert(all.copy_ns.end(), one.copy_ns.begin(), one.copy_ns.end());
      all.pinned_ns.insert(all.pinned_ns.end(), one.pinned_ns.begin(), one.pinned_ns.end());
    }
    double memcpy_ns = Median(all.memcpy_ns);
    std::printf("  %7d  %9.0f  %11.0f  %8.0f  %13.0f  %8d\n", threads, memcpy_ns, Median(all.copy_ns),
                1.3 * memcpy_ns + 100, Median(all.pinned_ns), 200);
  }
}

// Where the cache has put an extent, and how it is asked for.
struct Place {
  int fd = -1;
  uint64_t offset = 0;
  SlabEntry entry;
};

std::vector<Place> FindPlaces(const std::string& directory, std::vector<int>& fds) {
  std::vector<Place> places;
  std::shared_ptr<FileSystem> files = FileSystem::Posix();
  auto listed = files->ListDirectory(directory);
  for (const FileInfo& info : *listed) {
    if (!info.name.ends_with(".slab")) continue;
    std::string path = directory + "/" + info.name;
    auto file = files->Open(path, OpenMode::kRead);
    auto contents = ReadSlab(**file, info.size);
    fds.push_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    uint64_t at = kSlabFileHeaderBytes;
    for (const SlabEntry& entry : contents->entries) {
      at += kSlabEntryHeaderBytes;
      places.push_back({fds.back(), at, entry});
      at += entry.length;
    }
  }
  return places;
}

// Once through all places in random order.
template <typename Access>
double MeasureDisk(std::vector<Place> places, uint64_t seed, bool cold, const std::vector<int>& fds, Access access) {
  SplitMix64 random(seed);
  for (size_t i = places.size() - 1; i > 0; --i) std::swap(places[i], places[random.Below(i + 1)]);
  if (cold) {
    for (int fd : fds) {
      ::fdatasync(fd);
      ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    }
  }
  std::vector<double> samples;
  for (const Place& place : places) {
    double start = NowNs();
    access(place);
    samples.push_back(NowNs() - start);
  }
  return Median(std::move(samples));
}

void BenchDiskOfSize(const std::string& directory, uint64_t mebibytes, uint32_t size) {
  auto opened = DiskCache::Open({.directory = directory, .capacity_bytes = (mebibytes * 5 / 4 + 16) << 20},
                                Environment::Default());
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.status().ToString().c_str());
    std::exit(1);
  }
  DiskCache& cache = **opened;
  std::string bytes(size, '\0');
  SplitMix64 random(size);
  for (uint64_t i = 0; i < (mebibytes << 20) / size; ++i) {
    for (size_t at = 0; at + 8 <= bytes.size(); at += 512) {
      uint64_t word = random.Next();
      std::memcpy(&bytes[at], &word, 8);
    }
    cache.Insert(BlockKey::Of("bench", "object", i), PinnedBlock::Copy(bytes), Crc32c(bytes));
    if (i % 16 == 0) cache.Flush();
  }
  cache.Flush();
  std::vector<int> fds;
  std::vector<Place> places = FindPlaces(directory, fds);
  std::vector<char> buffer(size);
  auto plain = [&](const Place& place) {
    if (::pread(place.fd, buffer.data(), size, static_cast<off_t>(place.offset)) != static_cast<ssize_t>(size)) {
      std::abort();
    }
    KeepAlive(buffer);
  };
  auto through_cache = [&](const Place& place) {
    PinnedBlock block = cache.Lookup(place.entry.key, size, place.entry.crc32c);
    if (!block.valid()) std::abort();
    KeepAlive(block);
  };
  for (bool cold : {false, true}) {
    std::vector<double> plain_ns;
    std::vector<double> cache_ns;
    for (uint64_t round = 0; round < 6; ++round) {
      plain_ns.push_back(MeasureDisk(places, round, cold, fds, plain));
      cache_ns.push_back(MeasureDisk(places, round, cold, fds, through_cache));
    }
    double pread_ns = Median(plain_ns);
    std::printf("  %7u KiB  %4s  %8.1f  %6.1f  %8.1f\n", size >> 10, cold ? "cold" : "warm", pread_ns / 1000,
                Median(cache_ns) / 1000, (1.2 * pread_ns + 2000) / 1000);
  }
  for (int fd : fds) ::close(fd);
}

void BenchDisk(const std::string& parent, uint64_t mebibytes) {
  std::printf("Disk cache, %llu MiB, page cache warm and cold\n", static_cast<unsigned long long>(mebibytes));
  std::printf("     extent  page  pread us  hit us  limit us\n");
  for (uint32_t kibibytes : {4, 16, 64, 256, 1024}) {
    std::string directory = parent + "/isotherm-cache-bench-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) {
      std::perror(directory.c_str());
      std::exit(1);
    }
    BenchDiskOfSize(directory, mebibytes, kibibytes << 10);
    std::filesystem::remove_all(directory);
  }
}

}  // namespace
}  // namespace isotherm

int main(int argc, char** argv) {
  uint64_t ram_mib = 1024;
  uint64_t disk_mib = 256;
  std::string directory = std::filesystem::temp_directory_path().string();
  auto policy = isotherm::EvictionPolicy::kS3Fifo;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (argument == "--lru") {
      policy = isotherm::EvictionPolicy::kLru;
    } else if (argument == "--ram-mib" && value != nullptr) {
      ram_mib = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--disk-mib" && value != nullptr) {
      disk_mib = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--directory" && value != nullptr) {
      directory = argv[++i];
    } else {
      std::fprintf(stderr, "usage: %s [--ram-mib N] [--lru] [--directory D] [--disk-mib N]\n", argv[0]);
      return 2;
    }
  }
  if (ram_mib > 0) isotherm::BenchRam(ram_mib, policy);
  if (disk_mib > 0) isotherm::BenchDisk(directory, disk_mib);
  return 0;
}
