// The two halves of the module.
#pragma once

#include <memory>
#include <string>

#include "tools/parquet/module.h"

namespace isotherm::parquet {

Result<std::unique_ptr<FileWriter>> CreateFile(const std::string& path, const FileSchema& schema,
                                               const Columns& columns);
Result<std::unique_ptr<FileReader>> OpenFile(const std::string& path, const Columns& columns);

}  // namespace isotherm::parquet
