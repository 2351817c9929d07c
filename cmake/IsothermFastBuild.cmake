# Compiles through ccache and links with mold where the machine has them and nothing else was asked for.

if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(ISOTHERM_CCACHE ccache)
  mark_as_advanced(ISOTHERM_CCACHE)
  if(ISOTHERM_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${ISOTHERM_CCACHE})
  endif()
endif()

if(NOT CMAKE_CROSSCOMPILING AND NOT CMAKE_EXE_LINKER_FLAGS MATCHES "-fuse-ld")
  find_program(ISOTHERM_MOLD mold)
  mark_as_advanced(ISOTHERM_MOLD)
  if(ISOTHERM_MOLD)
    # The program is there; whether this compiler knows it by name is another matter.
    include(CheckLinkerFlag)
    check_linker_flag(CXX -fuse-ld=mold ISOTHERM_HAS_MOLD)
    if(ISOTHERM_HAS_MOLD)
      add_link_options(-fuse-ld=mold)
    endif()
  endif()
endif()
