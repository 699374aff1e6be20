#ifndef CCURL_H
#define CCURL_H

// libcurl's option calls are variadic, and Swift cannot call them. Its type checking macros would interfere with the
// plain functions below.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include <stddef.h>

// curl_easy_setopt, one function per kind of argument.
CURLcode ccurl_easy_set_long(CURL *easy, CURLoption option, long value);
CURLcode ccurl_easy_set_offset(CURL *easy, CURLoption option, curl_off_t value);
CURLcode ccurl_easy_set_string(CURL *easy, CURLoption option, const char *value);
CURLcode ccurl_easy_set_pointer(CURL *easy, CURLoption option, void *value);
CURLcode ccurl_easy_set_list(CURL *easy, CURLoption option, struct curl_slist *value);
// The bytes are copied; the caller may free them at once.
CURLcode ccurl_easy_set_blob(CURL *easy, CURLoption option, const void *bytes, size_t length);
// The bytes are copied; the size is set with them.
CURLcode ccurl_easy_set_body(CURL *easy, const void *bytes, size_t length);
CURLcode ccurl_easy_set_write_callback(CURL *easy, curl_write_callback callback);
CURLcode ccurl_easy_set_header_callback(CURL *easy, curl_write_callback callback);
CURLcode ccurl_easy_set_progress_callback(CURL *easy, curl_xferinfo_callback callback);
CURLcode ccurl_easy_set_request_callback(CURL *easy, curl_prereq_callback callback);

// curl_easy_getinfo; zero when the value is not known.
long ccurl_easy_get_long(CURL *easy, CURLINFO info);

// The socket of a handle that only connected; CURL_SOCKET_BAD when its connection is gone.
curl_socket_t ccurl_easy_active_socket(CURL *easy);

// curl_multi_setopt.
CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value);

// curl_global_init with all of the parts this program uses.
CURLcode ccurl_global_init(void);

// The file of certificate authorities that this libcurl was built to use, or NULL.
const char *ccurl_default_ca_file(void);

// Makes libcurl create its sockets close-on-exec, so that programs started later do not inherit them.
CURLcode ccurl_easy_set_close_on_exec(CURL *easy);

// Names the calling thread, in at most 15 characters. The call is a GNU extension that Swift's Glibc does not export.
void ccurl_name_thread(const char *name);

// Macros with casts or expressions that Swift does not import.
extern const size_t ccurl_write_pause;

#endif
