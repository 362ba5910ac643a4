// Serves the listen socket on descriptor 0: answers with parameters and the body.

#include <cstddef>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcgi_request.h>

namespace {

// Throws what a negative result means.
std::size_t checked(std::ptrdiff_t result)
{
    if (result < 0) {
        throw std::runtime_error(FCGX_ErrorText(static_cast<int>(result)));
    }
    return static_cast<std::size_t>(result);
}

class Request {
public:
    explicit Request(int socket) : request_(FCGX_RequestNew(socket, FCGX_TAKE_SIGNALS), FCGX_RequestFree)
    {
        if (!request_) {
            throw std::bad_alloc();
        }
    }

    // Waits for the next request. Returns false when the program should end.
    bool next()
    {
        const int result = FCGX_RequestNext(request_.get(), -1);
        return result != FCGX_SHUT_DOWN && checked(result) == 1;
    }
    std::map<std::string, std::string> params() const
    {
        std::map<std::string, std::string> params;
        std::size_t name, length;
        for (std::size_t i = 0; const char *entry = FCGX_RequestParamAt(request_.get(), i, &name, &length); ++i) {
            params.emplace(std::string(entry, name), std::string(entry + name + 1, entry + length));
        }
        return params;
    }
    std::size_t read(std::vector<char> &piece)
    {
        return checked(FCGX_RequestRead(request_.get(), piece.data(), piece.size()));
    }
    void write(const char *data, std::size_t size) { checked(FCGX_RequestWrite(request_.get(), data, size)); }
    void write(const std::string &text) { write(text.data(), text.size()); }
    void log(const std::string &text) { checked(FCGX_RequestLog(request_.get(), text.data(), text.size())); }
    void end(int status) { checked(FCGX_RequestEnd(request_.get(), status)); }

private:
    std::unique_ptr<FCGX_Request, decltype(&FCGX_RequestFree)> request_;
};

void serve(Request &request)
{
    auto params = request.params();
    const auto count = params.size();
    const auto query = params["QUERY_STRING"];
    const auto value = params.find(query);
    request.write("Content-Type: application/octet-stream\r\nX-Method: " + params["REQUEST_METHOD"] +
                  "\r\nX-Query: " + query + "\r\nX-Params: " + std::to_string(count) + "\r\n" +
                  (value == params.end() ? "" : "X-Value: " + value->second + "\r\n") + "\r\n");
    std::vector<char> piece(65536);
    while (const auto size = request.read(piece)) {
        request.write(piece.data(), size);
    }
    request.log("served by C++\n");
    request.end(query == "status=7" ? 7 : 0);
}

} // namespace

int main()
{
    Request request(0);
    while (request.next()) {
        try {
            serve(request);
        } catch (const std::runtime_error &error) {
            std::cerr << "echo: " << error.what() << '\n';
        }
    }
}
