# The dashboard's page: built by Vite out of web/ and compiled into the program. PHOENIX_WEB_ASSETS is the C++ source of it.
find_program(NODE node)
if(NOT NODE OR NOT EXISTS ${CMAKE_SOURCE_DIR}/web/node_modules/vite/bin/vite.js)
  message(FATAL_ERROR "what builds the dashboard's page is missing: run scripts/setup.sh")
endif()
set(PHOENIX_WEB_ASSETS ${CMAKE_BINARY_DIR}/generated/app/web_assets.cpp)
file(GLOB_RECURSE PHOENIX_WEB_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/src/* ${CMAKE_SOURCE_DIR}/web/public/*)
add_custom_command(OUTPUT ${PHOENIX_WEB_ASSETS}
  COMMAND ${NODE} node_modules/vite/bin/vite.js build --logLevel warn --outDir ${CMAKE_BINARY_DIR}/web
  COMMAND ${NODE} embed.mjs ${CMAKE_BINARY_DIR}/web ${PHOENIX_WEB_ASSETS}
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/web
  DEPENDS ${PHOENIX_WEB_SOURCES} ${CMAKE_SOURCE_DIR}/web/index.html ${CMAKE_SOURCE_DIR}/web/embed.mjs
          ${CMAKE_SOURCE_DIR}/web/vite.config.js ${CMAKE_SOURCE_DIR}/web/package-lock.json
  COMMENT "building the dashboard's page" VERBATIM)
