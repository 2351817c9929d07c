#include "blob/s3_xml.h"

#include <charconv>
#include <cstddef>
#include <cstdint>

namespace isotherm {

namespace {

constexpr std::string_view kCdata = "<![CDATA[";
constexpr std::string_view kCdataEnd = "]]>";

enum class TagKind { kOpen, kClose, kEmpty };

struct Tag {
  TagKind kind = TagKind::kOpen;
  std::string_view name;  // without prefix
  size_t begin = 0;       // of '<'
  size_t end = 0;         // after '>'
};

// Past the end of a "<?…", "<!--…", "<![CDATA[…" or "<!…" at `at`; npos when it has none.
size_t SkipSpecial(std::string_view text, size_t at) {
  struct Special {
    std::string_view begin, end;
  };
  static constexpr Special kSpecials[] = {{"<?", "?>"}, {"<!--", "-->"}, {kCdata, kCdataEnd}, {"<!", ">"}};
  for (const Special& special : kSpecials) {
    if (!text.substr(at).starts_with(special.begin)) continue;
    size_t end = text.find(special.end, at + special.begin.size());
    return end == std::string_view::npos ? end : end + special.end.size();
  }
  return at;
}

// Of the tag whose '<' is at `at`: the place of its '>', which may also stand in a quoted attribute.
size_t FindTagEnd(std::string_view text, size_t at) {
  char quote = 0;
  for (size_t i = at; i < text.size(); ++i) {
    char c = text[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return i;
    }
  }
  return std::string_view::npos;
}

std::optional<Tag> FindTag(std::string_view text, size_t from) {
  size_t at = from;
  while ((at = text.find('<', at)) != std::string_view::npos) {
    size_t after = SkipSpecial(text, at);
    if (after == std::string_view::npos) return std::nullopt;
    if (after != at) {
      at = after;
      continue;
    }
    size_t end = FindTagEnd(text, at);
    if (end == std::string_view::npos) return std::nullopt;
    Tag tag;
    tag.begin = at;
    tag.end = end + 1;
    std::string_view inside = text.substr(at + 1, end - at - 1);
    if (inside.starts_with('/')) {
      tag.kind = TagKind::kClose;
      inside.remove_prefix(1);
    } else if (inside.ends_with('/')) {
      tag.kind = TagKind::kEmpty;
      inside.remove_suffix(1);
    }
    tag.name = inside.substr(0, inside.find_first_of(" \t\r\n"));
    if (size_t colon = tag.name.find(':'); colon != std::string_view::npos) tag.name.remove_prefix(colon + 1);
    return tag;
  }
  return std::nullopt;
}

void AppendUtf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (code >> 6)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (code >> 12)));
    out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | (code >> 18)));
    out.push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

// `entity` is what stands between '&' and ';'. An unknown one is left as it is.
void AppendEntity(std::string& out, std::string_view entity) {
  struct Named {
    std::string_view name;
    char character;
  };
  static constexpr Named kNamed[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
  for (const Named& named : kNamed) {
    if (entity == named.name) {
      out.push_back(named.character);
      return;
    }
  }
  if (entity.starts_with('#')) {
    bool hexadecimal = entity.starts_with("#x") || entity.starts_with("#X");
    std::string_view digits = entity.substr(hexadecimal ? 2 : 1);
    uint32_t code = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, hexadecimal ? 16 : 10);
    if (error == std::errc() && end == digits.data() + digits.size() && code != 0 && code < 0x110000) {
      AppendUtf8(out, code);
      return;
    }
  }
  out.append("&").append(entity).append(";");
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<XmlElement> XmlReader::Next() {
  std::optional<Tag> open = FindTag(rest_, 0);
  if (!open || open->kind == TagKind::kClose) return std::nullopt;
  XmlElement element{open->name, {}};
  size_t end = open->end;
  if (open->kind == TagKind::kOpen) {
    int depth = 1;
    while (depth > 0) {
      std::optional<Tag> tag = FindTag(rest_, end);
      if (!tag) return std::nullopt;
      if (tag->kind == TagKind::kOpen) ++depth;
      if (tag->kind == TagKind::kClose) --depth;
      if (depth == 0) element.inner = rest_.substr(open->end, tag->begin - open->end);
      end = tag->end;
    }
  }
  rest_.remove_prefix(end);
  return element;
}

std::string XmlText(std::string_view inner) {
  std::string text;
  size_t at = 0;
  while (at < inner.size()) {
    size_t after = SkipSpecial(inner, at);
    if (after == std::string_view::npos) break;
    if (after != at) {
      if (inner.substr(at).starts_with(kCdata)) {
        size_t begin = at + kCdata.size();
        text.append(inner.substr(begin, after - kCdataEnd.size() - begin));
      }
      at = after;
    } else if (size_t end = inner.find(';', at); inner[at] == '&' && end != std::string_view::npos && end - at <= 10) {
      AppendEntity(text, inner.substr(at + 1, end - at - 1));
      at = end + 1;
    } else {
      text.push_back(inner[at++]);
    }
  }
  return text;
}

std::string XmlEscape(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    switch (c) {
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '&': escaped += "&amp;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&apos;"; break;
      default: escaped.push_back(c);
    }
  }
  return escaped;
}

S3ErrorAnswer ParseS3Error(std::string_view xml) {
  S3ErrorAnswer answer;
  std::optional<XmlElement> root = XmlReader(xml).Next();
  if (!root || root->name != "Error") return answer;
  XmlReader fields(root->inner);
  while (std::optional<XmlElement> field = fields.Next()) {
    if (field->name == "Code") answer.code = XmlText(field->inner);
    if (field->name == "Message") answer.message = XmlText(field->inner);
    if (field->name == "Region") answer.region = XmlText(field->inner);
    if (field->name == "Endpoint") answer.endpoint = XmlText(field->inner);
    if (field->name == "RequestId") answer.request_id = XmlText(field->inner);
  }
  return answer;
}

Result<S3ListAnswer> ParseS3List(std::string_view xml) {
  std::optional<XmlElement> root = XmlReader(xml).Next();
  if (!root || root->name != "ListBucketResult") {
    return Status::Unavailable("the answer is not a whole ListBucketResult");
  }
  S3ListAnswer answer;
  XmlReader fields(root->inner);
  while (std::optional<XmlElement> field = fields.Next()) {
    if (field->name == "IsTruncated") answer.truncated = XmlText(field->inner) == "true";
    if (field->name == "NextContinuationToken") answer.next_token = XmlText(field->inner);
    if (field->name != "Contents") continue;
    ListEntry entry;
    std::optional<uint64_t> size;
    XmlReader properties(field->inner);
    while (std::optional<XmlElement> property = properties.Next()) {
      if (property->name == "Key") entry.name = XmlText(property->inner);
      if (property->name == "Size") size = ParseNumber(XmlText(property->inner));
    }
    if (entry.name.empty() || !size) return Status::Unavailable("an entry of the listing lacks its Key or Size");
    entry.size = *size;
    answer.entries.push_back(std::move(entry));
  }
  // Who went on from nowhere would get the same page for ever.
  if (answer.truncated && answer.next_token.empty()) {
    return Status::Unavailable("the listing goes on, but does not say from where");
  }
  return answer;
}

std::optional<std::string> ParseS3Field(std::string_view xml, std::string_view root_name, std::string_view name) {
  std::optional<XmlElement> root = XmlReader(xml).Next();
  if (!root || root->name != root_name) return std::nullopt;
  XmlReader fields(root->inner);
  while (std::optional<XmlElement> field = fields.Next()) {
    if (field->name == name) return XmlText(field->inner);
  }
  return std::nullopt;
}

}  // namespace isotherm
