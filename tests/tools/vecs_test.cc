#include "tools/formats/vecs.h"

#include <gtest/gtest.h>

#include "tests/tools/files.h"
#include "tools/formats/matrix_file.h"

namespace isotherm::formats {
namespace {

class Vecs : public FilesTest {
 protected:
  template <typename T>
  static std::string Rows(const std::vector<std::vector<T>>& rows) {
    std::string bytes;
    for (const std::vector<T>& row : rows) {
      bytes += Bytes(std::vector<uint32_t>{static_cast<uint32_t>(row.size())}) + Bytes(row);
    }
    return bytes;
  }
};

TEST_F(Vecs, ReadsFloatsBytesAndIntegers) {
  auto floats = VecsReader::Open(Write("a.fvecs", Rows<float>({{1, 2.5F}, {-3, 4}, {5, 6}})));
  ASSERT_TRUE(floats.ok()) << floats.status();
  EXPECT_EQ(floats->rows(), 3U);
  EXPECT_EQ(floats->dimension(), 2U);
  EXPECT_EQ(floats->ReadFloats(1, 2).value(), (std::vector<float>{-3, 4, 5, 6}));
  EXPECT_EQ(floats->ReadFloats(2, 2).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(floats->ReadIntegers(0, 1).status().code(), StatusCode::kInvalidArgument);

  auto bytes = VecsReader::Open(Write("a.bvecs", Rows<uint8_t>({{0, 128, 255}})));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(bytes->ReadFloats(0, 1).value(), (std::vector<float>{0, 128, 255}));

  auto integers = VecsReader::Open(Write("a.ivecs", Rows<int32_t>({{4, 3}, {2, 1}})));
  ASSERT_TRUE(integers.ok()) << integers.status();
  EXPECT_EQ(integers->ReadIntegers(0, 2).value(), (std::vector<int64_t>{4, 3, 2, 1}));
  EXPECT_EQ(integers->ReadFloats(0, 1).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(Vecs, SaysWhatIsWrong) {
  std::string good = Rows<float>({{1, 2}, {3, 4}});
  EXPECT_EQ(VecsReader::Open(Path("missing.fvecs")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(VecsReader::Open(Write("a.vectors", good)).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(VecsReader::Open(Write("a.fvecs", good.substr(0, good.size() - 1))).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(VecsReader::Open(Write("b.fvecs", std::string(12, '\0'))).status().code(), StatusCode::kInvalidArgument);
  // As many bytes as two rows of dimension 2, but the second is another.
  auto mixed = VecsReader::Open(Write("c.fvecs", Rows<float>({{1, 2}}) + Rows<float>({{1}}) + "1234"));
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  Status status = mixed->ReadFloats(0, 2).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("row 1 says dimension 1"), std::string::npos) << status;
}

TEST_F(Vecs, AnEmptyFileHasNoRows) {
  auto reader = VecsReader::Open(Write("a.fvecs", ""));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->rows(), 0U);
}

class MatrixFiles : public FilesTest {};

TEST_F(MatrixFiles, AOneDimensionalArrayIsARowOrAColumn) {
  std::string path = Write("a.npy", NpyBytes("<f4", "3,", Bytes(std::vector<float>{1, 2, 3})));
  auto column = OpenMatrixFile(path);
  ASSERT_TRUE(column.ok()) << column.status();
  EXPECT_EQ((*column)->rows(), 3U);
  EXPECT_EQ((*column)->columns(), 1U);
  EXPECT_EQ((*column)->ReadFloats(1, 1).value(), (std::vector<float>{2}));
  auto row = OpenMatrixFile(path, /*as_row=*/true);
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_EQ((*row)->rows(), 1U);
  EXPECT_EQ((*row)->columns(), 3U);
  EXPECT_EQ((*row)->ReadFloats(0, 1).value(), (std::vector<float>{1, 2, 3}));
}

TEST_F(MatrixFiles, TheNameSaysTheFormat) {
  EXPECT_TRUE(IsMatrixFileName("a.npy"));
  EXPECT_TRUE(IsMatrixFileName("a.bvecs"));
  EXPECT_FALSE(IsMatrixFileName("a.jsonl"));
  Status status = OpenMatrixFile(Write("a.csv", "1,2")).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(".npy, .fvecs"), std::string::npos) << status;
}

}  // namespace
}  // namespace isotherm::formats
