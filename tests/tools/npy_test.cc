#include "tools/formats/npy.h"

#include <gtest/gtest.h>

#include "tests/tools/files.h"

namespace isotherm::formats {
namespace {

class Npy : public FilesTest {
 protected:
  static std::vector<float> Floats(const std::string& path) {
    auto reader = NpyReader::Open(path);
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (!reader.ok()) return {};
    auto floats = reader->ReadFloats(0, reader->rows());
    EXPECT_TRUE(floats.ok()) << floats.status();
    return floats.ok() ? *floats : std::vector<float>();
  }

  Status Refusal(const std::string& bytes) const { return NpyReader::Open(Write("bad.npy", bytes)).status(); }
};

TEST_F(Npy, ReadsFloatsOfEveryWidth) {
  std::vector<float> wanted = {1, -2.5F, 0, 0.125F};
  EXPECT_EQ(Floats(Write("a.npy", NpyBytes("<f4", "2, 2", Bytes(wanted)))), wanted);
  EXPECT_EQ(Floats(Write("b.npy", NpyBytes("<f8", "2, 2", Bytes(std::vector<double>{1, -2.5, 0, 0.125})))), wanted);
  // 1, -2.5, 0 and 0.125 in half precision: sign, five bits of exponent, ten of fraction.
  std::vector<uint16_t> halves = {0x3c00, 0xc100, 0x0000, 0x3000};
  EXPECT_EQ(Floats(Write("c.npy", NpyBytes("<f2", "2, 2", Bytes(halves)))), wanted);
  EXPECT_EQ(Floats(Write("d.npy", NpyBytes("|u1", "3", "\x01\x80\xff"))), (std::vector<float>{1, 128, 255}));
  EXPECT_EQ(Floats(Write("e.npy", NpyBytes("|i1", "3", "\x01\x80\xff"))), (std::vector<float>{1, -128, -1}));
}

TEST_F(Npy, ReadsIntegersOfEveryWidth) {
  auto integers = [&](const char* descr, const std::string& data) {
    auto reader = NpyReader::Open(Write("i.npy", NpyBytes(descr, "2,", data)));
    EXPECT_TRUE(reader.ok()) << reader.status();
    EXPECT_TRUE(reader->is_integer());
    return reader->ReadIntegers(0, 2).value();
  };
  std::vector<int64_t> wanted = {7, -1};
  EXPECT_EQ(integers("<i4", Bytes(std::vector<int32_t>{7, -1})), wanted);
  EXPECT_EQ(integers("<i8", Bytes(std::vector<int64_t>{7, -1})), wanted);
  EXPECT_EQ(integers("<u4", Bytes(std::vector<uint32_t>{7, 0xffffffff})), (std::vector<int64_t>{7, 0xffffffff}));
  EXPECT_EQ(integers("<u8", Bytes(std::vector<uint64_t>{7, ~uint64_t{0}})), wanted);
}

TEST_F(Npy, ReadsAnyRowsOfVersions1To3) {
  std::vector<float> values;
  for (int i = 0; i < 30; ++i) values.push_back(static_cast<float>(i));
  for (int version : {1, 2, 3}) {
    auto reader = NpyReader::Open(Write("v.npy", NpyBytes("<f4", "10, 3", Bytes(values), version)));
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ(reader->rows(), 10U);
    EXPECT_EQ(reader->columns(), 3U);
    EXPECT_EQ(reader->dimensions(), 2U);
    EXPECT_EQ(reader->ReadFloats(9, 1).value(), (std::vector<float>{27, 28, 29}));
    EXPECT_EQ(reader->ReadFloats(1, 2).value(), (std::vector<float>{3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(reader->ReadFloats(10, 0).value(), std::vector<float>());
    EXPECT_EQ(reader->ReadFloats(10, 1).status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(reader->ReadFloats(2, ~size_t{0}).status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(reader->ReadIntegers(0, 1).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST_F(Npy, WritesTheBytesThatTheFormatAsksFor) {
  std::vector<int64_t> ids = {1, 2, 3, -1, 5, 6};
  ASSERT_TRUE(WriteNpy(Path("ids.npy"), ids, 3).ok());
  EXPECT_EQ(ReadAll(Path("ids.npy")), NpyBytes("<i8", "2, 3", Bytes(ids)));
  std::vector<float> floats = {0.5F, -1};
  ASSERT_TRUE(WriteNpy(Path("f.npy"), floats, 1).ok());
  EXPECT_EQ(ReadAll(Path("f.npy")), NpyBytes("<f4", "2, 1", Bytes(floats)));
  EXPECT_EQ(WriteNpy(Path("no/such/folder.npy"), floats, 1).code(), StatusCode::kIoError);
}

TEST_F(Npy, SaysWhatIsWrong) {
  std::string data = Bytes(std::vector<float>{1, 2, 3, 4});
  EXPECT_EQ(NpyReader::Open(Path("missing.npy")).status().code(), StatusCode::kNotFound);
  struct Case {
    std::string bytes, message;
  };
  std::string good = NpyBytes("<f4", "2, 2", data);
  for (const Case& bad : std::vector<Case>{
           {"", "not a .npy file"},
           {"PK\x03\x04 some zip archive", "not a .npy file"},
           {NpyBytes("<f4", "2, 2", data, 4), "version 4"},
           {good.substr(0, 40), "header is truncated"},
           {good.substr(0, good.size() - 1), "the header says 2 rows, the file holds 1"},
           {NpyBytes("<f4", "1000000000000, 1000000", data), "truncated"},
           {NpyBytes(">f4", "2, 2", data), "element type '>f4'"},
           {NpyBytes("<U9", "2, 2", data), "element type '<U9'"},
           {NpyBytes("<f4", "2, 2", data, 1, "True"), "not in C order"},
           {NpyBytes("<f4", "1, 2, 2", data), "one or two dimensions"},
           {NpyBytes("<f4", "", data), "one or two dimensions"},
       }) {
    Status status = Refusal(bad.bytes);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << bad.message;
    EXPECT_NE(status.message().find(bad.message), std::string::npos) << status;
    EXPECT_NE(status.message().find("bad.npy"), std::string::npos) << status;
  }
}

TEST_F(Npy, SurvivesAHeaderCutAnywhere) {
  std::string good = NpyBytes("<f4", "2, 2", Bytes(std::vector<float>{1, 2, 3, 4}));
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_EQ(Refusal(good.substr(0, length)).code(), StatusCode::kInvalidArgument) << length;
  }
}

}  // namespace
}  // namespace isotherm::formats
