// The memtable's graph is built behind the writes.
#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "base/context_check.h"
#include "base/precedence.h"
#include "engine/collection_impl.h"

namespace isotherm {

// Under state_mutex_. The oldest first: they are searched for longest. Null: none.
std::shared_ptr<MemtableRows> CollectionImpl::RowsToLink() const {
  for (const auto& recent : recent_.All()) {
    if (recent->rows->unlinked() > 0) return recent->rows;
  }
  for (const auto& buffer : {committing_, active_}) {
    if (buffer != nullptr && buffer->rows()->unlinked() > 0) return buffer->rows();
  }
  return nullptr;
}

void CollectionImpl::LinkWhenDue() {
  {
    std::shared_lock state(state_mutex_);
    if (active_->rows()->unlinked() == 0) return;
  }
  {
    std::unique_lock state(state_mutex_);
    // Queries and commits have the other threads.
    if (closed_ || linkers_ >= std::max<size_t>(1, path_->env->executor->Concurrency() / 2)) return;
    ++linkers_;
  }
  if (background_.StartLong([this](const Context& context) { LinkInBackground(context); })) return;
  std::unique_lock state(state_mutex_);
  --linkers_;
}

void CollectionImpl::LinkInBackground(const Context& context) {
  constexpr int kAtOnce = 64;
  Precedence::Later linking(path_->env->precedence.get(), *path_->env->clock);
  while (true) {
    std::shared_ptr<MemtableRows> rows;
    {
      std::unique_lock state(state_mutex_);
      if (!context.cancel->cancelled()) rows = RowsToLink();
      if (rows == nullptr) {
        --linkers_;
        return;
      }
    }
    for (int i = 0; i < kAtOnce && rows != nullptr && rows->LinkOne(); ++i) {
      // Whoever needs their memory can have it meanwhile.
      std::weak_ptr<MemtableRows> later = std::exchange(rows, nullptr);
      linking.GiveWay();
      rows = later.lock();
    }
  }
}

}  // namespace isotherm
