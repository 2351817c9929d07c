# What `cmake --install` puts where: the library with its public headers and CMake package, and the tool.

include(CMakePackageConfigHelpers)
set(ISOTHERM_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/isotherm)

install(TARGETS isotherm EXPORT isothermTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/isotherm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT isothermTargets NAMESPACE isotherm:: DESTINATION ${ISOTHERM_PACKAGE_DIR})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/isothermConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/isothermConfig.cmake INSTALL_DESTINATION ${ISOTHERM_PACKAGE_DIR})
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/isothermConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/isothermConfig.cmake ${PROJECT_BINARY_DIR}/isothermConfigVersion.cmake
        ${CMAKE_CURRENT_LIST_DIR}/FindRoaring.cmake DESTINATION ${ISOTHERM_PACKAGE_DIR})

if(TARGET isotherm_tool)
  install(TARGETS isotherm_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES ${PROJECT_SOURCE_DIR}/tools/completion/isotherm.bash
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME isotherm OPTIONAL)
endif()
