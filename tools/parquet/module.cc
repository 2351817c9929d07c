// The one symbol that the module shows.
#include "tools/parquet/files.h"

extern "C" __attribute__((visibility("default"))) const isotherm::parquet::Module* isotherm_parquet_module() {
  static const isotherm::parquet::Module module{isotherm::parquet::kInterfaceVersion, isotherm::parquet::CreateFile,
                                                isotherm::parquet::OpenFile};
  return &module;
}
