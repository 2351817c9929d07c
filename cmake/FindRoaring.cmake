# CRoaring, compressed bitmaps: the target Roaring::roaring. Older packages of it bring no CMake files of their own.

find_path(Roaring_INCLUDE_DIR roaring/roaring.h DOC "Where CRoaring's headers are")
find_library(Roaring_LIBRARY roaring DOC "CRoaring")
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Roaring REQUIRED_VARS Roaring_LIBRARY Roaring_INCLUDE_DIR)
if(Roaring_FOUND AND NOT TARGET Roaring::roaring)
  add_library(Roaring::roaring UNKNOWN IMPORTED)
  set_target_properties(Roaring::roaring PROPERTIES IMPORTED_LOCATION ${Roaring_LIBRARY}
                                                    INTERFACE_INCLUDE_DIRECTORIES ${Roaring_INCLUDE_DIR})
endif()
mark_as_advanced(Roaring_INCLUDE_DIR Roaring_LIBRARY)
