#include <gmock/gmock.h>

#include "tests/blob/conformance.h"

namespace isotherm {

TEST(ObjectNameTest, UnusualNamesAreValid) {
  for (const std::string& name : UnusualNames()) EXPECT_TRUE(ValidateObjectName(name).ok()) << name;
  EXPECT_TRUE(ValidateObjectName(std::string(1024, 'x')).ok());
  EXPECT_TRUE(ValidateObjectName("\xf4\x8f\xbf\xbf").ok()) << "U+10FFFF";
}

TEST(ObjectNameTest, InvalidNamesAreRefusedWithAReason) {
  for (const std::string& name : InvalidNames()) {
    Status status = ValidateObjectName(name);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(status.message(), testing::HasSubstr("object name")) << name;
  }
  EXPECT_FALSE(ValidateObjectName("\xf4\x90\x80\x80").ok()) << "beyond U+10FFFF";
}

}  // namespace isotherm
