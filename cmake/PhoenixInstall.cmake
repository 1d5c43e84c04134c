# What `cmake --install build/release --prefix DIR` puts under DIR: the program and the one library that no system package
# brings, units, configurations, manual. Nothing outside DIR is touched, and no user or directory is made.
install(TARGETS phoenix RUNTIME DESTINATION bin)
if(DUCKDB_LIBRARY STREQUAL PHOENIX_NATIVE_DUCKDB)
  # The place of the library is put in here and changed below, both by ourselves: what CMake would put in for a change of its
  # own ends in a colon, and the empty place behind it is the working directory.
  get_filename_component(native ${DUCKDB_LIBRARY} DIRECTORY)
  set_target_properties(phoenix PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH ${native})
  install(CODE "file(RPATH_CHANGE FILE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/bin/phoenix\"
    OLD_RPATH \"${native}\" NEW_RPATH [[\$ORIGIN/../lib/phoenix]])")
  install(IMPORTED_RUNTIME_ARTIFACTS duckdb::duckdb LIBRARY DESTINATION lib/phoenix)
endif()

# Written by the build.
install(FILES ${CMAKE_BINARY_DIR}/manual/phoenix.1 DESTINATION share/man/man1 OPTIONAL)
install(FILES ${CMAKE_BINARY_DIR}/manual/phoenix.bash DESTINATION share/bash-completion/completions RENAME phoenix OPTIONAL)
install(FILES ${CMAKE_BINARY_DIR}/manual/_phoenix DESTINATION share/zsh/site-functions OPTIONAL)
install(FILES ${CMAKE_BINARY_DIR}/manual/phoenix.fish DESTINATION share/fish/vendor_completions.d OPTIONAL)
install(FILES ${CMAKE_BINARY_DIR}/phoenix.cdx.json DESTINATION share/doc/phoenix OPTIONAL)

install(FILES README.md CHANGELOG.md LICENSE DESTINATION share/doc/phoenix)
install(DIRECTORY docs/ DESTINATION share/doc/phoenix/docs)
install(DIRECTORY configs DESTINATION share/phoenix)
install(DIRECTORY deploy/prometheus DESTINATION share/phoenix)
install(DIRECTORY deploy/grafana DESTINATION share/phoenix OPTIONAL)

# The units name the program where it is installed.
install(CODE "set(units \"${CMAKE_SOURCE_DIR}/deploy/systemd\")")
install(CODE [[
  foreach(unit IN ITEMS phoenix@ phoenix-guard@ phoenix-record@)
    set(installed "${CMAKE_INSTALL_PREFIX}/lib/systemd/system/${unit}.service")
    file(READ "${units}/${unit}.service" text)
    string(REPLACE "/usr/local/bin/phoenix" "${CMAKE_INSTALL_PREFIX}/bin/phoenix" text "${text}")
    message(STATUS "Installing: $ENV{DESTDIR}${installed}")
    file(WRITE "$ENV{DESTDIR}${installed}" "${text}")
    list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${installed}")
  endforeach()
]])
install(FILES deploy/systemd/phoenix.sysusers DESTINATION lib/sysusers.d RENAME phoenix.conf)
