#include "cache/hint_table.h"

#include "base/coding.h"
#include "base/crc32c.h"

namespace isotherm {

namespace {

constexpr uint32_t kMagic = 0x48534f49;  // "IOSH"
constexpr uint32_t kVersion = 1;
constexpr uint64_t kFrameBytes = 16;        // magic, version, number of hints; crc of all before it at the end
constexpr uint64_t kLengthBytesOfHint = 8;  // before name and value, four each

}  // namespace

bool HintTable::Put(std::string_view name, std::string_view value) {
  if (kFrameBytes + kLengthBytesOfHint + name.size() + value.size() > max_bytes_) return false;
  auto old = hints_.find(name);
  if (old != hints_.end() && old->second.value == value) return false;
  Store(name, value);
  while (EncodedBytes() > max_bytes_) {
    auto oldest = names_by_put_.begin();
    auto hint = hints_.find(oldest->second);
    text_bytes_ -= hint->first.size() + hint->second.value.size();
    hints_.erase(hint);
    names_by_put_.erase(oldest);
  }
  return true;
}

void HintTable::Store(std::string_view name, std::string_view value) {
  Hint& hint = hints_[std::string(name)];
  if (hint.put != 0) {
    names_by_put_.erase(hint.put);
    text_bytes_ -= name.size() + hint.value.size();
  }
  hint.value = value;
  hint.put = ++puts_;
  names_by_put_[hint.put] = name;
  text_bytes_ += name.size() + value.size();
}

std::string HintTable::Get(std::string_view name) const {
  auto hint = hints_.find(name);
  return hint == hints_.end() ? std::string() : hint->second.value;
}

uint64_t HintTable::EncodedBytes() const { return kFrameBytes + hints_.size() * kLengthBytesOfHint + text_bytes_; }

std::string HintTable::Encode() const {
  std::string out;
  PutFixed(out, kMagic);
  PutFixed(out, kVersion);
  PutFixed(out, static_cast<uint32_t>(hints_.size()));
  for (const auto& [put, name] : names_by_put_) {
    PutBytes(out, name);
    PutBytes(out, hints_.find(name)->second.value);
  }
  PutFixed(out, Crc32c(out));
  return out;
}

Status HintTable::Decode(std::string_view bytes) {
  Status malformed = Status::Corruption("not a file of hints");
  if (bytes.size() < kFrameBytes || bytes.size() > max_bytes_) return malformed;
  Decoder crc(bytes.substr(bytes.size() - 4));
  bytes.remove_suffix(4);
  if (crc.Fixed<uint32_t>() != Crc32c(bytes)) return malformed;
  Decoder decoder(bytes);
  if (decoder.Fixed<uint32_t>() != kMagic || decoder.Fixed<uint32_t>() != kVersion) return malformed;
  HintTable read(max_bytes_);
  for (uint32_t left = decoder.Fixed<uint32_t>(); left > 0 && decoder.ok(); --left) {
    std::string_view name = decoder.Bytes();
    std::string_view value = decoder.Bytes();
    read.Store(name, value);
  }
  if (!decoder.done()) return malformed;
  hints_ = std::move(read.hints_);
  names_by_put_ = std::move(read.names_by_put_);
  text_bytes_ = read.text_bytes_;
  puts_ = read.puts_;
  return Status::Ok();
}

}  // namespace isotherm
