#include "blob/s3_xml.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace isotherm {
namespace {

std::vector<std::string> Names(std::string_view xml) {
  std::vector<std::string> names;
  XmlReader reader(xml);
  while (auto element = reader.Next()) names.emplace_back(element->name);
  return names;
}

TEST(XmlReader, GivesTheElementsOfOneLevelInOrder) {
  EXPECT_EQ(Names("<a>1</a> <b x='1>2'/><ns:c><a/></ns:c>"), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(XmlReader, SkipsWhatIsNoElement) {
  EXPECT_EQ(Names("<?xml version=\"1.0\"?><!DOCTYPE x><!-- <no/> --><a/><![CDATA[<no/>]]>"),
            std::vector<std::string>{"a"});
}

TEST(XmlReader, AnElementMayHoldOnesOfItsOwnName) {
  XmlReader reader("<a><a>inner</a></a>");
  auto outer = reader.Next();
  ASSERT_TRUE(outer);
  EXPECT_EQ(outer->inner, "<a>inner</a>");
  EXPECT_FALSE(reader.Next());
}

TEST(XmlReader, ATruncatedDocumentGivesOnlyWhatIsWhole) {
  const std::string xml = "<?xml version=\"1.0\"?><!--c--><a k=\"v\">t<![CDATA[d]]></a><b><c/></b>";
  for (size_t size = 0; size < xml.size(); ++size) {
    std::vector<std::string> names = Names(xml.substr(0, size));
    EXPECT_LE(names.size(), 1u) << size;
  }
  EXPECT_EQ(Names(xml).size(), 2u);
}

TEST(XmlReader, GarbageEndsIt) {
  for (const char* xml :
       {"", "<", "<>", "</a>", "&", "<a", "<a><", "<a></", "<!", "<![CDATA[", "<?", "text", "<a 'x"}) {
    EXPECT_LE(Names(xml).size(), 1u) << xml;
    XmlText(xml);
  }
}

TEST(XmlText, DecodesEntitiesAndCdata) {
  EXPECT_EQ(XmlText("a&lt;b&gt;&amp;&quot;&apos;"), "a<b>&\"'");
  EXPECT_EQ(XmlText("&#65;&#x42;&#xe9;&#x20AC;&#x1F600;"), "AB\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(XmlText("x<![CDATA[<&amp;>]]>y"), "x<&amp;>y");
  EXPECT_EQ(XmlText("&amp;lt;"), "&lt;");
}

TEST(XmlText, LeavesWhatIsNoEntity) {
  EXPECT_EQ(XmlText("&unknown; & &#xZZ; &#1114112; &"), "&unknown; & &#xZZ; &#1114112; &");
}

TEST(XmlEscape, IsUndoneByXmlText) {
  const std::string text = "a<b>&\"'\xC3\xA9";
  EXPECT_EQ(XmlText(XmlEscape(text)), text);
  EXPECT_EQ(XmlEscape("<"), "&lt;");
}

TEST(ParseS3Error, TakesWhatIsThere) {
  S3ErrorAnswer answer = ParseS3Error(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The key &quot;a&quot; is "
      "missing</Message><Region>eu-west-1</Region><Endpoint>e</Endpoint><RequestId>R1</RequestId></Error>");
  EXPECT_EQ(answer.code, "NoSuchKey");
  EXPECT_EQ(answer.message, "The key \"a\" is missing");
  EXPECT_EQ(answer.region, "eu-west-1");
  EXPECT_EQ(answer.endpoint, "e");
  EXPECT_EQ(answer.request_id, "R1");
}

TEST(ParseS3Error, AnotherBodyGivesNothing) {
  EXPECT_EQ(ParseS3Error("<html><Code>x</Code></html>").code, "");
  EXPECT_EQ(ParseS3Error("").code, "");
  EXPECT_EQ(ParseS3Error("502 Bad Gateway").code, "");
}

TEST(ParseS3List, ReadsEntriesAndPaging) {
  auto answer = ParseS3List(
      "<ListBucketResult "
      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><IsTruncated>true</IsTruncated>"
      "<NextContinuationToken>t&amp;1</NextContinuationToken><Contents><Key>p/a&amp;b</Key><Size>12</Size>"
      "<Owner><ID>x</ID></Owner></Contents><Contents><Size>0</Size><Key>p/\xC3\xA9</Key></Contents></"
      "ListBucketResult>");
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->entries.size(), 2u);
  EXPECT_EQ(answer->entries[0].name, "p/a&b");
  EXPECT_EQ(answer->entries[0].size, 12u);
  EXPECT_EQ(answer->entries[1].name, "p/\xC3\xA9");
  EXPECT_TRUE(answer->truncated);
  EXPECT_EQ(answer->next_token, "t&1");
}

TEST(ParseS3List, RefusesWhatIsNoWholeListing) {
  EXPECT_EQ(ParseS3List("<ListBucketResult><Contents>").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(ParseS3List("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>").status().code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(ParseS3List("<html></html>").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(ParseS3List("<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>").status().code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(ParseS3List("<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>")
                .status()
                .code(),
            StatusCode::kUnavailable);
}

TEST(ParseS3Field, WantsTheRightRoot) {
  EXPECT_EQ(ParseS3Field("<R><UploadId>u</UploadId></R>", "R", "UploadId"), "u");
  EXPECT_EQ(ParseS3Field("<R><UploadId>u</UploadId></R>", "Q", "UploadId"), std::nullopt);
  EXPECT_EQ(ParseS3Field("<R/>", "R", "UploadId"), std::nullopt);
}

}  // namespace
}  // namespace isotherm
