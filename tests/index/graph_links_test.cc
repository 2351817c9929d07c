#include "index/graph_links.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace isotherm {
namespace {

constexpr size_t kCapacity = 64;

// A list with memory of its own.
class OwnedList {
 public:
  OwnedList() : memory_(LinkList::Bytes(kCapacity) / sizeof(uint64_t) + 1) {
    list_ = LinkList::Create(reinterpret_cast<std::byte*>(memory_.data()), kCapacity);
  }
  LinkList& operator*() { return *list_; }
  LinkList* operator->() { return list_; }

  std::vector<uint32_t> Read() const {
    std::vector<uint32_t> links(kCapacity);
    links.resize(list_->Read(links.data()));
    return links;
  }

 private:
  std::vector<uint64_t> memory_;
  LinkList* list_;
};

size_t SizeOf(uint32_t number) { return kCapacity / 2 + number % (kCapacity / 2); }

TEST(LinkList, GivesBackWhatWasAppendedAndAssigned) {
  OwnedList list;
  EXPECT_TRUE(list.Read().empty());
  std::vector<uint32_t> want;
  for (uint32_t i = 0; i < kCapacity; ++i) {
    list->Append(1000 + i);
    want.push_back(1000 + i);
    EXPECT_EQ(list.Read(), want);
  }
  EXPECT_EQ(list->pinned(), 0U);
  want = {7, 8, 9};
  list->Assign(want, 2);
  EXPECT_EQ(list.Read(), want);
  EXPECT_EQ(list->count(), 3U);
  EXPECT_EQ(list->pinned(), 2U);
  list->Append(10);
  EXPECT_EQ(list->count(), 4U);
  EXPECT_EQ(list->pinned(), 2U);
  EXPECT_EQ(list->at(3), 10U);
}

// Every list that the writer makes holds one number only, and as many of it as the number says, or one more.
TEST(LinkList, AReaderNeverSeesPartsOfTwoLists) {
  constexpr uint32_t kLists = 300000;
  OwnedList list;
  std::atomic<bool> done{false};
  std::atomic<size_t> wrong{0}, changes{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      std::array<uint32_t, kCapacity> links{};
      for (uint32_t last = 0; !done.load(std::memory_order_relaxed);) {
        const size_t n = list->Read(links.data());
        if (n == 0) continue;
        const uint32_t number = links[0];
        const bool whole = (n == SizeOf(number) || n == SizeOf(number) + 1) &&
                           std::all_of(&links[0], &links[0] + n, [&](uint32_t link) { return link == number; });
        if (!whole) wrong.fetch_add(1);
        if (number != last) changes.fetch_add(1);
        last = number;
      }
    });
  }
  for (uint32_t number = 1; number < kLists || changes.load() < 100; ++number) {
    list->Assign(std::vector<uint32_t>(SizeOf(number), number), 0);
    list->Append(number);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0U);
}

}  // namespace
}  // namespace isotherm
