// See fetch_http.h.
#include "tools/rapt/fetch_http.h"

#include <curl/curl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

#include "rapt/rapt.h"
#include "tools/rapt/failure.h"

namespace rapt::tool {
namespace {

constexpr std::size_t kLargestPage = std::size_t{16} << 20;
constexpr int kAttempts = 5;

struct Free {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(char* text) const { curl_free(text); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// One transfer; where the bytes go and how far they are.
struct Transfer {
  const HttpSettings& settings;
  std::string* page = nullptr;
  std::FILE* file = nullptr;
  curl_off_t before = 0;  // bytes that the file had already
  bool interrupted = false;

  static std::size_t on_data(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (transfer.file != nullptr) return std::fwrite(data, size, count, transfer.file);
    if (transfer.page->size() + size * count > kLargestPage) return 0;
    transfer.page->append(data, size * count);
    return size * count;
  }

  static int on_progress(void* user, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (!transfer.settings.progress) return 0;
    const double whole = static_cast<double>(transfer.before + total);
    const double done = total > 0 ? static_cast<double>(transfer.before + now) / whole : 0;
    transfer.interrupted = transfer.settings.progress(done);
    return transfer.interrupted ? 1 : 0;
  }
};

void initialise() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw Failure(std::string("libcurl does not start: ") + curl_easy_strerror(code));
}

Owned<CURL> open(const std::string& url, Transfer& transfer) {
  initialise();
  Owned<CURL> curl(curl_easy_init());
  if (curl == nullptr) throw std::bad_alloc();
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, 5L);
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_CONNECTTIMEOUT, 30L);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);  // nothing for a minute: the connection is dead
  set(CURLOPT_LOW_SPEED_TIME, 60L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
  set(CURLOPT_USERAGENT, (std::string("rapt/") + rapt_version()).c_str());
  set(CURLOPT_WRITEFUNCTION, Transfer::on_data);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_XFERINFOFUNCTION, Transfer::on_progress);
  set(CURLOPT_XFERINFODATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  if (!transfer.settings.cert.empty()) set(CURLOPT_CAINFO, transfer.settings.cert.c_str());
  if (!transfer.settings.proxy.empty()) set(CURLOPT_PROXY, transfer.settings.proxy.c_str());
  return curl;
}

// Without user and password, which an index URL may hold.
std::string shown(const std::string& url) {
  const std::size_t scheme = url.find("://"), path = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  const std::size_t at = url.rfind('@', path);
  return scheme == std::string::npos || at == std::string::npos || at < scheme ? url : url.substr(0, scheme + 3) + url.substr(at + 1);
}

[[noreturn]] void refuse(const std::string& url, CURL* curl, CURLcode code) {
  // Not shown: where a password has a slash, shown() does not know where it ends.
  if (code == CURLE_URL_MALFORMAT)
    throw Failure("a URL is malformed, the index's or a link of it; a password has %2F for / and %40 for @");
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  const std::string why = status >= 400 ? "the server answers " + std::to_string(status) : std::string(curl_easy_strerror(code));
  throw Failure("cannot get " + shown(url) + ": " + why);
}

bool worth_another_attempt(CURLcode code, long status) {
  if (code == CURLE_HTTP_RETURNED_ERROR) return status >= 500 || status == 429;
  return code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING ||
         code == CURLE_OPERATION_TIMEDOUT || code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM;
}

// One attempt to get the rest of the file. True: it is complete; false: worth another.
bool get_rest(const std::string& url, const std::string& path, const HttpSettings& settings, bool last) {
  const Owned<std::FILE> file(std::fopen(path.c_str(), "ab"));
  if (file == nullptr) throw Failure("cannot write " + path + ": " + std::strerror(errno));
  std::fseek(file.get(), 0, SEEK_END);
  Transfer transfer{settings, nullptr, file.get(), static_cast<curl_off_t>(std::ftell(file.get()))};
  const Owned<CURL> curl = open(url, transfer);
  curl_easy_setopt(curl.get(), CURLOPT_RESUME_FROM_LARGE, transfer.before);
  const CURLcode code = curl_easy_perform(curl.get());
  if (transfer.interrupted) throw Interrupted();
  if (std::fflush(file.get()) != 0 || std::ferror(file.get()) != 0) {
    throw Failure("cannot write " + path + ": " + std::strerror(errno));
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (transfer.before > 0 && (code == CURLE_RANGE_ERROR || status == 416)) {
    // The server gives no parts, or has none after these bytes, which libcurl takes for success: they are wrong. Begin anew.
    if (ftruncate(fileno(file.get()), 0) == 0 && !last) return false;
    refuse(url, curl.get(), code);
  }
  if (code == CURLE_OK) return true;
  if (last || !worth_another_attempt(code, status)) refuse(url, curl.get(), code);
  return false;
}

}  // namespace

HttpPage get_page(const std::string& url, const std::string& accept, const HttpSettings& settings) {
  HttpPage page;
  Transfer transfer{settings, &page.text};
  const Owned<CURL> curl = open(url, transfer);
  const Owned<curl_slist> headers(curl_slist_append(nullptr, ("Accept: " + accept).c_str()));
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_ACCEPT_ENCODING, "");  // whatever libcurl can undo
  const CURLcode code = curl_easy_perform(curl.get());
  if (transfer.interrupted) throw Interrupted();
  if (code == CURLE_WRITE_ERROR) throw Failure("the page at " + shown(url) + " is too long");
  if (code != CURLE_OK) refuse(url, curl.get(), code);
  const char *type = nullptr, *last_url = nullptr;
  curl_easy_getinfo(curl.get(), CURLINFO_CONTENT_TYPE, &type);
  curl_easy_getinfo(curl.get(), CURLINFO_EFFECTIVE_URL, &last_url);
  page.content_type = type != nullptr ? type : "";
  page.url = last_url != nullptr ? last_url : url;
  return page;
}

void get_file(const std::string& url, const std::string& path, const HttpSettings& settings) {
  for (int attempt = 1; !get_rest(url, path, settings, attempt == kAttempts); ++attempt) {
    if (settings.progress && settings.progress(0)) throw Interrupted();
    std::this_thread::sleep_for(std::chrono::milliseconds(250 << attempt));
  }
}

std::string absolute_url(const std::string& base, const std::string& link) {
  const Owned<CURLU> url(curl_url());
  if (url == nullptr) throw std::bad_alloc();
  char* text = nullptr;
  if (curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, link.c_str(), 0) != CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) {
    throw Failure("the index has a link that is no URL: " + link);
  }
  const Owned<char> owner(text);
  return text;
}

}  // namespace rapt::tool
