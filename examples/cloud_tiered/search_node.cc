#include "search_node.h"

#include <chrono>
#include <iostream>
#include <utility>
#include <vector>

#include "errors.h"
#include "isotherm/isotherm.h"
#include "protocol.h"

namespace cloud_tiered {

namespace {

using Clock = std::chrono::steady_clock;

int64_t NsSince(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
}

std::string TextOf(const isotherm::Metadata& metadata, const std::string& field) {
  auto at = metadata.find(field);
  return at == metadata.end() ? std::string() : at->second.as_string();
}

class SearchNode {
 public:
  explicit SearchNode(const NodeOptions& options) : begin_(Clock::now()) {
    isotherm::Options open;
    open.read_only = true;
    open.cache_dir = options.cache_dir;
    isotherm::Context context;
    context.meter = &since_open_;
    collection_ = Take(isotherm::Open(OpenProfiledStore(options.store, options.profile), open, context));
    open_ns_ = NsSince(begin_);
  }

  Opened opened() const {
    isotherm::CollectionStats stats = collection_->Stats();
    return {CostOf(open_ns_, since_open_), stats.rows, stats.dimension};
  }

  Written TryWrite() {
    isotherm::Row row;
    row.key = uint64_t{1} << 63;
    row.vector.assign(collection_->Stats().dimension, 1.0F);
    isotherm::Status status = collection_->Insert(std::move(row));
    return {isotherm::StatusCodeName(status.code()), status.message()};
  }

  Answer Ask(const Request& request) {
    Answer answer;
    isotherm::SearchResult result = TimedSearch(request.vector, {}, &answer.search);
    answer.since_open = CostOf(NsSince(begin_), since_open_);
    answer.extents_from_ram = result.explain.extents_from_ram;
    answer.extents_from_disk = result.explain.extents_from_disk;
    answer.extents_from_store = result.explain.extents_from_store;
    if (request.texts) {
      // The cells are in RAM by now: what this reads from the store are the texts alone.
      isotherm::SearchOptions with_texts;
      with_texts.include_metadata = with_texts.include_payload = true;
      result = TimedSearch(request.vector, with_texts, &answer.texts);
    }
    for (const isotherm::Hit& hit : result.hits) {
      answer.found.push_back({hit.key.number(), hit.distance, TextOf(hit.metadata, "pos"),
                              TextOf(hit.metadata, "lexfile"), TextOf(hit.metadata, "lemmas"), hit.payload});
    }
    for (uint32_t i = 0; i < request.repeats; ++i) {
      Cost again;
      TimedSearch(request.vector, {}, &again);
      answer.repeat_ns.push_back(again.ns);
      answer.repeat_requests += again.gets + again.other_requests;
    }
    return answer;
  }

  void Close() { Check(collection_->Close()); }

 private:
  isotherm::SearchResult TimedSearch(const std::vector<float>& vector, const isotherm::SearchOptions& options,
                                     Cost* cost) {
    isotherm::Meter meter;
    isotherm::Context context;
    context.meter = &meter;
    Clock::time_point begin = Clock::now();
    isotherm::SearchResult result = Take(collection_->Search(vector, options, context));
    *cost = CostOf(NsSince(begin), meter);
    for (const isotherm::RequestRecord& record : meter.Records()) since_open_.Add(record);
    return result;
  }

  const Clock::time_point begin_;
  isotherm::Meter since_open_;
  std::unique_ptr<isotherm::Collection> collection_;
  int64_t open_ns_ = 0;
};

void Reply(const Message& message) { std::cout << message.dump() << std::endl; }

}  // namespace

std::shared_ptr<isotherm::BlobStore> OpenProfiledStore(const std::string& uri, const std::string& profile) {
  return Take(isotherm::SimulateLatency(Take(isotherm::OpenBlobStore(uri)), profile));
}

void RunSearchNode(const NodeOptions& options) {
  SearchNode node(options);
  Reply(node.opened());
  for (std::string line; std::getline(std::cin, line);) {
    auto request = Message::parse(line).get<Request>();
    Reply(request.write ? Message(node.TryWrite()) : Message(node.Ask(request)));
  }
  node.Close();
}

}  // namespace cloud_tiered
