# Installs the built tree, moves it, and builds a project of its own against it with find_package(isotherm).
# Variables: BUILD_DIR, SOURCE_DIR, CONSUMER_DIR, WORK_DIR, GENERATOR, CXX_COMPILER, CXX_FLAGS.
cmake_minimum_required(VERSION 3.25)

set(first_prefix ${WORK_DIR}/first-prefix)
set(prefix ${WORK_DIR}/prefix)
set(consumer_build ${WORK_DIR}/consumer-build)
file(REMOVE_RECURSE ${first_prefix} ${prefix} ${consumer_build})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${result}:\n${output}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${first_prefix})
# A package that remembers where it was first installed does not survive this.
file(RENAME ${first_prefix} ${prefix})

# Every public header arrives, and nothing of the layers behind it.
file(GLOB_RECURSE expected RELATIVE ${SOURCE_DIR}/include ${SOURCE_DIR}/include/*.h)
file(GLOB_RECURSE installed RELATIVE ${prefix}/include ${prefix}/include/*)
list(SORT expected)
list(SORT installed)
if(NOT expected STREQUAL installed)
  message(FATAL_ERROR "installed headers: ${installed}\nexpected: ${expected}")
endif()

# The package must name neither the source nor the build tree, nor the object libraries of the layers.
file(GLOB_RECURSE package_files ${prefix}/*.cmake)
if(NOT package_files)
  message(FATAL_ERROR "no CMake package below ${prefix}")
endif()
foreach(file ${package_files})
  file(READ ${file} text)
  foreach(leak ${SOURCE_DIR} ${BUILD_DIR} isotherm_base isotherm_flags)
    string(FIND "${text}" "${leak}" at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${file} names ${leak}")
    endif()
  endforeach()
endforeach()

run(${CMAKE_COMMAND} -S ${CONSUMER_DIR} -B ${consumer_build} -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${prefix}
    -DCMAKE_CXX_COMPILER=${CXX_COMPILER} -DCMAKE_CXX_FLAGS=${CXX_FLAGS})
run(${CMAKE_COMMAND} --build ${consumer_build})
run(${consumer_build}/consumer)
