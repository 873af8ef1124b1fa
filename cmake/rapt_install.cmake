# cmake --install: headers, libraries, the command, and what find_package(rapt) and pkg-config read. Included by the top
# CMakeLists.txt. The installed tree can be moved: everything is found relative to the file that names it.
include(CMakePackageConfigHelpers)

# Two exports, because linking a static library needs its dependencies and linking a shared one needs nothing.
set(shared_targets rapt)
set(static_targets rapt_static rapt_kernels_link)
if(RAPT_ENGINE)
  list(APPEND shared_targets rapt_engine)
  list(APPEND static_targets rapt_engine_static)
endif()
install(TARGETS ${shared_targets} EXPORT rapt_targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_COMPONENT development)
install(TARGETS ${static_targets} EXPORT rapt_static_targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/rapt DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN *.h PATTERN *.hpp)

if(TARGET rapt_command)
  file(RELATIVE_PATH bin_to_lib ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  foreach(program rapt_command rapt_fetch)
    if(TARGET ${program})
      set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/${bin_to_lib}")
      install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
  endforeach()
endif()

# find_package(rapt)
set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/rapt)
install(EXPORT rapt_targets NAMESPACE rapt:: DESTINATION ${cmake_dir} COMPONENT development)
install(EXPORT rapt_static_targets NAMESPACE rapt:: DESTINATION ${cmake_dir} COMPONENT development)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/rapt-config.cmake.in ${PROJECT_BINARY_DIR}/rapt-config.cmake
  INSTALL_DESTINATION ${cmake_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/rapt-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/rapt-config.cmake ${PROJECT_BINARY_DIR}/rapt-config-version.cmake
  DESTINATION ${cmake_dir} COMPONENT development)

# pkg-config
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_to_prefix /${pc_dir} /)
set(pc_libs_private "-lstdc++ -lm")
if(RAPT_WITH_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  string(PREPEND pc_libs_private "${OpenMP_CXX_FLAGS} ")
endif()
if(RAPT_HAS_ONEDNN)
  string(PREPEND pc_libs_private "-ldnnl ")
endif()
function(rapt_install_pc name description requires_private)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/rapt.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${pc_dir} COMPONENT development)
endfunction()
rapt_install_pc(rapt "Exact attention on a CPU" "")
if(RAPT_ENGINE)
  rapt_install_pc(rapt_engine "A small inference engine on rapt's attention; contains librapt" "libpcre2-8 libutf8proc zlib")
endif()
