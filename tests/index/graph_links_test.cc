#include "index/graph_links.h"

#include <gtest/gtest.h>

#include <algorithm>
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

// Every list that the writer makes holds one number only, as often as that number says, then appended ones of its own.
TEST(LinkList, AReaderNeverSeesPartsOfTwoLists) {
  OwnedList list;
  std::atomic<bool> done{false};
  std::atomic<size_t> wrong{0}, read{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!done.load()) {
        const std::vector<uint32_t> links = list.Read();
        read.fetch_add(1);
        if (links.empty()) continue;
        const uint32_t number = links.front();
        const bool whole = links.size() >= number % kCapacity &&
                           std::all_of(links.begin(), links.end(), [&](uint32_t link) { return link == number; });
        if (!whole) wrong.fetch_add(1);
      }
    });
  }
  for (uint32_t number = 1; number < 40000 || read.load() < 1000; ++number) {
    const size_t count = std::max<size_t>(number % kCapacity, 1);
    list->Assign(std::vector<uint32_t>(count, number), 0);
    if (count < kCapacity) list->Append(number);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0U);
}

}  // namespace
}  // namespace isotherm
