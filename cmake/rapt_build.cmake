# How every target of rapt is compiled. Included by the top CMakeLists.txt.

# Flags of all of rapt's own code, as an interface library so that nothing leaks to a project that adds rapt.
add_library(rapt_options INTERFACE)
target_compile_features(rapt_options INTERFACE cxx_std_20)
target_include_directories(rapt_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_options(rapt_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow
  # One rounding an operation unless the code says fma: the same bits from every compiler and for every tile.
  -ffp-contract=off
  # perf record -g --call-graph fp walks our frames.
  -fno-omit-frame-pointer
  -fvisibility=hidden -fvisibility-inlines-hidden)

# rapt_add_library(NAME objects...): shared and static library from the same objects.
# Targets NAME (shared) and NAME_static, aliases rapt::NAME and rapt::NAME_static; only rapt_ symbols are exported.
function(rapt_add_library name)
  add_library(${name} SHARED ${ARGN})
  add_library(${name}_static STATIC ${ARGN})
  foreach(target ${name} ${name}_static)
    add_library(rapt::${target} ALIAS ${target})
    target_include_directories(${target} PUBLIC
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_compile_features(${target} PUBLIC cxx_std_17)
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  endforeach()
  set_target_properties(${name} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
  set_target_properties(${name}_static PROPERTIES OUTPUT_NAME ${name})
  target_link_options(${name} PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map )
endfunction()
